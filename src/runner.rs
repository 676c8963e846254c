//! The run loop: trap, answer, resume.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::sync::Arc;

use crate::Error;
use crate::abi::{TASK_SIZE, UserAddr};
use crate::loader::exec::{self, Program};
use crate::mm::{self, Access, AddressSpace, Arena, FaultError};
use crate::proc::{ExitStatus, Inherited, Process, Task};
use crate::signal::exception::{self, Fault};
use crate::signal::extended;
use crate::sys::capture;
use crate::syscall::{self, Observer};
use crate::vm::{Machine, Trap, kick};
use crate::x86::{PageFaultCode, UserRegs, Vector};

/// What to run and how.
#[derive(Debug)]
pub struct Config {
    /// The program as the user named it, for messages.
    pub name: OsString,
    /// The open program file.
    pub file: File,
    /// What it is started with.
    pub program: Program,
    /// Who watches.
    pub observer: Option<Observer>,
}

/// A guest that can be run to its end.
#[derive(Debug)]
pub struct Runner {
    task: Task,
    observer: Option<Observer>,
}

impl Runner {
    /// Makes the virtual machine and loads the program.
    pub fn new(config: Config) -> Result<Self, Error> {
        let inherited = Inherited::take();
        crate::sys::copy::install_recovery().map_err(Error::Setup)?;
        kick::install().map_err(Error::Setup)?;
        let limits = mm::inherited_limits();
        mm::lift_host_limits();
        let arena = Arena::new()?;
        let (machine, mut vcpu) = Machine::new(arena.span())?;
        let mm = Arc::new(AddressSpace::new(arena, Arc::new(machine), limits));
        let entry = exec::load(&mm, &config.file, &config.program)
            .map_err(|source| Error::NotExecutable { program: config.name, source })?;
        name_process(&config.program.execfn);
        *vcpu.regs_mut() = UserRegs::at_start(entry.rip.raw(), entry.rsp.raw());
        let process = Arc::new(Process::new(mm, inherited.actions, inherited.limits));
        Ok(Self { task: Task::new(vcpu, process, inherited.mask), observer: config.observer })
    }

    /// The process, for the reports at the end.
    pub fn process(&self) -> &Process {
        &self.task.process
    }

    /// The counters, if they were asked for.
    pub fn stats(&self) -> Option<&syscall::Stats> {
        self.observer.as_ref()?.stats.as_ref()
    }

    /// Number of exits so far.
    pub fn nr_exits(&self) -> u64 {
        self.task.vcpu.nr_exits()
    }

    /// Runs the guest to its end.
    pub fn run(&mut self) -> Result<ExitStatus, Error> {
        let status = loop {
            if let Some(status) = self.step()? {
                break status;
            }
        };
        if let Some(tracer) = tracer(self.observer.as_ref()) {
            tracer.ended(status);
        }
        Ok(status)
    }

    /// Delivers what is pending, runs user code once and answers its trap.
    fn step(&mut self) -> Result<Option<ExitStatus>, Error> {
        while let Some(info) = self.task.next_signal() {
            if let Some(tracer) = tracer(self.observer.as_ref()) {
                tracer.signal(&info);
            }
            if let Some(status) = self.task.deliver(info)? {
                return Ok(Some(status));
            }
        }
        let trap = self.task.run()?;
        if let Some(stats) = self.observer.as_ref().and_then(|observer| observer.stats.as_ref()) {
            stats.count_trap(&trap);
        }
        answer(&mut self.task, trap, self.observer.as_ref())
    }
}

fn tracer(observer: Option<&Observer>) -> Option<&syscall::Tracer> {
    observer?.tracer.as_ref()
}

/// Does what a trap asks for; returns how the process ends, if it does.
fn answer(task: &mut Task, trap: Trap, observer: Option<&Observer>) -> Result<Option<ExitStatus>, Error> {
    match trap {
        Trap::Syscall => Ok(syscall::dispatch(task, observer)),
        Trap::PageFault { addr, code } => match page_fault(task, addr, code)? {
            Some(fault) => deliver(task, &fault, observer),
            None => Ok(None),
        },
        Trap::BusError => {
            task.process.mm.bus_error();
            Ok(None)
        }
        Trap::Exception { vector, code } => {
            let fault = exception_fault(task, vector, code)?;
            deliver(task, &fault, observer)
        }
        Trap::Kicked => Ok(None),
        Trap::Bad(exit) => Err(Error::BadExit(exit)),
    }
}

