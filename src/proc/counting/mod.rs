//! What guest threads do for `kvm-se stat`, for `--stats` and for timelines: they count their exits and system calls, and
//! say what they do when, in memory that whoever reports has, too (`profile::stat`).

mod counters;
mod event;
mod harvest;
mod histogram;
mod totals;

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::unistd::{getpid, gettid};

pub use counters::{BUS_ERRORS, CAUSES, Counters, PAGE_FAULTS, Phase, SYSCALLS, Slot, State};
pub use event::{Event, Kind};
pub use harvest::{Harvest, ProcessTotals, ThreadTotals};
pub use histogram::{ERROR_PERCENT, Histogram};
pub use totals::{Calls, Counts, Tally};

use super::Task;
use crate::vm::{Trap, VmError};
use crate::x86::PageFaultCode;

/// How a guest thread counts.
#[derive(Debug)]
pub(super) struct Counted {
    counters: Arc<Counters>,
    slot: usize,
    state: State,
    has_timeline: bool,
    /// The page fault that is being answered, for the timeline.
    fault: Option<(u64, PageFaultCode)>,
}

/// A system call that is about to be made, as far as counting needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    nr: u32,
    at: u64,
    is_answer: bool,
}

/// One that has been made and counted.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    nr: u32,
    at: u64,
    time: u64,
}

