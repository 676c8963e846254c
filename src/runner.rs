//! The run loop: trap, answer, resume.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::Error;
use crate::abi::{TASK_SIZE, UserAddr};
use crate::loader::exec::{self, Program};
use crate::loader::stack::StackImage;
use crate::loader::{eh_frame, script};
use crate::mm::{Access, AddressSpace, Arena, FaultError, LookedFor};
use crate::proc::debugger::Event;
use crate::proc::exit::finish;
use crate::proc::handover::Kept;
use crate::proc::region::Ends;
use crate::proc::step::Step;
use crate::proc::view::Views;
use crate::proc::{
    Answerers, Debugger, Determinism, End, ExitStatus, Inherited, Process, RunLoop, Sampling, Settings, Task, Threads,
};
use crate::reference::gdb;
use crate::reference::state::StateDump;
use crate::signal::exception::{self, Fault};
use crate::signal::extended;
use crate::sys::capture;
use crate::sys::exec::Strings;
use crate::syscall::{self, Observer, Vsyscall, m5ops, signal_name};
use crate::vm::{Machine, Trap};
use crate::x86::{PageFaultCode, RFlags, UserRegs, Vector, operand};

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
    /// What the user asked for.
    pub settings: Settings,
    /// What the program before this one left in the same process.
    pub kept: Option<Kept>,
    /// The debugger.
    pub gdb: Option<gdb::Connection>,
}

/// A function that gets the process and the result.
pub type Report = fn(&Process, &Result<ExitStatus, Error>);

/// A guest that can be run to its end.
#[derive(Debug)]
pub struct Runner {
    task: Task,
}

impl Runner {
    /// Makes the virtual machine and loads the program.
    /// `report` tells the user how it ended.
    pub fn new(config: Config, report: Report) -> Result<Self, Error> {
        let is_first = config.kept.is_none();
        let inherited = Inherited::take(config.kept);
        crate::sys::copy::install_recovery().map_err(Error::Setup)?;
        let arena = Arena::new()?;
        let (machine, mut vcpu) = Machine::new(arena.span(), inherited.kvm, inherited.platform, config.settings.cpu)?;
        let region = config.settings.region.clone();
        let is_linux = !config.settings.layout.is_gem5();
        let is_watched = config.settings.tracing.is_some() || config.gdb.is_some();
        let watches_calls = region.as_ref().is_some_and(|region| region.watches_calls());
        if is_linux && config.observer.is_none() && !is_watched && !watches_calls {
            machine.answer_calls(&mut vcpu)?;
        }
        if config.settings.determinism.is_some() {
            machine.trap_telling(&mut vcpu)?;
        }
        let mm = Arc::new(AddressSpace::new(arena, Arc::new(machine), inherited.memory_limits));
        let looked_for = LookedFor {
            cpu: config.settings.cpu,
            is_deterministic: config.settings.determinism.is_some(),
            functions: eh_frame::functions_in,
        };
        if looked_for.is_any() {
            mm.scan_text(looked_for);
        }
        if let Some(board) = &config.settings.board {
            board.prepare(&mm);
        }
        let views = Arc::new(Views::new());
        let not_executable = |source| Error::NotExecutable { program: config.name.clone(), source };
        let mut program = config.program;
        let file = script::follow(config.file, &mut program, exec::open_interp).map_err(not_executable)?;
        let entry = exec::load(&mm, &file, &program).map_err(not_executable)?;
        name_process(&program.execfn);
        show_strings(&mm, &entry.stack);
        *vcpu.regs_mut() = UserRegs::at_start(entry.rip.raw(), entry.stack.sp.raw());
        let observer = config.observer.map(Arc::new);
        begin_counting(&config.settings, is_first);
        let board = config.settings.board.clone();
        let sampling =
            board.map(|board| Sampling::start(board, config.settings.region.clone(), program.execfn.to_bytes(), &mm));
        let seat =
            config.settings.determinism.as_ref().map(|board| inherited.seat.unwrap_or_else(|| board.seat_first()));
        let determinism = config.settings.determinism.clone().zip(seat);
        let determinism = determinism.map(|(board, seat)| Determinism::new(board, seat, inherited.timers));
        let ends = region.as_deref().and_then(Ends::of).map(Arc::new);
        let process = Process {
            mm,
            missing: Arc::default(),
            actions: Arc::new(inherited.actions),
            limits: inherited.limits,
            executable: Arc::new(raised(file)?),
            views,
            async_io: Arc::default(),
            settings: Arc::new(config.settings),
            run_loop: run_loop(observer, report),
            threads: Threads::default(),
            answerers: Answerers::default(),
            ends,
            debugger: config
                .gdb
                .as_ref()
                .map(|_| Debugger::new(determinism.is_some()).map(Arc::new))
                .transpose()
                .map_err(Error::Setup)?,
            sampling,
            determinism,
            has_refused: AtomicBool::new(false),
        };
        process.stop_in_program();
        process.begin_trace(program.execfn.to_bytes());
        if let Some(soft) = inherited.soft_descriptors {
            crate::sys::descriptor::set_soft_limit(soft).map_err(Error::Setup)?;
        }
        let mut task = Task::new(vcpu, Arc::new(process), inherited.mask);
        task.set_seat(seat);
        if let (Some(connection), Some(debugger)) = (config.gdb, task.process.debugger.clone()) {
            gdb::serve(&task, debugger, connection).map_err(Error::Setup)?;
        }
        Ok(Self { task })
    }

