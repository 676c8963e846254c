//! Instruction traces: every instruction of the first process, by stepping, as records that go to the command which started
//! it.
//!
//! The threads of the process step one at a time ([`Turns`]). What an instruction does is found by comparing the thread's
//! registers before and after it, and by reading the memory that its operands name. What the runner does for the thread, as
//! system calls and signals, has records of its own.

mod counted;
mod instruction;
pub mod record;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use instruction::Open;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use record::{Called, Memory, Record, Set, set};

use super::region::Ends;
use super::step::{Step, Turns, is_behind};
use super::{Process, Task};
use crate::abi::{TASK_SIZE, UserAddr};
use crate::signal::exception::Fault;
use crate::signal::held::SigInfo;
use crate::sys::capture;
use crate::sys::descriptor::{duplicate_above_guest, duplicate_for_exec};
use crate::sys::perf::OverflowCounter;
use crate::vm::retired::ExactCounter;
use crate::vm::{Trap, VmError};
use crate::x86::RFlags;
use crate::x86::effects::Effects;
use crate::x86::state::{Reg, State};

/// Records are sent when there are so many bytes of them.
const ENOUGH: usize = 16 << 10;
/// Most bytes of a program's initial stack.
const STACK_LEN: usize = 8 << 20;

/// Where the records of a run go.
#[derive(Debug)]
pub struct Tracing {
    /// None where instructions are counted alone, up to the one at which the run stops.
    socket: Option<OwnedFd>,
    folds_repeats: bool,
    /// Instructions that are yet to be executed before the trace begins.
    to_skip: AtomicU64,
    /// What counts them, where they need not be stepped.
    counter: Option<ExactCounter>,
    turns: Turns,
    outgoing: Mutex<Outgoing>,
    /// Does nobody read them any more?
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Outgoing {
    bytes: Vec<u8>,
    /// Where the last instruction ended.
    last: u64,
}

impl Tracing {
    /// By the stream socket `socket`. With `folds_repeats`, a repeated instruction is one, whatever its count; the first
    /// `to_skip` are left out.
    ///
    /// # Errors
    /// Those of dup(2).
    pub fn new(socket: &OwnedFd, folds_repeats: bool, to_skip: u64) -> io::Result<Self> {
        Ok(Self::by(Some(duplicate_above_guest(socket.as_raw_fd())?), folds_repeats, to_skip, None))
    }

    /// Counts `count` instructions, at which the run stops; by `counter` if there is one.
    pub fn counting(count: u64, counter: Option<ExactCounter>) -> Self {
        Self::by(None, true, count, counter)
    }

    /// By what it counts.
    pub(super) fn counter(&self) -> Option<ExactCounter> {
        self.counter
    }

    /// Does the run stop here?
    pub fn is_counted_out(&self) -> bool {
        self.socket.is_none() && self.to_skip() == 0
    }

    /// The same, by a descriptor that the guest does not see.
    pub(super) fn by(
        socket: Option<OwnedFd>,
        folds_repeats: bool,
        to_skip: u64,
        counter: Option<ExactCounter>,
    ) -> Self {
        let (turns, outgoing, is_over) = Default::default();
        Self { socket, folds_repeats, to_skip: AtomicU64::new(to_skip), counter, turns, outgoing, is_over }
    }

    /// How many instructions are yet to be left out.
    pub(super) fn to_skip(&self) -> u64 {
        self.to_skip.load(Ordering::Relaxed)
    }

    /// A descriptor for the next program of the process.
    pub(super) fn duplicate_for_exec(&self) -> io::Result<Option<OwnedFd>> {
        self.socket.as_ref().map(|socket| duplicate_for_exec(socket.as_raw_fd())).transpose()
    }

    /// Is a repeated instruction one?
    pub fn folds_repeats(&self) -> bool {
        self.folds_repeats
    }

    /// Says that a program begins.
    pub fn begin_program(&self, name: &[u8]) {
        self.emit(&Record::Program { folds_repeats: self.folds_repeats, name: name.to_vec() });
    }

    /// Says that the process has ended.
    pub fn end(&self) {
        self.emit(&Record::End);
        self.flush();
    }