impl Counted {
    fn slot(&self) -> Slot<'_> {
        self.counters.slot(self.slot)
    }

    /// The thread does something else; what it did before gets the time since.
    #[inline]
    fn enter(&mut self, state: State) -> (u64, u64) {
        let now = self.counters.now();
        let slot = self.slot();
        slot.follow_reset();
        let (began, time) = (slot.since(), slot.enter(state, now));
        match self.state {
            State::Guest => slot.add_guest_time(time),
            State::Runner => slot.add_runner_time(time),
            State::Syscall(_) => slot.add_exit_time(SYSCALLS, time),
            State::Exit(cause) => slot.add_exit_time(cause, time),
        }
        self.state = state;
        (began, time)
    }

    fn enter_guest(&mut self) {
        let (began, time) = self.enter(State::Guest);
        if let Some((addr, code)) = self.fault.take() {
            self.say(&Event { at: began, time, kind: Kind::PageFault { addr, code: code.bits() }, text: "" });
        }
    }

    fn leave_guest(&mut self, state: State, cause: usize) {
        self.enter(state);
        if !self.counters.is_paused() {
            self.slot().add_exit(cause);
        }
    }

    /// Puts an event on the timeline. Waits for room; if nobody makes any, the timeline has come to its end.
    fn say(&self, event: &Event<'_>) {
        const MOST: Duration = Duration::from_secs(10);
        const PAUSE: Duration = Duration::from_micros(100);
        if !self.has_timeline || self.counters.is_paused() {
            return;
        }
        let bytes = event.to_bytes();
        let mut started = None;
        while !self.counters.has_timeline() || !self.slot().push(&bytes) {
            if !self.counters.has_timeline() || started.get_or_insert_with(Instant::now).elapsed() > MOST {
                return self.counters.lose_event();
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// What a thread has just left guest mode for, and how that is counted.
fn state_of(trap: &Result<Trap, VmError>, nr: u64) -> (State, usize) {
    let exit = |cause| (State::Exit(cause), cause);
    match trap {
        Ok(Trap::Syscall) => (State::Syscall(u32::try_from(nr & u64::from(u32::MAX)).unwrap_or(0)), SYSCALLS),
        Ok(Trap::PageFault { .. }) => exit(PAGE_FAULTS),
        Ok(Trap::BusError) => exit(BUS_ERRORS),
        Ok(Trap::Exception { .. }) => exit(3),
        Ok(Trap::Kicked) => exit(4),
        Ok(Trap::Bad(_)) | Err(_) => exit(5),
    }
}

impl Task {
    /// The calling host thread drives it from now on.
    pub(super) fn begin_counting(&mut self) {
        self.counted = self.process.settings.counters_of_process().and_then(|counters| {
            let slot = counters.take_slot(getpid(), gettid(), born())?;
            let (counters, has_timeline) = (counters.clone(), counters.has_timeline());
            Some(Box::new(Counted { counters, slot, state: State::Runner, has_timeline, fault: None }))
        });
    }

    /// The thread has come to its end.
    pub(super) fn end_counting(&mut self) {
        if let Some(counted) = self.counted.take() {
            counted.slot().note_name();
            counted.slot().close();
        }
    }

    /// The process is about to end, or to execute another program, which closes its threads' slots.
    pub fn note_peak_memory(&self) {
        if let Some(counted) = &self.counted {
            let (all, guest) = super::view::peak_memory(&self.process);
            counted.slot().note_peak(all, guest);
        }
    }

    /// Another thread answers calls of this one, while this one is in guest mode.
    pub(super) fn counting_for_answers(&self) -> Option<Box<Counted>> {
        let Counted { counters, slot, has_timeline, .. } = &**self.counted.as_ref()?;
        let (counters, has_timeline) = (counters.clone(), *has_timeline);
        Some(Box::new(Counted { counters, slot: *slot, state: State::Guest, has_timeline, fault: None }))
    }

    /// Runs user code until something needs the runner, and counts that.
    #[cold]
    pub(super) fn run_counted(&mut self, mut counted: Box<Counted>) -> Result<Trap, VmError> {
        counted.enter_guest();
        let result = self.run_uncounted();
        let (state, cause) = state_of(&result, self.vcpu.regs().syscall_nr());
        counted.leave_guest(state, cause);
        if counted.has_timeline
            && let Ok(Trap::PageFault { addr, code }) = result
        {
            counted.fault = Some((addr, code));
        }
        self.counted = Some(counted);
        result
    }

    /// Is somebody interested in what it does when?
    #[inline]
    pub fn has_timeline(&self) -> bool {
        self.counted.as_ref().is_some_and(|counted| counted.has_timeline && !counted.counters.is_paused())
    }

    /// Are its system calls counted?
    #[inline]
    pub fn is_counted(&self) -> bool {
        self.counted.is_some()
    }

    /// The call `nr` is about to be made.
    pub fn begin_call(&self, nr: u64) -> Option<Begun> {
        let counted = self.counted.as_ref()?;
        let is_answer = counted.state == State::Guest;
        let at = if is_answer { counted.counters.now() } else { counted.slot().since() };
        Some(Begun { nr: u32::try_from(nr & u64::from(u32::MAX)).unwrap_or(0), at, is_answer })
    }

    /// It has been made. `None` in the child of a fork: the call is its parent's.
    pub fn end_call(&mut self, begun: Begun, is_error: bool) -> Option<Made> {
        let Begun { nr, at, is_answer } = begun;
        let counted = self.counted.as_mut()?;
        let (at, time) = if is_answer {
            counted.slot().follow_reset();
            let now = counted.counters.now();
            // It may have begun before the counters were set to zero.
            let at = at.max(counted.counters.reset_at());
            (at, now.saturating_sub(at))
        } else if counted.state == State::Syscall(nr) {
            counted.enter(State::Runner)
        } else {
            return None;
        };
        if !counted.counters.is_paused() {
            let slot = counted.slot();
            if is_answer {
                slot.add_answer(time);
            }
            slot.add_call(nr.into(), time, is_error);
            if i64::from(nr) == libc::SYS_prctl {
                slot.note_name();
            }
        }
        Some(Made { nr, at, time })
    }

    /// Puts a call on the timeline, with what that shows of it.
    pub fn show_call(&self, made: Made, text: &str) {
        if let Some(counted) = &self.counted {
            let Made { nr, at, time } = made;
            counted.say(&Event { at, time, kind: Kind::Syscall(nr), text });
        }
    }

    /// Puts a signal on the timeline that is delivered to the thread.
    pub fn note_signal(&self, name: &str) {
        self.note_instant(Kind::Signal, name);
    }

    /// Puts a mark on the timeline, if there is one.
    pub fn mark(&self, name: &str) {
        self.note_instant(Kind::Mark, name);
    }

    fn note_instant(&self, kind: Kind, text: &str) {
        if let Some(counted) = &self.counted {
            counted.say(&Event { at: counted.counters.now(), time: 0, kind, text });
        }
    }

    /// Sets all counters of the run to zero.
    pub fn reset_counters(&self) {
        if let Some(counted) = &self.counted {
            counted.counters.reset();
        }
    }

    /// Has whoever reports take a snapshot of all counters, and waits until it is taken. Returns whether it was: there may
    /// be nobody who reports.
    pub fn dump_counters(&self) -> bool {
        const MOST: Duration = Duration::from_secs(2);
        const PAUSE: Duration = Duration::from_micros(100);
        let Some(counted) = self.counted.as_ref().filter(|_| !self.process.settings.stats) else { return false };
        let (number, started) = (counted.counters.want_dump(), Instant::now());
        while counted.counters.nr_dumps_made() < number {
            if started.elapsed() > MOST {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Counts nothing and puts nothing on the timeline, in all threads of the run.
    pub fn pause_counting(&self) {
        if let Some(counted) = &self.counted {
            counted.counters.pause();
        }
    }

    /// Goes on after [`Self::pause_counting`].
    pub fn resume_counting(&self) {
        if let Some(counted) = &self.counted {
            counted.counters.resume();
        }
    }
}

impl Counters {
    /// A program begins in the calling process: threads of the one before it have ended with that.
    pub fn begin_program(&self) {
        let (pid, born) = (getpid(), born());
        self.slots().filter(|slot| slot.pid() == pid && slot.born() == born).for_each(|slot| slot.close());
    }
}

/// When the calling process was made, in the kernel's ticks since it started; 0 without /proc.
fn born() -> u64 {
    /// Number of the field in proc_pid_stat(5), less the two that end with the name.
    const STARTTIME: usize = 22 - 3;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_ascii_whitespace().nth(STARTTIME).and_then(|field| field.parse().ok()).unwrap_or(0)
}
