//! A debugger's view of the guest's threads: where they stop, what they show there, and how they go on.
//!
//! All threads stop when one has something to report (all-stop). A thread stops by itself, before it enters guest mode, and
//! leaves its registers where the debugger finds and changes them. One that is in a system call has left them there before, and
//! goes on waiting: to bring it back would end calls that Linux lets wait on. Children run freely; one that shares the memory passes
//! breakpoints by.

mod signals;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::unistd::{Pid, getpid};

use super::bell::Bell;
use super::breakpoint::{Breakpoints, Stop};
use super::follow::Followed;
use super::replay::{Track, Went};
use super::step::{Step, is_behind};
use super::{ExitStatus, Task};
use crate::abi::Errno;
use crate::mm::AddressSpace;
use crate::sys::capture;
use crate::vm::{Trap, VmError};
use crate::x86::effects::{self, Access, Effects};
use crate::x86::operand::MAX_LEN;
use crate::x86::state::State;

/// How long a thread that does not stop is waited for: it may be in a call of the host's that nothing interrupts.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a thread stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The program is about to begin, or the debugger wanted it.
    Interrupt,
    /// At a breakpoint.
    Breakpoint,
    /// The step that it was to make is made.
    Step,
    /// Memory that is watched was used.
    Watch(Watchpoint),
    /// This signal is about to be delivered.
    Signal(i32),
    /// It is about to make the system call of this number.
    Call(u64),
    /// It has made it.
    Returned(u64),
    /// It has made this process, which waits until [`Debugger::leave_child`] or [`Debugger::detach`].
    Fork(i32),
}

/// What the debugger is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// All threads have stopped, because of the one with this id.
    Stopped(i32, Event),
    /// The process has ended.
    Ended(ExitStatus),
    /// It goes on in a way that cannot be followed: another program is executed.
    Gone,
}

/// Memory that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchpoint {
    /// GVA.
    pub addr: u64,
    /// Bytes.
    pub len: u64,
    /// Do reads count?
    pub reads: bool,
    /// Do writes count?
    pub writes: bool,
}

impl Watchpoint {
    fn is_hit(&self, access: &Access) -> bool {
        let counts = self.reads && access.is_read || self.writes && access.is_written;
        let end = access.addr.saturating_add(access.len as u64);
        counts && access.addr < self.addr.saturating_add(self.len) && self.addr < end
    }
}

/// Which system calls are reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Catch {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those of these numbers.
    Some(BTreeSet<u64>),
}

/// What a thread does next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Motion {
    /// It runs.
    #[default]
    Continue,
    /// It executes one instruction, and more as long as rip is in the range.
    Step(Range<u64>),
    /// It stays where it is.
    Hold,
}

/// How a thread goes on.
#[derive(Clone, Debug, Default)]
pub struct Action {
    /// What it does.
    pub motion: Motion,
    /// The signal that is delivered to it first, in place of that which it stopped for.
    pub signal: Option<i32>,
}

/// A stopped thread.
#[derive(Clone, Debug)]
pub struct Parked {
    /// Its registers.
    pub state: State,
    /// The number of the system call that it is about to make or has just made.
    pub call: Option<u64>,
    is_changed: bool,
    /// Has it not stopped yet, as the host answers its call?
    is_in_call: bool,
    /// Has it been told since how to go on?
    is_resumed: bool,
}

impl Parked {
    pub(super) fn new(state: State, call: Option<u64>, is_in_call: bool) -> Self {
        Self { state, call, is_changed: false, is_in_call, is_resumed: false }
    }

    /// To change its registers.
    pub fn state_mut(&mut self) -> &mut State {
        self.is_changed = true;
        &mut self.state
    }
}

/// What a debugger and the threads of a process share.
#[derive(Debug)]
pub struct Debugger {
    process: AtomicI32,
    pub(super) breakpoints: Breakpoints,
    /// Do threads take turns, and wait for theirs without stopping?
    pub(super) is_deterministic: bool,
    /// Where a deterministic run is.
    track: Mutex<Track>,
    is_attached: AtomicBool,
    state: Mutex<Shared>,
    changed: Condvar,
    bell: Mutex<Arc<Bell>>,
    pub(super) followed: Mutex<Followed>,
}