    /// Runs the guest to its end, and ends with it.
    pub fn run(self) -> ! {
        let mut task = self.task;
        let run_loop = task.process.run_loop.clone();
        let result = run_loop.run(&mut task);
        finish(task, result);
        crate::sys::thread::exit_first(0)
    }
}

/// A program begins: what the one before it counted is closed, and outside a region of interest nothing is counted.
fn begin_counting(settings: &Settings, is_first: bool) {
    let Some(counters) = settings.counters_of_process() else { return };
    counters.begin_program();
    if is_first && settings.region.as_ref().is_some_and(|region| !region.is_inside()) {
        counters.pause();
        counters.reset();
    }
}

fn run_loop(observer: Option<Arc<Observer>>, report: Report) -> RunLoop {
    let watching = observer.clone();
    RunLoop::new(
        move |task| run(task, observer.as_deref()),
        move |process, result| {
            let observer = watching.as_deref();
            if let (Some(tracer), Ok(status)) = (tracer(observer), result) {
                tracer.ended(*status);
            }
            report(process, result);
        },
    )
}

fn run(task: &mut Task, observer: Option<&Observer>) -> Result<End, Error> {
    let end = loop {
        if let Some(end) = step(task, observer)? {
            break end;
        }
    };
    task.end_debugged();
    if task.has_stopped {
        write_state(task)?;
    }
    if let (End::Thread(code), Some(tracer)) = (end, tracer(observer))
        && !task.process.threads.is_single()
    {
        tracer.thread_ended(code);
    }
    Ok(end)
}

/// Where the run stops, its state goes where the user wants it.
fn write_state(task: &mut Task) -> Result<(), Error> {
    let Some(stop) = task.process.settings.stop.clone() else { return Ok(()) };
    let Some(mut file) = stop.state.as_ref() else { return Ok(()) };
    let state = StateDump::of(task)?;
    let mut bytes = Vec::new();
    let made = if stop.is_json { state.write_json(&mut bytes) } else { state.write_text(&mut bytes) };
    made.and_then(|()| file.write_all(&bytes)).map_err(|error| Error::Option {
        what: "cannot write",
        path: "the state".into(),
        source: nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)),
    })
}