    /// Does nobody read it any more?
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// What is executed before the trace begins is counted alone.
    fn skips(&self, record: &Record) -> bool {
        let left = self.to_skip();
        if let Record::Executed(executed) = record
            && left > 0
            && !executed.is_partial
        {
            // The threads take turns.
            self.to_skip.store(left - 1, Ordering::Relaxed);
        }
        self.socket.is_none() || left > 0 && !matches!(record, Record::Program { .. } | Record::End)
    }

    fn emit(&self, record: &Record) {
        if self.skips(record) {
            return;
        }
        let mut outgoing = self.lock();
        let Outgoing { bytes, last } = &mut *outgoing;
        record.write(last, bytes);
        if outgoing.bytes.len() >= ENOUGH {
            self.send(&mut outgoing);
        }
    }

    /// Sends what has not been sent.
    pub(super) fn flush(&self) {
        self.send(&mut self.lock());
    }

    fn send(&self, outgoing: &mut Outgoing) {
        let Some(socket) = &self.socket else { return };
        let mut rest = &outgoing.bytes[..];
        while !rest.is_empty() && !self.is_over() {
            match send(socket.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::EINTR) => {}
                // The one who reads says why it no longer does.
                Err(_) => self.is_over.store(true, Ordering::Relaxed),
            }
        }
        outgoing.bytes.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others from changing it while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized + '_ {
        (self.turns.hold(), self.lock())
    }

    /// In a process that was just made, which is not traced.
    pub(super) fn forget(&self) {
        self.turns.restart();
        self.lock().bytes.clear();
    }
}

impl Process {
    /// A program begins, which was named so.
    pub fn begin_trace(&self, name: &[u8]) {
        if let Some(tracing) = self.settings.tracing.as_ref().filter(|_| self.settings.is_first_process()) {
            tracing.begin_program(name);
        }
    }
}

/// A thread that is traced.
#[derive(Debug)]
pub(super) struct Traced {
    effects: Effects,
    /// What the records so far say of its registers; `None` before the first one.
    known: Option<Box<State>>,
    /// May the registers that XSAVE keeps, and the bases, be others?
    is_stale: bool,
    /// Is what it does left out so far?
    is_skipped: bool,
    /// Does a program begin with it?
    is_first: bool,
    /// The instruction that it is executing.
    open: Option<Open>,
    /// The call that it is making.
    call: Option<Call>,
    /// Counts what it executes at full speed.
    overflow: Option<OverflowCounter>,
    /// The frame of a handler that was started: its address and length.
    pub(super) frame: Option<(u64, usize)>,
}

/// A system call under way, and the memory at its arguments before it.
#[derive(Debug)]
struct Call {
    nr: u64,
    arguments: [u64; 6],
    before: Vec<(u64, Vec<u8>)>,
}

impl Traced {
    /// A thread of which nothing is known.
    pub(super) fn new(is_first: bool) -> Self {
        Self {
            effects: Effects::default(),
            known: None,
            is_stale: true,
            is_skipped: false,
            is_first,
            open: None,
            call: None,
            overflow: None,
            frame: None,
        }
    }
}

impl Task {
    /// The calling host thread drives the task from now on.
    pub(super) fn begin_trace(&mut self) {
        let settings = &self.process.settings;
        let is_traced = settings.tracing.is_some() && settings.is_first_process();
        let is_first = self.tid() == settings.first;
        self.traced = is_traced.then(|| Box::new(Traced::new(is_first)));
    }

    /// Runs user code, one instruction at a time, until something needs the runner.
    #[cold]
    pub(super) fn run_traced(&mut self, mut traced: Box<Traced>) -> Result<Trap, VmError> {
        let is_inside = self.is_inside_region();
        let result = match self.process.settings.tracing.clone() {
            Some(tracing) if is_inside && !tracing.is_over() => self.run_by_steps(&tracing, &mut traced),
            Some(tracing) => {
                if traced.known.take().is_some() {
                    *traced = Traced::new(false);
                    tracing.emit(&Record::Left { thread: self.thread_number() });
                    tracing.flush();
                    self.vcpu.take_single_step();
                }
                self.run_freely()
            }
            None => self.run_freely(),
        };
        self.traced = Some(traced);
        result
    }

