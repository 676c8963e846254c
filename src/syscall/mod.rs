//! System calls: one table, argument decoding, dispatch, and the handlers, a file an area.

mod aio;
pub mod arg;
mod attr;
mod clone;
mod cpuinfo;
mod descriptor;
mod deterministic;
mod event;
mod exec;
mod exitless;
mod futex;
mod handler;
mod host;
mod ids;
mod instruction;
mod ioctl;
mod iovec;
mod ipc;
mod key;
mod landlock;
mod limits;
pub mod m5ops;
mod memory;
mod mq;
mod msg;
mod namei;
mod namespace;
mod nested;
mod numa;
mod open;
mod pkey;
mod poll;
mod prctl;
mod process;
mod process_vm;
mod procfs;
mod ptrace;
mod random;
mod readdir;
mod rw;
mod sched;
mod show;
mod signal;
mod socket;
mod splice;
mod stat;
pub mod strace;
mod string;
mod sync;
mod system;
pub mod table;
mod time;
mod view;
mod vsyscall;
mod xattr;

use crate::abi::{Errno, UserAddr};
use crate::proc::counting::Begun;
use crate::proc::{End, ExitStatus, Settings, Task};
pub use deterministic::spins;
use exitless::Kind;
pub use handler::Handler;
pub use instruction::{say_refused, tells};
pub use show::signal as signal_name;
use strace::Call;
pub use strace::Tracer;
pub use table::{Entry, Level, TABLE};
pub use vsyscall::{Vsyscall, vsyscall};

/// What a handler leaves behind when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A return value, for rax.
    Value(u64),
    /// The handler has set all registers itself.
    RegistersSet,
    /// The thread or the process ends.
    Exit(End),
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

/// Who watches the guest's system calls. A guest that nobody watches pays one test a call.
#[derive(Debug, Default)]
pub struct Observer {
    /// `--strace`
    pub tracer: Option<Tracer>,
    /// `--deterministic`
    pub is_deterministic: bool,
}

/// Executes the system call that the task's registers ask for and writes its result to them.
pub fn dispatch(task: &mut Task, observer: Option<&Observer>) -> Option<End> {
    let regs = task.vcpu.regs();
    // The kernel looks at the low 32 bits alone.
    let (nr, args) = (regs.syscall_nr() & u64::from(u32::MAX), regs.syscall_args());
    if task.watches_calls {
        task.pass_call(nr);
        if task.stops() {
            return Some(End::Process(ExitStatus::Code(0)));
        }
    }
    let result = match observer {
        None if !task.is_counted() => execute_exit(task, nr, &args),
        _ => execute_watched(task, observer, nr, &args),
    };
    match result {
        Ok(Outcome::Value(value)) => task.vcpu.regs_mut().rax = value,
        // rax is still the number.
        Err(Errno::ERESTARTNOINTR) => {
            if task.watches_calls {
                task.note_restarted_call(nr);
            }
            task.vcpu.regs_mut().step_back_to_syscall();
        }
        Err(errno) => task.vcpu.regs_mut().rax = errno.as_negative(),
        Ok(Outcome::RegistersSet) => {}
        Ok(Outcome::Exit(end)) => return Some(end),
    }
    None
}

/// A call that has left the guest.
fn execute_exit(task: &mut Task, nr: u64, args: &[u64; 6]) -> SysResult {
    match exitless::kind(nr) {
        Kind::Exit => execute(task, nr, args),
        Kind::About(_) => {
            let result = execute(task, nr, args);
            task.note_exit(exitless::answer);
            result
        }
        Kind::SetsApart => {
            if exitless::sets_apart(nr, args) {
                task.end_exitless();
            }
            execute(task, nr, args)
        }
        Kind::CountsTime => {
            if exitless::sets_apart(nr, args) {
                task.end_exitless_of_process();
            }
            execute(task, nr, args)
        }
    }
}

fn execute(task: &mut Task, nr: u64, args: &[u64; 6]) -> SysResult {
    match table::entry(nr) {
        Some(entry) => (entry.call)(task, args),
        None => {
            task.missing(format_args!("syscall {nr:#x}"));
            Err(Errno::ENOSYS)
        }
    }
}

impl Observer {
    /// The one that the settings ask for, if they do.
    pub fn of(settings: &Settings) -> Option<Self> {
        let tracer = settings.trace.clone().map(|to| Tracer::new(to, settings.first));
        let is_deterministic = settings.determinism.is_some();
        (tracer.is_some() || is_deterministic).then_some(Self { tracer, is_deterministic })
    }
}

/// A call that somebody watches.
#[cold]
fn execute_watched(task: &mut Task, observer: Option<&Observer>, nr: u64, args: &[u64; 6]) -> SysResult {
    let tracer = observer.and_then(|observer| observer.tracer.as_ref()).filter(|_| task.is_inside_region());
    let traced = tracer.map(|tracer| (tracer, Call::new(task, nr, args)));
    let counting = Counting::begin(task, nr, args);
    let result = match observer {
        None => execute_exit(task, nr, args),
        Some(observer) if observer.is_deterministic => deterministic::execute(task, nr, args),
        Some(_) => execute(task, nr, args),
    };
    if let Some(counting) = counting {
        counting.end(task, &result);
    }
    if let Some((tracer, call)) = traced {
        tracer.after(task, call, &result);
    }
    result
}

/// A call that is counted, and shown on a timeline if there is one.
#[derive(Debug)]
struct Counting {
    begun: Begun,
    call: Option<Call>,
}

impl Counting {
    /// Before the call is made. `None` if nobody counts.
    #[inline]
    fn begin(task: &Task, nr: u64, args: &[u64; 6]) -> Option<Self> {
        let begun = task.begin_call(nr)?;
        Some(Self { begun, call: task.has_timeline().then(|| Call::new(task, nr, args)) })
    }

    /// When it has been made.
    fn end(self, task: &mut Task, result: &SysResult) {
        let is_error = result.is_err_and(|errno| errno != Errno::ERESTARTNOINTR);
        if let Some(made) = task.end_call(self.begun, is_error)
            && let Some(call) = self.call
        {
            let (arguments, returned) = call.texts(task, result);
            task.show_call(made, &format!("{arguments}\n{returned}"));
        }
    }
}
