//! System calls: one table, argument decoding, dispatch, and the handlers, a file an area.

pub mod arg;
mod handler;
mod host;
mod memory;
pub mod missing;
mod process;
mod rw;
pub mod strace;
pub mod table;

use crate::abi::{Errno, UserAddr};
use crate::proc::{ExitStatus, Task};
pub use handler::Handler;
pub use table::{Entry, Level, TABLE};

/// What a handler leaves behind when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A return value, for rax.
    Value(u64),
    /// The handler has set all registers itself.
    RegistersSet,
    /// The process ends.
    Exit(ExitStatus),
}

/// What a handler returns.
pub type SysResult = Result<Outcome, Errno>;

/// The return types that handlers may have.
pub trait IntoSysResult {
    /// As the dispatcher wants it.
    fn into_sys_result(self) -> SysResult;
}

impl IntoSysResult for SysResult {
    fn into_sys_result(self) -> SysResult {
        self
    }
}

impl IntoSysResult for Result<u64, Errno> {
    fn into_sys_result(self) -> SysResult {
        self.map(Outcome::Value)
    }
}

impl IntoSysResult for Result<(), Errno> {
    fn into_sys_result(self) -> SysResult {
        self.map(|()| Outcome::Value(0))
    }
}

impl IntoSysResult for Result<UserAddr, Errno> {
    fn into_sys_result(self) -> SysResult {
        self.map(|addr| Outcome::Value(addr.raw()))
    }
}

impl IntoSysResult for u64 {
    fn into_sys_result(self) -> SysResult {
        Ok(Outcome::Value(self))
    }
}

/// Executes the system call that the task's registers ask for and writes its result to them.
pub fn dispatch(task: &mut Task) -> Option<ExitStatus> {
    let regs = task.vcpu.regs();
    let (nr, args) = (regs.syscall_nr(), regs.syscall_args());
    let entry = table::entry(nr);
    let observer = task.process.observer();
    let result = match (entry, observer) {
        (Some(entry), None) => (entry.call)(task, &args),
        (entry, Some(_)) => observed(task, nr, &args, entry),
        (None, None) => Err(unknown(task, nr)),
    };
    match result {
        Ok(Outcome::Value(value)) => task.vcpu.regs_mut().rax = value,
        Err(errno) => task.vcpu.regs_mut().rax = errno.as_negative(),
        Ok(Outcome::RegistersSet) => {}
        Ok(Outcome::Exit(status)) => return Some(status),
    }
    None
}

/// A number that is in no table.
fn unknown(task: &Task, nr: u64) -> Errno {
    task.missing(format_args!("syscall {nr:#x}"));
    Errno::ENOSYS
}

#[cold]
fn observed(task: &mut Task, nr: u64, args: &[u64; 6], entry: Option<&'static Entry>) -> SysResult {
    let process = task.process.clone();
    let started = std::time::Instant::now();
    if let Some(tracer) = process.observer().and_then(|observer| observer.tracer.as_ref()) {
        tracer.before(task, nr, args, entry);
    }
    let result = match entry {
        Some(entry) => (entry.call)(task, args),
        None => Err(unknown(task, nr)),
    };
    if let Some(observer) = process.observer() {
        if let Some(tracer) = &observer.tracer {
            tracer.after(task, args, entry, &result);
        }
        if let Some(stats) = &observer.stats {
            stats.count_syscall(nr, started.elapsed(), result.is_err());
        }
    }
    result
}