    fn run_by_steps(&mut self, tracing: &Tracing, traced: &mut Traced) -> Result<Trap, VmError> {
        if let Some(counter) = tracing.counter().filter(|_| self.process.threads.is_single()) {
            return self.run_to_count(counter, tracing, traced);
        }
        let ends = self.process.ends.clone();
        loop {
            if let Some(trap) = self.step_traced(tracing, traced, ends.as_deref())? {
                return Ok(trap);
            }
        }
    }

    /// One step; what needs the runner then, if anything does.
    fn step_traced(
        &mut self,
        tracing: &Tracing,
        traced: &mut Traced,
        ends: Option<&Ends>,
    ) -> Result<Option<Trap>, VmError> {
        let turn = tracing.turns.take();
        if tracing.is_over() || tracing.is_counted_out() {
            return Ok(Some(Trap::Kicked));
        }
        if ends.is_some_and(|ends| self.comes_to_breakpoint(&ends.breakpoints)) {
            return Ok(Some(Trap::Kicked));
        }
        self.catch_up(tracing, traced)?;
        self.open_instruction(traced);
        let step = match ends {
            None => self.step(),
            Some(ends) => self.step_by_breakpoints(&ends.breakpoints),
        };
        match step? {
            Step::Done => self.note_step(tracing, traced)?,
            Step::Trap(trap) => {
                if is_behind(&trap) {
                    self.note_step(tracing, traced)?;
                }
                if tracing.is_counted_out() {
                    return Ok(Some(Trap::Kicked));
                }
                if trap == Trap::Syscall {
                    traced.call = Some(self.note_call());
                    tracing.flush();
                }
                return Ok(Some(trap));
            }
        }
        drop(turn);
        let is_at_end = tracing.is_over() || tracing.is_counted_out();
        let needs_runner = capture::needs_attention() || is_at_end || !self.is_inside_region();
        Ok(needs_runner.then_some(Trap::Kicked))
    }

    /// Brings the records up to what the thread is before its next instruction.
    fn catch_up(&mut self, tracing: &Tracing, traced: &mut Traced) -> Result<(), VmError> {
        let was_skipped = std::mem::replace(&mut traced.is_skipped, tracing.to_skip() > 0);
        if was_skipped && !traced.is_skipped {
            // What is under way began before the trace.
            (traced.known, traced.open) = (None, None);
        }
        let Some(known) = traced.known.take() else {
            let state = self.traced_state(None)?;
            let sets = Reg::all().map(|reg| set(reg, &state.value(reg), reg.width())).collect();
            let stack = if std::mem::take(&mut traced.is_first) && !traced.is_skipped {
                self.read_stack(state.regs.rsp)
            } else {
                Vec::new()
            };
            tracing.emit(&Record::Thread { thread: self.thread_number(), registers: sets, memory: stack });
            (traced.known, traced.is_stale) = (Some(Box::new(state)), false);
            return Ok(());
        };
        let frame = traced.frame.take();
        if !traced.is_stale && known.regs == without_rf(self.vcpu.regs()) {
            traced.known = Some(known);
            return Ok(());
        }
        let state = self.traced_state(if traced.is_stale { None } else { Some(&known) })?;
        let registers = differences(&known, &state, &[], Reg::all());
        let memory: Vec<Memory> = frame.and_then(|(at, len)| self.read_written(at, len)).into_iter().collect();
        if !registers.is_empty() || !memory.is_empty() {
            tracing.emit(&Record::Changed { thread: self.thread_number(), registers, memory });
        }
        (traced.known, traced.is_stale) = (Some(Box::new(state)), false);
        Ok(())
    }

    /// The thread's registers; of `known`, what the runner alone changes.
    fn traced_state(&mut self, known: Option<&State>) -> Result<State, VmError> {
        let (bases, image) = match known {
            Some(known) => (known.bases, known.image),
            None => (self.vcpu.segment_bases()?, self.vcpu.extended_state()?),
        };
        Ok(State::new(without_rf(self.vcpu.regs()), bases, image))
    }

