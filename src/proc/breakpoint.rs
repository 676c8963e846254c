//! Breakpoints: places in the program's code at which its threads stop, unseen by the program.
//!
//! At each there is an `int3`. A thread that comes by leaves guest mode, is told of it, and goes on by executing the
//! instruction that belongs there: it stands in its place again while that thread makes one step and all others that share
//! the memory are kept out of guest mode. So whatever the instruction is, it is executed where it belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::unistd::{Pid, getpid};

use super::Task;
use super::step::Step;
use crate::abi::{Errno, TASK_SIZE, UserAddr};
use crate::mm::AddressSpace;
use crate::sys::capture;
use crate::vm::{Trap, VmError};
use crate::x86::Vector;

/// `int3`
const INT3: u8 = 0xcc;

/// Those of one memory.
#[derive(Debug, Default)]
pub(super) struct Breakpoints {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The byte that belongs there, by address (GVA).
    places: BTreeMap<u64, u8>,
    /// Threads in guest mode, or nearly: process and thread.
    inside: BTreeSet<(i32, i32)>,
    /// Does one thread make a step, and no other anything?
    is_stepping: bool,
}

impl Breakpoints {
    /// Has threads stop at `addr`. That they do already is no error.
    ///
    /// # Errors
    /// `EINVAL` if there is no private code of a file, or an `int3` of the program's own, and those of mprotect(2).
    pub(super) fn set(&self, mm: &AddressSpace, addr: u64) -> Result<(), Errno> {
        let at = UserAddr::new(addr);
        // What a step takes away comes back.
        let mut state = self.when_nobody_steps();
        let mut old = [0];
        mm.copy_in(at, &mut old)?;
        if old == [INT3] {
            return if state.places.contains_key(&addr) { Ok(()) } else { Err(Errno::EINVAL) };
        }
        mm.text_poke(at, &old, &[INT3])?;
        state.places.insert(addr, old[0]);
        Ok(())
    }

    /// The same in other memory, that the program can write.
    ///
    /// # Errors
    /// `EFAULT` if it cannot.
    pub(super) fn set_in_data(&self, mm: &AddressSpace, addr: u64) -> Result<(), Errno> {
        let mut state = self.when_nobody_steps();
        let mut old = [0];
        mm.copy_in(UserAddr::new(addr), &mut old)?;
        mm.copy_out(UserAddr::new(addr), &[INT3])?;
        state.places.entry(addr).or_insert(old[0]);
        Ok(())
    }

    /// Has threads stop there no more.
    pub(super) fn clear(&self, mm: &AddressSpace, addr: u64) {
        if let Some(old) = self.when_nobody_steps().places.remove(&addr) {
            give_back(mm, addr, old);
        }
    }

    /// Has threads stop nowhere.
    pub(super) fn clear_all(&self, mm: &AddressSpace) {
        let places: Vec<u64> = self.when_nobody_steps().places.keys().copied().collect();
        places.into_iter().for_each(|addr| self.clear(mm, addr));
    }

    /// What belongs at `addr`, if there is one.
    pub(super) fn byte(&self, addr: u64) -> Option<u8> {
        self.lock().places.get(&addr).copied()
    }

    /// Puts into `code`, which is what is at `addr`, what belongs there.
    pub(super) fn hide(&self, addr: u64, code: &mut [u8]) {
        for (place, old) in self.lock().places.range(addr..addr.saturating_add(code.len() as u64)) {
            if let Some(byte) = usize::try_from(place - addr).ok().and_then(|index| code.get_mut(index)) {
                *byte = *old;
            }
        }
    }

    /// The other way round: has what belongs there be what `code` has, and puts the breakpoints into that.
    pub(super) fn keep(&self, addr: u64, code: &mut [u8]) {
        for (place, old) in self.when_nobody_steps().places.range_mut(addr..addr.saturating_add(code.len() as u64)) {
            if let Some(byte) = usize::try_from(place - addr).ok().and_then(|index| code.get_mut(index)) {
                *old = std::mem::replace(byte, INT3);
            }
        }
    }

