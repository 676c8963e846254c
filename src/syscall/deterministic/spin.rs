//! Threads that compute for long while others wait.

use super::send_due;
use crate::Error;
use crate::proc::Task;
use crate::proc::determinism::Wait;

/// The thread was made to leave guest mode because it runs for long and others wait. If it only waits for them, they go on.
///
/// # Errors
/// The run ends if threads are not to be stepped.
pub fn spins(task: &mut Task) -> Result<(), Error> {
    let Some((board, seat)) = task.on_board() else { return Ok(()) };
    if !board.take_spinning(seat) {
        return Ok(());
    }
    if !board.steps_threads() {
        if task.is_stepped() {
            // Seconds are few instructions then.
            return Ok(());
        }
        board.end_run();
        return Err(Error::Spins { at: task.vcpu.regs().rip });
    }
    while task.is_waiting_in_loop()? {
        let place = *task.vcpu.regs();
        if let Some((board, seat)) = task.on_board() {
            board.wait(seat, Wait::Progress, None);
        }
        send_due(task);
        if crate::sys::capture::needs_attention() || *task.vcpu.regs() != place {
            break;
        }
    }
    Ok(())
}