    fn thread_number(&self) -> u32 {
        self.shown_tid().as_raw().unsigned_abs()
    }

    fn read_stack(&self, rsp: u64) -> Vec<Memory> {
        let mut bytes = vec![0; STACK_LEN.min(to_end(rsp))];
        let len = self.process.mm.copy_in_partly(UserAddr::new(rsp), &mut bytes);
        bytes.truncate(len);
        vec![Memory { addr: rsp, is_write: true, bytes }]
    }

    fn read_written(&self, addr: u64, len: usize) -> Option<Memory> {
        let mut bytes = vec![0; len];
        let len = self.process.mm.copy_in_partly(UserAddr::new(addr), &mut bytes);
        bytes.truncate(len);
        (len > 0).then_some(Memory { addr, is_write: true, bytes })
    }

    fn note_call(&self) -> Call {
        let regs = self.vcpu.regs();
        let arguments = regs.syscall_args();
        let lens =
            arguments.iter().enumerate().map(|(index, _)| window(arguments.get(index + 1).copied().unwrap_or(0)));
        let before = arguments.iter().zip(lens).filter_map(|(&addr, len)| {
            let mut bytes = vec![0; len.min(to_end(addr))];
            let got = if addr == 0 { 0 } else { self.process.mm.copy_in_partly(UserAddr::new(addr), &mut bytes) };
            bytes.truncate(got);
            (got > 0).then_some((addr, bytes))
        });
        Call { nr: regs.syscall_nr(), arguments, before: before.collect() }
    }

    /// Is it executed one instruction at a time, for a trace?
    pub fn is_stepped(&self) -> bool {
        let tracing = self.process.settings.tracing.as_ref();
        self.traced.is_some() && self.is_inside_region() && tracing.is_some_and(|tracing| !tracing.is_over())
    }

    /// To be called when the runner has answered a trap, and before it delivers signals: what the thread was doing is done,
    /// or comes again.
    #[inline]
    pub fn retire(&mut self) {
        if self.traced.is_some() {
            self.retire_traced();
        }
    }

    #[cold]
    fn retire_traced(&mut self) {
        let (Some(mut traced), Some(tracing)) = (self.traced.take(), self.process.settings.tracing.clone()) else {
            return;
        };
        let result = self.retire_by(&tracing, &mut traced, true);
        self.traced = Some(traced);
        if let Err(error) = result {
            self.broken = Some(error);
        }
    }

    fn retire_by(&mut self, tracing: &Tracing, traced: &mut Traced, has_returned: bool) -> Result<(), VmError> {
        let Some(known) = traced.known.take() else { return Ok(()) };
        if let Some(call) = traced.call.take() {
            let state = self.traced_state(None)?;
            let registers = differences(&known, &state, &[], Reg::all());
            let memory = call.before.iter().flat_map(|(at, before)| self.changes_of_memory(*at, before));
            let called = Called {
                thread: self.thread_number(),
                nr: call.nr,
                arguments: call.arguments,
                result: has_returned.then_some(state.regs.rax),
                registers,
                memory: memory.collect(),
            };
            tracing.emit(&Record::Called(called));
            (traced.known, traced.is_stale) = (Some(Box::new(state)), false);
            return Ok(());
        }
        traced.known = Some(known);
        if traced.open.as_ref().is_some_and(|open| open.pc() != self.vcpu.regs().rip) {
            // The runner has executed it.
            traced.is_stale = true;
            self.note_step(tracing, traced)?;
        }
        Ok(())
    }

    /// Runs of bytes that differ from `before`.
    fn changes_of_memory(&self, at: u64, before: &[u8]) -> Vec<Memory> {
        let mut after = vec![0; before.len()];
        let len = self.process.mm.copy_in_partly(UserAddr::new(at), &mut after);
        let mut changes: Vec<Memory> = Vec::new();
        for index in (0..len).filter(|&index| before[index] != after[index]) {
            let addr = at + index as u64;
            match changes.last_mut() {
                // A few bytes that happen to be the same are in between.
                Some(last) if addr - last.addr - (last.bytes.len() as u64) < 8 => {
                    let from = usize::try_from(last.addr - at).unwrap_or(0);
                    last.bytes = after[from..=index].to_vec();
                }
                _ => changes.push(Memory { addr, is_write: true, bytes: vec![after[index]] }),
            }
        }
        changes
    }