#[derive(Debug, Default)]
struct Shared {
    is_stopped: bool,
    report: Option<Report>,
    /// Has the debugger been told of the end?
    is_over: bool,
    parked: BTreeMap<i32, Parked>,
    /// Threads that wait for their turn.
    waiting: BTreeMap<i32, Parked>,
    actions: BTreeMap<i32, Action>,
    /// For threads without an action of their own.
    others: Motion,
    catch: Catch,
    watchpoints: Vec<Watchpoint>,
}

/// What a debugged thread is at.
#[derive(Debug, Default)]
pub(super) struct Debugged {
    action: Action,
    /// Where the step began that it is to make.
    step_from: Option<u64>,
    /// The call that it is at.
    call: Option<u64>,
    /// A signal that the debugger sends, and is not told of.
    injected: Option<i32>,
    effects: Effects,
}

impl Debugger {
    /// For the calling process, whose threads stop before their first instruction.
    ///
    /// # Errors
    /// Those of pipe(2).
    pub fn new(is_deterministic: bool) -> io::Result<Self> {
        Ok(Self {
            process: AtomicI32::new(getpid().as_raw()),
            breakpoints: Breakpoints::default(),
            is_deterministic,
            track: Mutex::default(),
            is_attached: AtomicBool::new(true),
            state: Mutex::new(Shared { is_stopped: true, ..Shared::default() }),
            changed: Condvar::new(),
            bell: Mutex::new(Bell::new()?.into()),
            followed: Mutex::default(),
        })
    }

    /// Readable when there is a report.
    pub fn bell(&self) -> Arc<Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The report, for which the bell rang. All threads have stopped then, but for those that cannot.
    pub fn take_report(&self, tids: impl Fn() -> Vec<i32>) -> Option<Report> {
        self.bell().take();
        let report = self.lock().report.take();
        if matches!(report, Some(Report::Stopped(..))) {
            self.wait_until_parked(tids);
        }
        report
    }

    /// Waits until all of the threads have stopped, as far as they can.
    pub fn wait_until_parked(&self, tids: impl Fn() -> Vec<i32>) {
        const PAUSE: Duration = Duration::from_millis(10);
        /// A thread that comes to a call by itself is where another run can come to.
        const BY_ITSELF: Duration = Duration::from_millis(100);
        let began = Instant::now();
        let end = began + PATIENCE;
        let mut state = self.lock();
        loop {
            let stands = |tid: &i32| state.parked.contains_key(tid) || state.waiting.contains_key(tid);
            let running: Vec<i32> = tids().into_iter().filter(|tid| !stands(tid)).collect();
            if running.is_empty() || Instant::now() > end || matches!(state.report, Some(Report::Ended(_))) {
                return;
            }
            let is_kicked = !self.is_deterministic || began.elapsed() > BY_ITSELF;
            for tid in running.into_iter().filter(|_| is_kicked) {
                let _ = capture::kick(self.process(), Pid::from_raw(tid));
            }
            state = self.changed.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has all threads stop, and that reported of the thread `tid`.
    pub fn interrupt(&self, tid: i32) {
        let mut state = self.lock();
        if !state.is_stopped {
            self.stop_all(&mut state, tid, Event::Interrupt);
        }
    }

    /// Lets threads go on, each by its action; those without one by `others`.
    pub fn resume(&self, actions: BTreeMap<i32, Action>, others: Motion) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.actions, actions);
        (state.others, state.is_stopped) = (others, false);
        // Another thread stopped all before this one went on with its signal.
        for (tid, kept) in before.into_iter().filter(|(_, action)| action.signal.is_some()) {
            let motion = state.others.clone();
            let action = state.actions.entry(tid).or_insert(Action { motion, signal: None });
            action.signal = action.signal.or(kept.signal);
        }
        let mut disturbed = Vec::new();
        for (&tid, parked) in state.parked.iter_mut().filter(|(_, parked)| parked.is_in_call) {
            parked.is_resumed = true;
            disturbed.extend(parked.is_changed.then_some(tid));
        }
        disturbed.extend(state.actions.iter().filter(|(_, action)| action.signal.is_some()).map(|(tid, _)| *tid));
        self.changed.notify_all();
        drop(state);
        for tid in disturbed {
            let _ = capture::kick(self.process(), Pid::from_raw(tid));
        }
    }