    /// Keeps threads from stepping, coming and going while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized + '_ {
        self.when_nobody_steps()
    }

    /// In a process that was just made: there is only the calling thread.
    pub(super) fn restart(&self) {
        self.lock().inside.clear();
    }

    fn enter(&self, thread: (i32, i32)) {
        self.when_nobody_steps().inside.insert(thread);
    }

    fn leave(&self, thread: (i32, i32)) {
        let mut state = self.lock();
        state.inside.remove(&thread);
        if state.is_stepping {
            self.changed.notify_all();
        }
    }

    /// Brings all threads out of guest mode, and keeps them out until [`Self::let_others_go`].
    fn stop_others(&self) {
        /// A process that is killed does not say that it has left.
        const PATIENCE: Duration = Duration::from_millis(20);
        let mut state = self.when_nobody_steps();
        state.is_stepping = true;
        while !state.inside.is_empty() {
            state.inside.retain(|&(pid, tid)| capture::kick(Pid::from_raw(pid), Pid::from_raw(tid)).is_ok());
            if !state.inside.is_empty() {
                let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.inside.is_empty());
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn let_others_go(&self) {
        self.lock().is_stepping = false;
        self.changed.notify_all();
    }

    fn when_nobody_steps(&self) -> MutexGuard<'_, State> {
        let state = self.changed.wait_while(self.lock(), |state| state.is_stepping);
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts back what belongs there. It fails where that is no longer mapped.
fn give_back(mm: &AddressSpace, addr: u64, old: u8) {
    let at = UserAddr::new(addr);
    let mut found = [0];
    if mm.text_poke(at, &[INT3], &[old]).is_err() && mm.copy_in(at, &mut found).is_ok() && found == [INT3] {
        let _ = mm.copy_out(at, &[old]);
    }
}

/// Why a thread came back from user code.
#[derive(Debug)]
pub(super) enum Stop {
    /// Of itself.
    Trap(Trap),
    /// It is about to execute the instruction of the breakpoint at this address.
    Breakpoint(u64),
}

/// A breakpoint that a thread was told of, and whose instruction it has not executed yet: its address and the stack
/// pointer, which tell it from another visit.
pub(super) type Visit = Option<(u64, u64)>;

impl Task {
    /// Runs user code until something needs the runner, or to a breakpoint. That is reported once, even if a signal is
    /// handled before its instruction can be executed.
    pub(super) fn run_to_breakpoint(&mut self, breakpoints: &Breakpoints) -> Result<Stop, VmError> {
        let place = (self.vcpu.regs().rip, self.vcpu.regs().rsp);
        if self.visit == Some(place)
            && let Some(old) = breakpoints.byte(place.0)
        {
            return self.step_over(breakpoints, place, old).map(|step| match step {
                Step::Done => Stop::Trap(Trap::Kicked),
                Step::Trap(trap) => Stop::Trap(trap),
            });
        }
        let thread = (getpid().as_raw(), self.tid().as_raw());
        breakpoints.enter(thread);
        let result = self.process.mm.machine().run(&mut self.vcpu);
        breakpoints.leave(thread);
        match result? {
            trap @ Trap::Exception { vector: Vector::BP, .. } => Ok(self.on_int3(breakpoints, trap)),
            trap => Ok(Stop::Trap(trap)),
        }
    }

    fn on_int3(&mut self, breakpoints: &Breakpoints, trap: Trap) -> Stop {
        let rip = self.vcpu.regs().rip.wrapping_sub(1);
        let mut found = [0];
        let is_there = self.process.mm.copy_in(UserAddr::new(rip), &mut found).is_ok() && found == [INT3];
        let is_set = breakpoints.byte(rip).is_some();
        if is_there && !is_set {
            return Stop::Trap(trap);
        }
        self.vcpu.regs_mut().rip = rip;
        let place = (rip, self.vcpu.regs().rsp);
        // Another thread may have taken it away meanwhile.
        if !is_set || self.visit == Some(place) {
            return Stop::Trap(Trap::Kicked);
        }
        self.visit = Some(place);
        Stop::Breakpoint(rip)
    }

    /// Is the thread about to execute the instruction of a breakpoint that it was not told of? Then it is now.
    pub(super) fn comes_to_breakpoint(&mut self, breakpoints: &Breakpoints) -> bool {
        let place = (self.vcpu.regs().rip, self.vcpu.regs().rsp);
        let comes = self.visit != Some(place) && breakpoints.byte(place.0).is_some();
        if comes {
            (self.visit, self.reached) = (Some(place), Some(place.0));
        }
        comes
    }

    /// One step, of what would be executed without breakpoints.
    pub(super) fn step_by_breakpoints(&mut self, breakpoints: &Breakpoints) -> Result<Step, VmError> {
        let place = (self.vcpu.regs().rip, self.vcpu.regs().rsp);
        if let Some(old) = breakpoints.byte(place.0) {
            return self.step_over(breakpoints, place, old);
        }
        let thread = (getpid().as_raw(), self.tid().as_raw());
        breakpoints.enter(thread);
        let result = self.step();
        breakpoints.leave(thread);
        result
    }

    /// Executes the instruction at the breakpoint, of which `old` is the first byte, and no other.
    fn step_over(&mut self, breakpoints: &Breakpoints, place: (u64, u64), old: u8) -> Result<Step, VmError> {
        let mm = self.process.mm.clone();
        let at = UserAddr::new(place.0);
        breakpoints.stop_others();
        if mm.text_poke(at, &[INT3], &[old]).is_err() {
            // The program has mapped something else there.
            breakpoints.let_others_go();
            breakpoints.lock().places.remove(&place.0);
            return Ok(Step::Trap(Trap::Kicked));
        }
        let result = self.step_and_fill(&mm);
        if mm.text_poke(at, &[old], &[INT3]).is_err() {
            breakpoints.lock().places.remove(&place.0);
        }
        breakpoints.let_others_go();
        let step = result?;
        if self.vcpu.regs().rip != place.0 {
            self.visit = None;
        }
        if step == Step::Done {
            self.vcpu.take_single_step();
        }
        Ok(step)
    }

    /// One step. Fills in the pages that it misses: the change of its code took away what there was.
    pub(super) fn step_and_fill(&mut self, mm: &AddressSpace) -> Result<Step, VmError> {
        const MOST_IN_A_ROW: u32 = 100;
        let mut step = self.step()?;
        for _ in 0..MOST_IN_A_ROW {
            match step {
                Step::Trap(Trap::PageFault { addr, code })
                    if addr < TASK_SIZE && mm.fault(addr, code.into()).is_ok() =>
                {
                    step = self.step()?;
                }
                _ => break,
            }
        }
        Ok(step)
    }
}
