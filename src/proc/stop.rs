//! Threads that another process stops to look at them: what ptrace(2) gives to a tracer that shares the memory.
//!
//! The kernel's own tracing would show the runner. So a thread stops by itself, on its way to user code, and leaves its
//! registers where the tracer finds them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use nix::unistd::{Pid, getpid};

use super::Task;
use crate::abi::Errno;
use crate::sys::capture;
use crate::vm::VmError;
use crate::x86::UserRegs;

/// What a stopped thread shows.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// General registers.
    pub regs: UserRegs,
    /// Bases of FS and GS.
    pub bases: (u64, u64),
    /// x87, SSE and AVX state, as a signal frame has it.
    pub extended: Vec<u8>,
}

/// Where a thread stops.
#[derive(Debug)]
pub struct StopPoint {
    process: Pid,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The process that wants it stopped.
    tracer: Option<Pid>,
    stopped: Option<Stopped>,
    /// Has wait4(2) told the tracer?
    is_reported: bool,
    /// Has the thread ended?
    is_gone: bool,
}

impl Default for StopPoint {
    fn default() -> Self {
        Self { process: getpid(), state: Mutex::default(), changed: Condvar::new() }
    }
}

impl StopPoint {
    /// Begins to trace the thread `tid`, which then stops (PTRACE_ATTACH). `EPERM` if another does, or it is one of the
    /// caller's process.
    pub fn attach(&self, tid: Pid) -> Result<(), Errno> {
        let mut state = self.lock();
        if state.tracer.is_some() || self.process == getpid() {
            return Err(Errno::EPERM);
        }
        *state = State { tracer: Some(getpid()), ..State::default() };
        drop(state);
        capture::kick(self.process, tid)
    }

    /// Lets the thread go on, traced or not. `ESRCH` unless the caller has stopped it.
    pub fn resume(&self) -> Result<(), Errno> {
        self.look(|_| ())?;
        self.release(getpid());
        Ok(())
    }

    /// Lets the thread go if `tracer` traces it.
    pub fn release(&self, tracer: Pid) {
        let mut state = self.lock();
        if state.tracer == Some(tracer) {
            state.tracer = None;
            self.changed.notify_all();
        }
    }

    /// Looks at the stopped thread. `ESRCH` unless the caller has stopped it.
    pub fn look<T>(&self, act: impl FnOnce(&Stopped) -> T) -> Result<T, Errno> {
        let state = self.lock();
        match &state.stopped {
            Some(stopped) if state.tracer == Some(getpid()) => Ok(act(stopped)),
            _ => Err(Errno::ESRCH),
        }
    }

    /// Has the caller asked for a stop, and was it told of it? Nothing if it does not trace the thread.
    pub fn is_reported(&self) -> Option<bool> {
        let state = self.lock();
        (state.tracer == Some(getpid())).then_some(state.is_reported)
    }

    /// Waits until the thread has stopped; returns whether it has. `ECHILD` when it ended before it could.
    pub fn wait(&self, may_block: bool) -> Result<bool, Errno> {
        let mut state = self.lock();
        while state.stopped.is_none() && !state.is_gone && may_block {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_reported = state.stopped.is_some();
        if state.is_gone { Err(Errno::ECHILD) } else { Ok(state.is_reported) }
    }

    fn is_wanted(&self) -> bool {
        self.lock().tracer.is_some()
    }

    fn stop(&self, stopped: Stopped) {
        let mut state = self.lock();
        state.stopped = Some(stopped);
        self.changed.notify_all();
        while state.tracer.is_some() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.stopped = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stop points of all threads that share one memory, by thread id.
pub(super) type StopPoints = BTreeMap<i32, std::sync::Arc<StopPoint>>;

/// The thread has ended.
pub(super) fn note_end(point: &StopPoint) {
    point.lock().is_gone = true;
    point.changed.notify_all();
}

impl Task {
    /// Stops here if a tracer wants it.
    pub(super) fn stop_if_wanted(&mut self) {
        if self.stop_point.is_wanted()
            && let Err(error) = self.stop()
        {
            self.broken = Some(error);
        }
    }

    fn stop(&mut self) -> Result<(), VmError> {
        let extended = self.extended_layout.to_frame(&self.vcpu.extended_state()?);
        let stopped = Stopped { regs: *self.vcpu.regs(), bases: self.vcpu.segment_bases()?, extended };
        self.stop_point.stop(stopped);
        Ok(())
    }
}