    /// Lets all threads go on for good, with no breakpoint left.
    pub fn detach(&self, mm: &AddressSpace) {
        self.breakpoints.clear_all(mm);
        self.is_attached.store(false, Ordering::SeqCst);
        let mut state = self.lock();
        (state.is_stopped, state.is_over, state.others) = (false, true, Motion::Continue);
        state.actions.clear();
        self.changed.notify_all();
        drop(state);
        self.leave_child();
    }

    /// The debugger has been told that there is no more to come.
    pub fn note_told(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Looks at a stopped thread, and may change its registers; `None` if it has not stopped.
    pub fn with_parked<T>(&self, tid: i32, act: impl FnOnce(&mut Parked) -> T) -> Option<T> {
        let mut state = self.lock();
        if let Some(parked) = state.parked.get_mut(&tid) {
            let was_changed = std::mem::take(&mut parked.is_changed);
            let result = act(parked);
            let is_changed = parked.is_changed;
            parked.is_changed |= was_changed;
            drop(state);
            if is_changed {
                self.note_altered();
            }
            return Some(result);
        }
        // It is in the middle of a call, whose result is still to come.
        let mut waiting = state.waiting.get(&tid)?.clone();
        let result = act(&mut waiting);
        (!waiting.is_changed).then_some(result)
    }

    /// A thread waits for its turn with these registers, or no more.
    pub(super) fn show_waiting(&self, tid: i32, waiting: Option<Parked>) {
        let mut state = self.lock();
        match waiting {
            Some(waiting) => state.waiting.insert(tid, waiting),
            None => state.waiting.remove(&tid),
        };
        if state.is_stopped {
            self.changed.notify_all();
        }
    }

    /// Where a deterministic run is.
    pub(super) fn track(&self) -> MutexGuard<'_, Track> {
        self.track.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has threads stop at `addr`.
    ///
    /// # Errors
    /// `EFAULT` if nothing can be written there.
    pub fn set_breakpoint(&self, mm: &AddressSpace, addr: u64) -> Result<(), Errno> {
        self.breakpoints.set(mm, addr).or_else(|_| self.breakpoints.set_in_data(mm, addr))
    }

    /// Has threads stop at `addr` if there is code of a file by now; returns whether they do.
    pub(super) fn set_in_code(&self, mm: &AddressSpace, addr: u64) -> bool {
        self.breakpoints.set(mm, addr).is_ok()
    }

    /// Has threads stop there no more.
    pub fn clear_breakpoint(&self, mm: &AddressSpace, addr: u64) {
        self.breakpoints.clear(mm, addr);
    }

    /// Has what belongs at breakpoints be what `bytes` have there, which are to be written at `addr`; puts to these what
    /// stands there.
    pub fn keep_breakpoints(&self, addr: u64, bytes: &mut [u8]) {
        self.breakpoints.keep(addr, bytes);
    }

    /// Puts what the program has at breakpoints to the bytes that were read at `addr`.
    pub fn hide_breakpoints(&self, addr: u64, bytes: &mut [u8]) {
        self.breakpoints.hide(addr, bytes);
    }

    /// Has threads stop that use this memory.
    pub fn watch(&self, watchpoint: Watchpoint) {
        self.lock().watchpoints.push(watchpoint);
    }

    /// Forgets one of those; returns whether there was one.
    pub fn unwatch(&self, watchpoint: Watchpoint) -> bool {
        let mut state = self.lock();
        let place = state.watchpoints.iter().position(|other| *other == watchpoint);
        place.map(|place| state.watchpoints.swap_remove(place)).is_some()
    }

    /// Has these system calls reported.
    pub fn catch(&self, catch: Catch) {
        self.lock().catch = catch;
    }

    /// The process ends, or executes another program. Returns when the debugger knows.
    pub(super) fn end(&self, report: Report) {
        if !self.is_of_caller() {
            return;
        }
        let mut state = self.lock();
        state.report = Some(report);
        state.is_stopped = false;
        self.ring();
        let _told = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.is_over);
    }