/// The signal of a fault. Another one that was caught before goes first, as if it had come before the instruction; this
/// one comes again when that is executed again.
fn deliver(task: &mut Task, fault: &Fault, observer: Option<&Observer>) -> Result<Option<ExitStatus>, Error> {
    if capture::needs_attention() && !fault.is_trap() {
        return Ok(None);
    }
    if let Some(tracer) = tracer(observer) {
        tracer.fault(fault);
    }
    Ok(task.deliver_fault(fault)?)
}

/// Resolves a page fault, or says what it is.
fn page_fault(task: &Task, addr: u64, code: PageFaultCode) -> Result<Option<Fault>, Error> {
    if addr >= TASK_SIZE {
        // Which addresses of the kernel exist is nobody's business (`set_signal_archinfo`).
        return Ok(Some(Fault::maperr(addr, code | PageFaultCode::PRESENT)));
    }
    unresolved(task.process.mm.fault(addr, Access::from(code)), addr, code)
}

/// The fault that the access at `addr` is, unless it was resolved.
fn unresolved(result: Result<(), FaultError>, addr: u64, code: PageFaultCode) -> Result<Option<Fault>, Error> {
    match result {
        Ok(()) => Ok(None),
        Err(FaultError::Maperr) => Ok(Some(Fault::maperr(addr, code))),
        Err(FaultError::Accerr) => Ok(Some(Fault::accerr(addr, code))),
        Err(FaultError::Bus) => Ok(Some(Fault::bus(addr, code))),
        Err(FaultError::Vm(error)) => Err(error.into()),
    }
}

/// The signal of an exception, with the code that its kind has.
fn exception_fault(task: &mut Task, vector: Vector, error: u64) -> Result<Fault, Error> {
    /// The error code names an entry of the IDT.
    const IN_IDT: u64 = 2;
    let rip = task.vcpu.regs().rip;
    let (vector, error) = match int_number(task, rip) {
        // `int n` without a gate: a KVM that emulates it takes it for an invalid opcode.
        Some(number) if vector == Vector::UD => (Vector::GP, u64::from(number) * 8 + IN_IDT),
        _ => (vector, error),
    };
    let mut fault = Fault::of_exception(vector, error, rip);
    match vector {
        Vector::DB if task.vcpu.take_single_step() => fault.code = exception::code::TRAP_TRACE,
        Vector::MF => {
            let happened = extended::x87_exceptions(&task.vcpu.extended_state()?);
            fault.code = exception::floating_point_code(happened).unwrap_or(fault.code);
        }
        Vector::XM => {
            let happened = extended::sse_exceptions(&task.vcpu.extended_state()?);
            fault.code = exception::floating_point_code(happened).unwrap_or(fault.code);
        }
        _ => {}
    }
    Ok(fault)
}

/// The number in the `int n` at `rip`, if that is one.
fn int_number(task: &Task, rip: u64) -> Option<u8> {
    const INT: u8 = 0xcd;
    let mut code = [0; 2];
    task.process.mm.copy_in(UserAddr::new(rip), &mut code).ok()?;
    (code[0] == INT).then_some(code[1])
}

/// The process is called as its program's file, cut to what the kernel keeps (`begin_new_exec`).
fn name_process(execfn: &CStr) {
    let start = execfn.to_bytes().iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    // Fails for memory that cannot be read alone.
    let _ = nix::sys::prctl::set_name(&execfn[start..]);
}

/// Strings of the command line as the guest gets them.
pub fn c_strings<'a>(strings: impl IntoIterator<Item = &'a OsString>) -> Vec<CString> {
    use std::os::unix::ffi::OsStrExt;
    strings.into_iter().map(|string| exec::c_string(string.as_bytes())).collect()
}
