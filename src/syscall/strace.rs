//! `--strace`: system calls, fatal signals and the end, as strace(1) shows them.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use nix::unistd::Pid;

use super::show::{self, Shown};
use super::{Outcome, SysResult, table};
use crate::abi::UserAddr;
use crate::proc::{End, ExitStatus, Task};
use crate::signal::exception::{Fault, code};
use crate::signal::held::SigInfo;

/// Writes one line a call.
#[derive(Debug)]
pub struct Tracer {
    to: Arc<File>,
    /// The thread whose lines bear no id.
    first: Pid,
}

/// A call that is being made.
#[derive(Debug)]
pub(super) struct Call {
    name: String,
    arguments: Vec<Shown>,
}

impl Call {
    /// Notes a call and what its arguments are before it can change them.
    pub(super) fn new(task: &Task, nr: u64, raw: &[u64; 6]) -> Self {
        let (name, kinds) = match table::entry(nr) {
            Some(entry) => (entry.name.to_owned(), entry.args),
            None => (format!("syscall_{nr:#x}"), [super::arg::ArgKind::Hex; 6].as_slice()),
        };
        Self { name, arguments: show::arguments(kinds, raw, &|from, to| read(task, from, to)) }
    }

    /// Its arguments and what it returned.
    pub(super) fn texts(self, task: &Task, result: &SysResult) -> (String, String) {
        let value = match result {
            Ok(Outcome::Value(value)) => *value,
            _ => 0,
        };
        let arguments = self.arguments.into_iter().map(|argument| match (argument, result) {
            (Shown::Text(text), _) => text,
            (Shown::Output(addr), Err(_)) => show::address(addr),
            (Shown::Output(addr), Ok(_)) => show::bytes(addr, value, &|from, to| read(task, from, to)),
        });
        (arguments.collect::<Vec<_>>().join(", "), returned(&self.name, result))
    }
}

impl Tracer {
    /// Writes to `to`, which is above the guest's descriptors. Lines of other threads than `first` begin with their
    /// ids.
    pub fn new(to: Arc<File>, first: Pid) -> Self {
        Self { to, first }
    }

    /// Writes the line of a call that is done.
    pub(super) fn after(&self, task: &Task, call: Call, result: &SysResult) {
        let name = call.name.clone();
        let (arguments, returned) = call.texts(task, result);
        self.write(&show::line(&format!("{name}({arguments})"), &returned));
        if let Ok(Outcome::Exit(End::Process(ExitStatus::Signal(signal)))) = *result
            && signal != libc::SIGKILL
        {
            self.write(&sent(task, &name, signal));
        }
    }

    /// Writes the signal that a fault of user code makes.
    pub fn fault(&self, fault: &Fault) {
        let signal = show::signal(fault.signal);
        let (code, addr) = (code_name(fault), show::address(fault.addr));
        self.write(&format!("--- {signal} {{si_signo={signal}, si_code={code}, si_addr={addr}}} ---\n"));
    }

    /// Writes a signal that is delivered and that a process, a timer or the kernel sent.
    pub fn signal(&self, info: &SigInfo) {
        let signal = show::signal(info.signal);
        let code = match info.code {
            libc::SI_USER => "SI_USER".to_owned(),
            libc::SI_QUEUE => "SI_QUEUE".to_owned(),
            libc::SI_TIMER => "SI_TIMER".to_owned(),
            libc::SI_TKILL => "SI_TKILL".to_owned(),
            code::SI_KERNEL => "SI_KERNEL".to_owned(),
            other => other.to_string(),
        };
        let sender = match info.code {
            libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL => {
                format!(", si_pid={}, si_uid={}", info.rest[0], info.rest[1])
            }
            _ => String::new(),
        };
        self.write(&format!("--- {signal} {{si_signo={signal}, si_code={code}{sender}}} ---\n"));
    }

    /// Writes that the calling thread ended, and its process did not.
    pub fn thread_ended(&self, code: u8) {
        self.write(&format!("+++ exited with {code} +++\n"));
    }

    /// Writes how the process ended.
    pub fn ended(&self, status: ExitStatus) {
        self.write(&match status {
            ExitStatus::Code(code) => format!("+++ exited with {code} +++\n"),
            ExitStatus::Signal(signal) => format!("+++ killed by {} +++\n", show::signal(signal)),
        });
    }

    fn write(&self, line: &str) {
        let tid = nix::unistd::gettid();
        let line = if tid == self.first { line.to_owned() } else { format!("[pid {tid}] {line}") };
        // A trace that cannot be written is no reason to stop the guest. One call, for other processes write as well.
        let _ = (&*self.to).write_all(line.as_bytes());
    }
}

fn read(task: &Task, from: u64, to: &mut [u8]) -> usize {
    task.process.mm.copy_in_partly(UserAddr::new(from), to)
}

fn returned(name: &str, result: &SysResult) -> String {
    /// Calls that return an address.
    const ADDRESS: [&str; 4] = ["mmap", "mremap", "brk", "shmat"];
    match result {
        Ok(Outcome::Value(value)) if ADDRESS.contains(&name) => format!("{value:#x}"),
        Ok(Outcome::Value(value)) => value.cast_signed().to_string(),
        Ok(Outcome::Exit(End::Process(ExitStatus::Signal(signal)))) if *signal != libc::SIGKILL => "0".to_owned(),
        Ok(Outcome::RegistersSet | Outcome::Exit(_)) => "?".to_owned(),
        Err(errno) => show::failure(*errno),
    }
}

/// A fatal signal that the guest sent to itself by the call `name`.
fn sent(task: &Task, name: &str, signal: i32) -> String {
    let code = match name {
        "kill" => "SI_USER",
        "tkill" | "tgkill" => "SI_TKILL",
        "rt_sigqueueinfo" | "rt_tgsigqueueinfo" => "SI_QUEUE",
        // A frame that rt_sigreturn(2) cannot use.
        _ => "SI_KERNEL",
    };
    let signal = show::signal(signal);
    let (pid, uid) = (task.tid(), nix::unistd::getuid());
    format!("--- {signal} {{si_signo={signal}, si_code={code}, si_pid={pid}, si_uid={uid}}} ---\n")
}

fn code_name(fault: &Fault) -> String {
    let name = match (fault.signal, fault.code) {
        (_, code::SI_KERNEL) => "SI_KERNEL",
        (libc::SIGSEGV, code::SEGV_MAPERR) => "SEGV_MAPERR",
        (libc::SIGSEGV, code::SEGV_ACCERR) => "SEGV_ACCERR",
        (libc::SIGBUS, code::BUS_ADRALN) => "BUS_ADRALN",
        (libc::SIGBUS, code::BUS_ADRERR) => "BUS_ADRERR",
        (libc::SIGFPE, code::FPE_INTDIV) => "FPE_INTDIV",
        (libc::SIGFPE, code::FPE_FLTDIV) => "FPE_FLTDIV",
        (libc::SIGFPE, code::FPE_FLTOVF) => "FPE_FLTOVF",
        (libc::SIGFPE, code::FPE_FLTUND) => "FPE_FLTUND",
        (libc::SIGFPE, code::FPE_FLTRES) => "FPE_FLTRES",
        (libc::SIGFPE, code::FPE_FLTINV) => "FPE_FLTINV",
        (libc::SIGILL, code::ILL_ILLOPN) => "ILL_ILLOPN",
        (libc::SIGTRAP, code::TRAP_BRKPT) => "TRAP_BRKPT",
        (libc::SIGTRAP, code::TRAP_TRACE) => "TRAP_TRACE",
        (_, other) => return other.to_string(),
    };
    name.to_owned()
}