    /// Keeps its locks from being held by another thread while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized + '_ {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        (self.breakpoints.hold(), self.lock(), self.track(), bell, self.followed())
    }

    /// In a process that was just made by fork(2): it is no one's, and its code its own.
    pub(super) fn forget(&self, mm: &AddressSpace) {
        self.is_attached.store(false, Ordering::SeqCst);
        self.breakpoints.restart();
        self.breakpoints.clear_all(mm);
    }

    /// In such a process: it is the debugger's after all, and has stopped.
    pub(super) fn adopt(&self) -> io::Result<()> {
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) = Bell::new()?.into();
        *self.lock() = Shared { is_stopped: true, ..Shared::default() };
        self.process.store(getpid().as_raw(), Ordering::SeqCst);
        self.is_attached.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Does it debug the calling process?
    pub(super) fn is_of_caller(&self) -> bool {
        self.is_attached.load(Ordering::SeqCst) && self.process() == getpid()
    }

    fn process(&self) -> Pid {
        Pid::from_raw(self.process.load(Ordering::SeqCst))
    }

    /// To be told that a thread has something to report, which is then all threads' stop; that of another thread may come
    /// first.
    fn stop_all(&self, state: &mut Shared, tid: i32, event: Event) {
        state.is_stopped = true;
        state.report = Some(Report::Stopped(tid, event));
        self.ring();
    }

    fn ring(&self) {
        // There is never more than one in it.
        self.bell().ring();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn action(&self, tid: i32) -> Action {
        self.actions.get(&tid).cloned().unwrap_or_else(|| Action { motion: self.others.clone(), signal: None })
    }

    /// The same, to be done now. Its signal is delivered once.
    fn take_action(&mut self, tid: i32) -> Action {
        let action = self.action(tid);
        if let Some(action) = self.actions.get_mut(&tid) {
            action.signal = None;
        }
        action
    }

    /// A thread that has its turn keeps all others from theirs: it cannot be held where threads take turns.
    fn must_wait(&self, tid: i32, is_deterministic: bool) -> bool {
        self.is_stopped || !is_deterministic && self.action(tid).motion == Motion::Hold
    }
}

impl Task {
    /// Runs user code as the debugger wants.
    pub(super) fn run_debugged(&mut self, debugger: &Debugger) -> Result<Trap, VmError> {
        if !debugger.is_of_caller() {
            return self.pass_breakpoints(debugger);
        }
        let mut debugged = self.debugged.take().unwrap_or_default();
        let result = self.run_as_told(debugger, &mut debugged);
        self.debugged = Some(debugged);
        result
    }

    fn pass_breakpoints(&mut self, debugger: &Debugger) -> Result<Trap, VmError> {
        loop {
            if let Stop::Trap(trap) = self.run_to_breakpoint(&debugger.breakpoints)? {
                return Ok(trap);
            }
        }
    }

    fn run_as_told(&mut self, debugger: &Debugger, debugged: &mut Debugged) -> Result<Trap, VmError> {
        self.park(debugger, debugged, None)?;
        loop {
            if let Some(signal) = debugged.action.signal.take() {
                self.inject(debugger, debugged, signal);
            }
            if debugged.injected.is_some() || !debugger.is_of_caller() {
                return Ok(Trap::Kicked);
            }
            match self.go_on(debugger)? {
                Went::Nowhere => {}
                Went::Trap(trap) => return Ok(trap),
                Went::On => continue,
                Went::Stops => {
                    self.park(debugger, debugged, Some(Event::Interrupt))?;
                    continue;
                }
            }
            let rip = self.vcpu.regs().rip;
            let is_stepping = matches!(debugged.action.motion, Motion::Step(_));
            if is_stepping && debugged.step_from.is_some_and(|from| from != rip) {
                self.park(debugger, debugged, Some(Event::Step))?;
                continue;
            }
            let watchpoints = debugger.lock().watchpoints.clone();
            if !is_stepping && watchpoints.is_empty() {
                match self.run_to_breakpoint(&debugger.breakpoints)? {
                    Stop::Trap(trap) => return Ok(trap),
                    Stop::Breakpoint(_) => {
                        debugger.track().came(self.place());
                        self.park(debugger, debugged, Some(Event::Breakpoint))?;
                    }
                }
                continue;
            }
            if let Some(trap) = self.step_as_told(debugger, debugged, &watchpoints)? {
                return Ok(trap);
            }
        }
    }