/// Delivers what is pending, runs user code once and answers its trap.
fn step(task: &mut Task, observer: Option<&Observer>) -> Result<Option<End>, Error> {
    task.retire();
    if task.on_board().is_some_and(|(board, _)| board.has_ended()) {
        return Err(Error::Ended);
    }
    while let Some(info) = task.next_signal() {
        let Some(info) = task.show_signal(info)? else { continue };
        task.trace_signal(&info);
        if let Some(tracer) = tracer(observer).filter(|_| task.is_inside_region()) {
            tracer.signal(&info);
        }
        if task.has_timeline() {
            task.note_signal(&signal_name(info.signal));
        }
        if let Some(status) = task.deliver(info)? {
            return Ok(Some(End::Process(status)));
        }
    }
    let trap = task.run()?;
    answer(task, trap, observer)
}

fn tracer(observer: Option<&Observer>) -> Option<&syscall::Tracer> {
    observer?.tracer.as_ref()
}

/// The same file with a descriptor that the guest does not see.
fn raised(file: File) -> Result<File, Error> {
    let fd = crate::sys::duplicate_above_guest(file.as_raw_fd()).map_err(Error::Setup)?;
    Ok(fd.into())
}

/// Does what a trap asks for; returns how the process ends, if it does.
fn answer(task: &mut Task, trap: Trap, observer: Option<&Observer>) -> Result<Option<End>, Error> {
    match trap {
        Trap::Syscall => {
            task.bus_errors = 0;
            let nr = task.vcpu.regs().syscall_nr();
            task.stop_at_call(Event::Call, nr)?;
            let end = syscall::dispatch(task, observer);
            if end.is_none() {
                task.stop_at_call(Event::Returned, nr)?;
            }
            Ok(end)
        }
        Trap::PageFault { addr, code } if task.writes_own_text(addr, code) => match task.step_over_own_text()? {
            Step::Done => Ok(None),
            Step::Trap(Trap::PageFault { addr, code }) => on_page_fault(task, addr, code, observer),
            Step::Trap(trap) => answer(task, trap, observer),
        },
        Trap::PageFault { addr, code } => on_page_fault(task, addr, code, observer),
        Trap::BusError => match on_bus_error(task) {
            Some(fault) => deliver(task, &fault, observer),
            None => Ok(None),
        },
        Trap::Exception { vector, .. } if syscall::tells(task, vector) => own_step(task, observer),
        Trap::Exception { vector, code } => {
            if vector == Vector::UD
                && let Some(end) = m5ops::at_instruction(task)
            {
                return Ok(end);
            }
            if vector == Vector::UD {
                syscall::say_refused(task);
            }
            let fault = exception_fault(task, vector, code)?;
            deliver(task, &fault, observer)
        }
        Trap::Kicked => on_kick(task),
        Trap::Bad(exit) => Err(Error::BadExit(exit)),
    }
}

/// An instruction was executed here: where the program set TF, the trap behind it is missing.
fn own_step(task: &mut Task, observer: Option<&Observer>) -> Result<Option<End>, Error> {
    let regs = task.vcpu.regs();
    if regs.rflags & RFlags::TF.bits() == 0 {
        return Ok(None);
    }
    let fault = Fault { code: exception::code::TRAP_TRACE, ..Fault::of_exception(Vector::DB, 0, regs.rip) };
    deliver(task, &fault, observer)
}

/// A guest that another thread wanted to leave guest mode.
fn on_kick(task: &mut Task) -> Result<Option<End>, Error> {
    task.pass_code();
    if task.stops() {
        return Ok(Some(End::Process(ExitStatus::Code(0))));
    }
    syscall::spins(task)?;
    Ok(None)
}

/// The access comes again, as a page fault with an address; if that never settles it, the guest cannot go on.
fn on_bus_error(task: &mut Task) -> Option<Fault> {
    const MOST_IN_A_ROW: u32 = 1000;
    task.bus_errors += 1;
    if task.bus_errors > MOST_IN_A_ROW {
        return Some(Fault::bus(0, PageFaultCode::USER));
    }
    task.revocations_seen = task.process.mm.bus_error(task.revocations_seen);
    None
}

