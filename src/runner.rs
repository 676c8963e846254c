//! The run loop: trap, answer, resume.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::sync::Arc;

use crate::Error;
use crate::abi::{TASK_SIZE, UserAddr};
use crate::loader::exec::{self, Program};
use crate::mm::{self, Access, AddressSpace, Arena, FaultError};
use crate::proc::{ExitStatus, Inherited, Process, Task};
use crate::signal::exception::Fault;
use crate::syscall::{self, Observer};
use crate::vm::{Machine, Trap, kick};
use crate::x86::{UserRegs, Vector};

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
        loop {
            let trap = self.task.run()?;
            if let Some(stats) = self.observer.as_ref().and_then(|observer| observer.stats.as_ref()) {
                stats.count_trap(&trap);
            }
            if let Some(status) = answer(&mut self.task, trap, self.observer.as_ref())? {
                if let Some(tracer) = self.observer.as_ref().and_then(|observer| observer.tracer.as_ref()) {
                    tracer.ended(status);
                }
                return Ok(status);
            }
        }
    }
}

/// Does what a trap asks for; returns how the process ends, if it does.
fn answer(task: &mut Task, trap: Trap, observer: Option<&Observer>) -> Result<Option<ExitStatus>, Error> {
    match trap {
        Trap::Syscall => {
            task.bus_errors = 0;
            Ok(syscall::dispatch(task, observer))
        }
        Trap::PageFault { addr, code } => {
            if addr >= TASK_SIZE {
                return Ok(Some(die_of(Fault::maperr(addr), observer)));
            }
            let fault = unresolved(task.process.mm.fault(addr, Access::from(code)), addr)?;
            Ok(fault.map(|fault| die_of(fault, observer)))
        }
        Trap::BusError => Ok(on_bus_error(task).map(|fault| die_of(fault, observer))),
        Trap::Exception { vector, .. } => Ok(Some(die_of(exception_fault(task, vector), observer))),
        Trap::Kicked => Ok(None),
        Trap::Bad(exit) => Err(Error::BadExit(exit)),
    }
}

/// The access comes again, as a page fault with an address; if that never settles it, the guest cannot go on.
fn on_bus_error(task: &mut Task) -> Option<Fault> {
    const MOST_IN_A_ROW: u32 = 1000;
    task.bus_errors += 1;
    if task.bus_errors > MOST_IN_A_ROW {
        return Some(Fault::bus(0));
    }
    task.process.mm.bus_error();
    None
}

/// Nothing handles or blocks a fault, so it is the end, whatever its signal's disposition.
fn die_of(fault: Fault, observer: Option<&Observer>) -> ExitStatus {
    if let Some(tracer) = observer.and_then(|observer| observer.tracer.as_ref()) {
        tracer.fault(&fault);
    }
    ExitStatus::Signal(fault.signal)
}

/// The fault that the access at `addr` is, unless it was resolved.
fn unresolved(result: Result<(), FaultError>, addr: u64) -> Result<Option<Fault>, Error> {
    match result {
        Ok(()) => Ok(None),
        Err(FaultError::Maperr) => Ok(Some(Fault::maperr(addr))),
        Err(FaultError::Accerr) => Ok(Some(Fault::accerr(addr))),
        Err(FaultError::Bus) => Ok(Some(Fault::bus(addr))),
        Err(FaultError::Vm(error)) => Err(error.into()),
    }
}

/// `int n` without a gate is a protection fault on hardware and an invalid opcode on a KVM that emulates it.
fn exception_fault(task: &Task, vector: Vector) -> Fault {
    const INT: u8 = 0xcd;
    let mut opcode = [0];
    let rip = task.vcpu.regs().rip;
    let is_int =
        vector == Vector::UD && task.process.mm.copy_in(UserAddr::new(rip), &mut opcode).is_ok() && opcode[0] == INT;
    Fault::of_exception(if is_int { Vector::GP } else { vector }, rip)
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
