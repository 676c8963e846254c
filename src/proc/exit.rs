//! exit(2), exit_group(2) and what follows (the kernel's `kernel/exit.c`).

use std::sync::Arc;

use nix::unistd::{Pid, getpid};

use super::debugger::Report;
use super::{Process, Task};
use crate::Error;
use crate::abi::UserAddr;
use crate::mm::AddressSpace;
use crate::sys::{clone, signal, thread};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By exit(2), with the low eight bits of its argument.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    /// The status that a parent sees of `exit(status)`.
    pub fn code(status: i32) -> Self {
        let [low, ..] = status.to_le_bytes();
        Self::Code(low)
    }
}

/// What ends with a task's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The thread alone, with this code; if it is the last one, the process too.
    Thread(u8),
    /// All threads.
    Process(ExitStatus),
}

impl End {
    /// For a process of one thread.
    pub fn of_single_thread(self) -> ExitStatus {
        match self {
            Self::Thread(code) => ExitStatus::Code(code),
            Self::Process(status) => status,
        }
    }
}

/// Ends what `result` says. Returns in a thread that is to end alone; the first thread of a process ends here.
pub fn finish(mut task: Task, result: Result<End, Error>) {
    task.end_sampling();
    task.end_trace();
    if !matches!(result, Ok(End::Thread(_))) || task.process.threads.is_single() {
        task.note_peak_memory();
        task.record_end();
    }
    task.end_counting();
    match result {
        Ok(End::Thread(code)) => leave(task, code),
        Ok(End::Process(status)) => task.process.end(Ok(status)),
        Err(error) => task.process.end(Err(error)),
    }
}

/// Ends the calling thread. Its signals are held off.
fn leave(mut task: Task, code: u8) {
    task.end_exitless();
    let tid = task.tid();
    task.robust_list.hand_on(&task.process, tid.as_raw());
    let Task { vcpu, process, clear_child_tid, seat, .. } = task;
    process.mm.machine().return_vcpu(vcpu);
    let is_last = process.threads.remove(tid);
    if !is_last || is_shared(&process.mm) {
        clear_tid(&process, clear_child_tid);
    }
    if !is_last && let (Some(determinism), Some(seat)) = (&process.determinism, seat) {
        determinism.board().leave(seat);
    }
    if is_last {
        // The process ends as its last thread does (`synchronize_group_exit`).
        process.end(Ok(ExitStatus::Code(code)));
    }
    if is_first(tid) {
        thread::exit_first(code);
    }
}

/// The first thread of a process has the process's number.
fn is_first(tid: Pid) -> bool {
    tid == getpid()
}

/// What a task does when it leaves memory that others use (`mm_release` in the kernel's `kernel/fork.c`).
pub fn leave_memory(task: &mut Task) {
    task.end_sampling();
    task.process.threads.leave_memory(task.tid());
    task.robust_list.hand_on(&task.process, task.tid().as_raw());
    let clear_child_tid = std::mem::take(&mut task.clear_child_tid);
    if is_shared(&task.process.mm) {
        clear_tid(&task.process, clear_child_tid);
    }
}

/// Is the memory another process's as well? The last one to leave it clears no word, though that be in a shared mapping.
fn is_shared(mm: &Arc<AddressSpace>) -> bool {
    Arc::strong_count(mm) > 1
}

fn clear_tid(process: &Process, clear_child_tid: UserAddr) {
    if !clear_child_tid.is_null() && process.mm.copy_out(clear_child_tid, &[0; 4]).is_ok() {
        process.wake_futex(clear_child_tid);
    }
}

impl Process {
    /// Ends all threads, from whichever.
    pub fn end(&self, result: Result<ExitStatus, Error>) -> ! {
        self.threads.end_all(self);
        if let Some(sampling) = &self.sampling {
            sampling.end(&self.mm);
        }
        if let Some(tracing) = self.settings.tracing.as_ref().filter(|_| self.settings.is_first_process()) {
            tracing.end();
        }
        if let (Some(debugger), Ok(status)) = (&self.debugger, &result) {
            debugger.end(Report::Ended(*status));
        }
        self.run_loop.report(self, &result);
        self.leave_run();
        end_host_process(result)
    }
}

/// Ends the calling process as the guest's ended.
pub(super) fn end_host_process(result: Result<ExitStatus, Error>) -> ! {
    match result {
        Ok(ExitStatus::Code(code)) => clone::exit_now(code),
        Ok(ExitStatus::Signal(signal)) => signal::die_by(signal),
        Err(error) => clone::exit_now(error.exit_status()),
    }
}