/// The signal of a fault. Another one that was caught before goes first, as if it had come before the instruction; this
/// one comes again when that is executed again.
fn deliver(task: &mut Task, fault: &Fault, observer: Option<&Observer>) -> Result<Option<End>, Error> {
    if capture::needs_attention() && !fault.is_trap() {
        return Ok(None);
    }
    if let Some(tracer) = tracer(observer).filter(|_| task.is_inside_region()) {
        tracer.fault(fault);
    }
    if !task.show_fault(fault)? {
        return Ok(None);
    }
    task.trace_fault(fault);
    if task.has_timeline() {
        task.note_signal(&signal_name(fault.signal));
    }
    Ok(task.deliver_fault(fault)?.map(End::Process))
}

fn on_page_fault(
    task: &mut Task,
    addr: u64,
    code: PageFaultCode,
    observer: Option<&Observer>,
) -> Result<Option<End>, Error> {
    match page_fault(task, addr, code)? {
        Some(fault) => match m5ops::at_load(task, addr) {
            Some(end) => Ok(end),
            None => deliver(task, &fault, observer),
        },
        None => Ok(None),
    }
}

/// Resolves a page fault, or says what it is.
fn page_fault(task: &mut Task, addr: u64, code: PageFaultCode) -> Result<Option<Fault>, Error> {
    if addr >= TASK_SIZE {
        return Ok(kernel_fault(task, addr, code));
    }
    unresolved(task.process.mm.fault(addr, Access::from(code)), addr, code)
}

/// The fault that an access to the kernel's addresses is, unless it is a call into the legacy page.
fn kernel_fault(task: &mut Task, addr: u64, code: PageFaultCode) -> Option<Fault> {
    // Which addresses of the kernel exist is nobody's business (`set_signal_archinfo`).
    let fault = |addr| Fault::maperr(addr, code | PageFaultCode::PRESENT);
    match syscall::vsyscall(task, addr, code) {
        Vsyscall::Returned => None,
        Vsyscall::None => Some(fault(addr)),
        Vsyscall::BadAddress(pointer) => Some(fault(pointer)),
        Vsyscall::Refused => Some(Fault { code: exception::code::SI_KERNEL, ..fault(0) }),
    }
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
    let (vector, error) = match (vector, int_number(task, rip)) {
        // `int n` without a gate: a KVM that emulates it takes it for an invalid opcode.
        (Vector::UD, Some(number)) => (Vector::GP, u64::from(number) * 8 + IN_IDT),
        // It does the same with what its emulator does not know.
        (Vector::UD, None) => (operand_fault(task).unwrap_or(vector), error),
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

/// The exception that the memory operand of the instruction makes, if it does.
fn operand_fault(task: &mut Task) -> Option<Vector> {
    let regs = *task.vcpu.regs();
    let mut code = [0; operand::MAX_LEN];
    let len = task.process.mm.copy_in_partly(UserAddr::new(regs.rip), &mut code);
    operand::fault(&code[..len], &regs, task.segment_bases().ok()?)
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

/// What others see of the process are the guest's arguments and environment.
fn show_strings(mm: &AddressSpace, stack: &StackImage) {
    let range = |start: UserAddr, end: UserAddr| mm.hva(start.raw())..mm.hva(end.raw());
    let top = stack.env_end;
    if mm.arena().is_contiguous(stack.auxv_start.raw(), top.raw() - stack.auxv_start.raw()) {
        crate::sys::exec::show_strings(&Strings {
            args: range(stack.arg_start, stack.arg_end),
            env: range(stack.env_start, top),
            auxv: range(stack.auxv_start, stack.auxv_start.wrapping_add(stack.auxv_len)),
        });
    }
}

/// Strings of the command line as the guest gets them.
pub fn c_strings<'a>(strings: impl IntoIterator<Item = &'a OsString>) -> Vec<CString> {
    use std::os::unix::ffi::OsStrExt;
    strings.into_iter().map(|string| exec::c_string(string.as_bytes())).collect()
}