    /// The thread is about to get the signal of `fault`.
    pub fn trace_fault(&mut self, fault: &Fault) {
        let record = Record::Fault {
            thread: self.thread_number(),
            signal: fault.signal.unsigned_abs(),
            code: fault.code,
            addr: fault.addr,
            vector: fault.vector,
        };
        self.interrupt(&record);
    }

    /// A signal is about to be delivered to the thread.
    pub fn trace_signal(&mut self, info: &SigInfo) {
        let (signal, code) = (info.signal.unsigned_abs(), info.code);
        self.interrupt(&Record::Signal { thread: self.thread_number(), signal, code });
    }

    fn interrupt(&mut self, record: &Record) {
        let (Some(mut traced), Some(tracing)) = (self.traced.take(), self.process.settings.tracing.clone()) else {
            return;
        };
        self.break_off(&tracing, &mut traced);
        traced.is_stale = true;
        self.traced = Some(traced);
        if self.is_inside_region() && !tracing.is_over() {
            tracing.emit(record);
        }
    }

    /// The region may have begun or ended with the system call that the thread is about to make: the first one is traced
    /// with what it does, the last one is not.
    #[cold]
    pub fn trace_border_call(&mut self) -> Result<(), VmError> {
        let (Some(mut traced), Some(tracing)) = (self.traced.take(), self.process.settings.tracing.clone()) else {
            return Ok(());
        };
        let mut result = Ok(());
        if !self.is_inside_region() || tracing.is_over() {
            traced.call = None;
        } else if traced.call.is_none() {
            result = self.catch_up(&tracing, &mut traced);
            traced.call = Some(self.note_call());
        }
        self.traced = Some(traced);
        result
    }

    /// The thread ends, or its process does.
    pub(super) fn end_trace(&mut self) {
        let (Some(mut traced), Some(tracing)) = (self.traced.take(), self.process.settings.tracing.clone()) else {
            return;
        };
        // What cannot be read is not told.
        let _ = self.retire_by(&tracing, &mut traced, false);
        tracing.flush();
    }

    /// The thread executes a program, and does not come back.
    pub fn leave_trace(&mut self) {
        self.end_trace();
        self.begin_trace();
    }

    /// A handler was started, whose frame is at `at` and has `len` bytes.
    pub(super) fn note_frame(&mut self, at: u64, len: usize) {
        if let Some(traced) = &mut self.traced {
            traced.frame = Some((at, len));
        }
    }
}

/// How many bytes at an argument may be changed by the call: as many as the next argument says, if that looks like a length.
fn window(next: u64) -> usize {
    const LEAST: usize = 4096;
    const MOST: usize = 1 << 20;
    usize::try_from(next).map_or(LEAST, |next| if next <= MOST { next.max(LEAST) } else { LEAST })
}

/// Bytes from `addr` to the end of user space.
fn to_end(addr: u64) -> usize {
    usize::try_from(TASK_SIZE.saturating_sub(addr)).unwrap_or(0)
}

/// RF is how the processor got there, and no result.
fn without_rf(regs: &crate::x86::UserRegs) -> crate::x86::UserRegs {
    crate::x86::UserRegs { rflags: regs.rflags & !RFlags::RF.bits(), ..*regs }
}

/// Registers of `which` that differ, and those that `written` names, with what they hold in `after`.
fn differences(before: &State, after: &State, written: &[Reg], which: impl Iterator<Item = Reg>) -> Vec<Set> {
    which
        .filter_map(|reg| {
            let (old, new) = (before.value(reg), after.value(reg));
            let changed = old.iter().zip(&new).rposition(|(old, new)| old != new);
            if changed.is_none() && !written.contains(&reg) {
                return None;
            }
            let len = match changed {
                _ if !reg.is_vector() => reg.width(),
                Some(32..) => 64,
                Some(16..) => 32,
                _ => 16,
            };
            Some(set(reg, &new, len))
        })
        .collect()
}