    /// One instruction. Returns the trap that the runner is to answer first.
    fn step_as_told(
        &mut self,
        debugger: &Debugger,
        debugged: &mut Debugged,
        watchpoints: &[Watchpoint],
    ) -> Result<Option<Trap>, VmError> {
        let place = (self.vcpu.regs().rip, self.vcpu.regs().rsp);
        let used = if watchpoints.is_empty() { Vec::new() } else { self.accesses(debugger, debugged)? };
        if debugged.step_from.is_none() && debugger.breakpoints.byte(place.0).is_some() {
            self.visit = None;
            self.park(debugger, debugged, Some(Event::Breakpoint))?;
            return Ok(None);
        }
        let trap = match self.step_by_breakpoints(&debugger.breakpoints)? {
            Step::Done => None,
            Step::Trap(trap) => Some(trap),
        };
        if trap.as_ref().is_some_and(|trap| !is_behind(trap)) {
            return Ok(trap);
        }
        if trap != Some(Trap::Syscall) {
            debugger.track().stepped(place.0, self.place());
        }
        let hit = watchpoints.iter().find(|watchpoint| used.iter().any(|access| watchpoint.is_hit(access)));
        if let Some(hit) = hit {
            self.park(debugger, debugged, Some(Event::Watch(*hit)))?;
            return Ok(trap);
        }
        let rip = self.vcpu.regs().rip;
        match &debugged.action.motion {
            _ if trap.is_some() => {}
            Motion::Step(range) if range.contains(&rip) && debugger.breakpoints.byte(rip).is_none() => {
                debugged.step_from = Some(rip);
                self.park(debugger, debugged, None)?;
            }
            Motion::Step(_) => self.park(debugger, debugged, Some(Event::Step))?,
            _ => {
                // Breakpoints count again.
                debugged.step_from = None;
                self.park(debugger, debugged, None)?;
            }
        }
        Ok(trap)
    }

    /// The memory that the next instruction uses.
    fn accesses(&mut self, debugger: &Debugger, debugged: &mut Debugged) -> Result<Vec<Access>, VmError> {
        let mut code = [0; MAX_LEN];
        let rip = self.vcpu.regs().rip;
        let len = self.process.mm.original_code(rip, &mut code);
        debugger.hide_breakpoints(rip, &mut code[..len]);
        let Some(instruction) = effects::decode(&code[..len], rip) else { return Ok(Vec::new()) };
        let state = self.state()?;
        Ok(debugged.effects.accesses(&instruction, &state))
    }

    pub(super) fn state(&mut self) -> Result<State, VmError> {
        Ok(State::new(*self.vcpu.regs(), self.vcpu.segment_bases()?, self.vcpu.extended_state()?))
    }

    /// Stops here with `event`, if there is one, and as long as the debugger wants.
    fn park(&mut self, debugger: &Debugger, debugged: &mut Debugged, event: Option<Event>) -> Result<(), VmError> {
        let tid = self.tid().as_raw();
        let mut event = event;
        let is_resumed = self.leave_call(debugger)?;
        let mut state = debugger.lock();
        if event.is_none() && !state.must_wait(tid, debugger.is_deterministic) {
            state.parked.remove(&tid);
            if is_resumed {
                self.take_action(debugged, state.take_action(tid));
                // The call was the step.
                let mut regs = *self.vcpu.regs();
                regs.step_back_to_syscall();
                debugged.step_from = debugged.step_from.map(|_| regs.rip);
            } else if debugged.step_from.is_none() {
                self.take_action(debugged, state.take_action(tid));
            }
            return Ok(());
        }
        drop(state);
        match event {
            None => debugger.track().stops(self.place()),
            Some(Event::Call(_)) => debugger.track().lose(self.place()),
            Some(_) => {}
        }
        let mut parked = Parked::new(self.state()?, debugged.call, false);
        state = debugger.lock();
        if let Some(shown) = state.parked.remove(&tid).filter(|shown| shown.is_changed) {
            // The debugger was faster.
            (parked.state, parked.is_changed) = (shown.state, true);
        }
        state.parked.insert(tid, parked);
        loop {
            if let Some(event) = event.take_if(|_| !state.is_stopped) {
                debugger.stop_all(&mut state, tid, event);
            }
            debugger.changed.notify_all();
            state = debugger
                .changed
                .wait_while(state, |state| state.must_wait(tid, debugger.is_deterministic) && !state.is_over)
                .unwrap_or_else(PoisonError::into_inner);
            if event.is_none() || state.is_over {
                break;
            }
        }
        let action = state.take_action(tid);
        let parked = state.parked.remove(&tid);
        drop(state);
        self.visit = None;
        debugged.step_from = None;
        if let Some(parked) = parked.filter(|parked| parked.is_changed) {
            self.load(&parked.state)?;
        }
        // A step begins where the debugger wants it to.
        self.take_action(debugged, action);
        Ok(())
    }

