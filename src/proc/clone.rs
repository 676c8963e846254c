//! Threads: clone(2) with CLONE_THREAD.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use nix::unistd::Pid;

use super::exitless::Exitless;
use super::fork::{NewProcess, adjust_child, write_tid};
use super::{Task, exit};
use crate::abi::Errno;
use crate::abi::clone::{CLONE_CHILD_SETTID, CLONE_FILES, CLONE_FS, CLONE_PARENT_SETTID};
use crate::sys::thread;

/// Makes a thread of the calling process and returns its id. It is a host thread that drives a vCPU of its own.
///
/// # Errors
/// `EAGAIN` when there are no more vCPUs, or threads of the host.
pub fn clone_thread(task: &mut Task, new: &NewProcess) -> Result<u64, Errno> {
    task.end_masks();
    if task.process.threads.is_single() {
        task.suspend_jumps();
    }
    let process = Arc::clone(&task.process);
    let machine = process.mm.machine();
    let state = task.vcpu.state().map_err(|_| Errno::EAGAIN)?;
    {
        let _limits = process.limits.hold();
        machine.stock_vcpus().map_err(|_| Errno::EAGAIN)?;
    }
    // It blocks all signals until it knows whose they are.
    task.signals.hold_off()?;
    let result = process.take_vcpu(&state).and_then(|vcpu| {
        let mut child = Task::asleep(vcpu, Arc::clone(&process), task.signals.of_thread());
        let is_apart = !new.has(CLONE_FS) || !new.has(CLONE_FILES);
        child.exitless = Exitless::new(is_apart || task.exitless.is_barred());
        if let Some((board, seat)) = task.on_board() {
            let seat = board.seat_thread(Some(seat));
            child.set_seat(seat);
            if seat.is_none() {
                machine.return_vcpu(child.vcpu);
                return Err(Errno::EAGAIN);
            }
        }
        if let Err(errno) = adjust_child(&mut child, new) {
            machine.return_vcpu(child.vcpu);
            return Err(errno);
        }
        let seat = child.seat;
        start(child, *new).inspect_err(|_| {
            if let (Some((board, _)), Some(seat)) = (task.on_board(), seat) {
                board.give_back(seat);
            }
        })
    });
    task.signals.let_in();
    if result.is_err() {
        task.resume_jumps();
    }
    result.map(|tid| u64::from(tid.as_raw().unsigned_abs()))
}

/// Returns when the thread exists and its id is where the flags say.
fn start(mut child: Task, new: NewProcess) -> Result<Pid, Errno> {
    child.vcpu.regs_mut().rax = 0;
    let (started, has_started) = sync_channel(1);
    if let Err(Task { vcpu, process, .. }) = thread::spawn(child, move |child| run(child, &new, &started)) {
        process.mm.machine().return_vcpu(vcpu);
        return Err(Errno::EAGAIN);
    }
    has_started.recv().map_err(|_| Errno::EAGAIN)?
}

/// The host's threads share everything that threads can share; the guest may have asked for less.
fn unshare(task: &Task, new: &NewProcess) -> Result<(), Errno> {
    let what = (CLONE_FS | CLONE_FILES) & !new.flags;
    if what & CLONE_FILES != 0 {
        task.process.mm.machine().note_unshared_descriptors();
    }
    if what == 0 { Ok(()) } else { thread::unshare(what) }
}

fn run(mut task: Task, new: &NewProcess, started: &SyncSender<Result<Pid, Errno>>) {
    if let Err(errno) = unshare(&task, new) {
        task.process.mm.machine().return_vcpu(task.vcpu);
        let _ = started.send(Err(errno));
        return;
    }
    task.begin();
    if new.has(CLONE_PARENT_SETTID) {
        write_tid(&task, new.parent_tid, task.shown_tid().as_raw());
    }
    if new.has(CLONE_CHILD_SETTID) {
        write_tid(&task, new.child_tid, task.shown_tid().as_raw());
    }
    task.process.threads.add(&task);
    // The caller waits for it.
    if let Some((board, seat)) = task.on_board() {
        board.note_id(task.tid().as_raw(), board.guest_tid(seat));
    }
    let _ = started.send(Ok(task.shown_tid()));
    task.signals.begin();
    task.take_turn();
    let run_loop = task.process.run_loop.clone();
    let result = run_loop.run(&mut task);
    exit::finish(task, result);
}
