//! System calls in a deterministic run: what would tell of the host or of the time is answered here, what would wait is
//! tried without waiting, and after each call is a point where another thread may go on.

mod file;
mod futex;
mod ids;
mod io;
mod quiet;
mod spin;
mod system;
mod time;
mod timer;
pub(super) mod view;

pub(super) use file::descriptor_of;
pub use spin::spins;
pub(super) use timer::send_due;

use super::{SysResult, execute as by_table};
use crate::abi::Errno;
use crate::proc::Task;
use crate::proc::determinism::{Board, Seat, Wait, clock};
use crate::signal::action::Disposition;
use crate::sys::capture;

/// Of the instruction `syscall`.
const SYSCALL_LEN: u64 = 2;

/// Executes a system call of a thread that has the baton, and has it when this returns.
pub(super) fn execute(task: &mut Task, nr: u64, args: &[u64; 6]) -> SysResult {
    let rip = task.vcpu.regs().rip;
    task.begin_event(rip.wrapping_sub(SYSCALL_LEN), Some(nr));
    let result = answer(task, i64::try_from(nr).unwrap_or(-1), args);
    if let Some((board, seat)) = task.on_board()
        && board.is_recorded()
    {
        board.record_call(board.guest_tid(seat), nr, (args, rip), value_of(&result));
    }
    let is_end = matches!(result, Ok(super::Outcome::Exit(_)));
    if let Some((board, seat)) = task.on_board()
        && !is_end
    {
        board.pass(clock::SYSCALL);
        board.note_progress();
        board.pass_point(seat, nr == libc::SYS_sched_yield.cast_unsigned());
    }
    send_due(task);
    task.end_event();
    result
}

fn value_of(result: &SysResult) -> u64 {
    match result {
        Ok(super::Outcome::Value(value)) => *value,
        Ok(_) => 0,
        Err(errno) => errno.as_negative(),
    }
}

fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    let special = quiet::answer(task, nr, args)
        .or_else(|| time::answer(task, nr, args))
        .or_else(|| futex::answer(task, nr, args))
        .or_else(|| timer::answer(task, nr, args))
        .or_else(|| ids::answer(task, nr, args))
        .or_else(|| system::answer(task, nr, args))
        .or_else(|| file::answer(task, nr, args))
        .or_else(|| io::answer(task, nr, args));
    special.unwrap_or_else(|| call(task, nr, args))
}

/// The call as in any other run.
fn call(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    by_table(task, nr.cast_unsigned(), args)
}

/// Board and seat of a task of a deterministic run.
fn on_board(task: &Task) -> Result<(&Board, Seat), Errno> {
    task.on_board().ok_or(Errno::ENOSYS)
}

/// How a call goes on when a signal ends its wait (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restart {
    /// As `SA_RESTART` says.
    ByAction,
    /// Never.
    Never,
}

/// Does `attempt`, which never waits, until it has a result; between two attempts others go on. `None` when `deadline`
/// (ns of virtual time) has passed.
fn wait_for<T>(
    task: &mut Task,
    (wait, deadline): (Wait, Option<u64>),
    restart: Restart,
    mut attempt: impl FnMut(&mut Task) -> Result<Option<T>, Errno>,
) -> Result<Option<T>, Errno> {
    loop {
        match attempt(task) {
            Ok(None) => {}
            Ok(result) => return Ok(result),
            // Turned back before it began, for a signal.
            Err(Errno::ERESTARTNOINTR) => return Err(interruption(task, restart)),
            Err(errno) => return Err(errno),
        }
        let (board, seat) = on_board(task)?;
        if deadline.is_some_and(|deadline| deadline <= board.now()) {
            return Ok(None);
        }
        if capture::needs_attention() {
            return Err(interruption(task, restart));
        }
        board.wait(seat, wait, deadline);
        if board.has_ended() {
            return Err(Errno::ERESTARTNOINTR);
        }
        send_due(task);
    }
}

/// What a call returns that a signal ends.
fn interruption(task: &Task, restart: Restart) -> Errno {
    let action = capture::caught_signal().and_then(|signal| {
        let action = task.process.actions.action(signal).ok()?;
        (action.disposition(signal) == Disposition::Handled).then_some(action)
    });
    match action {
        Some(action) if restart == Restart::Never || !action.has(libc::SA_RESTART) => Errno::EINTR,
        _ => Errno::ERESTARTNOINTR,
    }
}