    /// Shows the thread as it is, for as long as the host answers its call.
    fn show_in_call(&mut self, debugger: &Debugger, nr: u64) -> Result<(), VmError> {
        // Where threads take turns, they are shown as they wait for theirs.
        if debugger.is_of_caller() && !debugger.is_deterministic {
            let parked = Parked::new(self.state()?, Some(nr), true);
            debugger.lock().parked.insert(self.tid().as_raw(), parked);
            debugger.changed.notify_all();
        }
        Ok(())
    }

    /// If it was shown in a call, makes what was changed there hold. Returns whether it was told to go on there.
    fn leave_call(&mut self, debugger: &Debugger) -> Result<bool, VmError> {
        let mut state = debugger.lock();
        let shown = state.parked.get_mut(&self.tid().as_raw()).filter(|parked| parked.is_in_call);
        let Some(shown) = shown else { return Ok(false) };
        let changed = std::mem::take(&mut shown.is_changed).then(|| shown.state.clone());
        let is_resumed = shown.is_resumed;
        drop(state);
        changed.map_or(Ok(()), |state| self.load(&state))?;
        Ok(is_resumed)
    }

    /// The thread ends.
    pub fn end_debugged(&self) {
        if let Some(debugger) = self.process.debugger.as_ref().filter(|debugger| debugger.is_of_caller()) {
            debugger.lock().parked.remove(&self.tid().as_raw());
            debugger.changed.notify_all();
        }
    }

    fn take_action(&self, debugged: &mut Debugged, action: Action) {
        debugged.step_from = matches!(action.motion, Motion::Step(_)).then(|| self.vcpu.regs().rip);
        debugged.action = action;
    }

    fn load(&mut self, state: &State) -> Result<(), VmError> {
        *self.vcpu.regs_mut() = state.regs;
        self.vcpu.set_segment_bases(state.bases.0, state.bases.1)?;
        self.vcpu.set_extended_state(state.image)
    }

    /// Stops with something that happened outside of user code. Returns the signal that the debugger wants delivered.
    pub(super) fn stop_with(&mut self, event: Event) -> Result<Option<i32>, VmError> {
        let Some(debugger) = self.process.debugger.clone().filter(|debugger| debugger.is_of_caller()) else {
            return Ok(match event {
                Event::Signal(signal) => Some(signal),
                _ => None,
            });
        };
        self.note_place(&debugger);
        let mut debugged = self.debugged.take().unwrap_or_default();
        debugged.call = match event {
            Event::Call(nr) | Event::Returned(nr) => Some(nr),
            _ => None,
        };
        let result = self.park(&debugger, &mut debugged, Some(event));
        debugged.call = None;
        let signal = debugged.action.signal.take();
        self.debugged = Some(debugged);
        result?;
        Ok(match event {
            // Who leaves at a signal leaves it to the program.
            Event::Signal(signal) if !debugger.is_of_caller() => Some(signal),
            _ => signal,
        })
    }

    /// It is about to make a system call, or has made it.
    ///
    /// # Errors
    /// KVM's.
    #[inline]
    pub fn stop_at_call(&mut self, event: fn(u64) -> Event, nr: u64) -> Result<(), VmError> {
        match self.process.debugger.clone() {
            None => Ok(()),
            Some(debugger) => {
                let is_caught = match &debugger.lock().catch {
                    Catch::Nothing => false,
                    Catch::All => true,
                    Catch::Some(numbers) => numbers.contains(&nr),
                };
                // A step over the call is reported as such, as ptrace(2) does it.
                let is_stepping = event(nr) == Event::Returned(nr)
                    && self.debugged.as_ref().is_some_and(|debugged| debugged.step_from.is_some());
                if is_caught && !is_stepping {
                    self.stop_with(event(nr))?;
                }
                if event(nr) == Event::Call(nr) { self.show_in_call(&debugger, nr) } else { Ok(()) }
            }
        }
    }

    /// Another program is executed.
    pub fn leave_debugger(&self) {
        if let Some(debugger) = &self.process.debugger {
            debugger.end(Report::Gone);
        }
    }
}
