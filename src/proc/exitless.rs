//! Calls without an exit: where leaving the guest is dear, a thread of the runner's answers the calls of a guest thread
//! while that waits for them in guest mode.
//!
//! It is there only while that pays. It begins with a burst of calls, sleeps when none come, and for longer and longer when
//! it does not answer in time or not at all: there may be no processor for it. It never answers what may block, or what
//! asks who calls; and it ends for good before the guest's thread becomes different from it in what the kernel looks at.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::resource::Resource;

use super::Task;
pub use super::answerers::Answer;
use super::answerers::Answerer;
use super::limits::is_unlimited;
use crate::sys;

/// That many calls in so long a time make a burst worth a thread.
const WORTH_THREAD: Burst = Burst { calls: 96, within: Duration::from_millis(12) };
/// That many make one worth waking the thread.
const WORTH_WAKING: Burst = Burst { calls: 4, within: Duration::from_micros(400) };
/// After so many exits it is looked at how many calls were answered without.
const EXITS_A_LOOK: u32 = 16;
/// How many that must be for each exit.
const ANSWERS_AN_EXIT: u64 = 1;
const SHORTEST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug)]
struct Burst {
    calls: u32,
    within: Duration,
}

/// How a guest thread's calls are answered without an exit.
#[derive(Debug)]
pub struct Exitless {
    link: Option<Link>,
    /// There shall be no other thread.
    is_barred: bool,
    since: Instant,
    calls: u32,
    pause: Duration,
    paused_at: Option<Instant>,
    /// Do jumps lead to the pad of this thread's vCPU?
    has_jumps: bool,
}

/// The thread that answers, as the one that calls knows it.
#[derive(Debug)]
struct Link {
    answerer: Arc<Answerer>,
    /// Closed when it has ended.
    end: Receiver<()>,
    /// Exits and answers at the last look.
    exits: u32,
    answers: u64,
}

impl Exitless {
    /// `is_barred` if all calls shall be exits.
    pub(super) fn new(is_barred: bool) -> Self {
        Self {
            link: None,
            is_barred,
            since: Instant::now(),
            calls: 0,
            pause: Duration::ZERO,
            paused_at: None,
            has_jumps: false,
        }
    }

    /// Shall all calls be exits?
    pub(super) fn is_barred(&self) -> bool {
        self.is_barred
    }

    /// Has this call, which comes now, completed a burst?
    fn completes(&mut self, burst: Burst, now: Instant) -> bool {
        if now.duration_since(self.since) > burst.within {
            (self.since, self.calls) = (now, 0);
        }
        self.calls += 1;
        let is_complete = self.calls >= burst.calls;
        if is_complete {
            (self.since, self.calls) = (now, 0);
        }
        is_complete
    }

    /// Must calls be exits for a while?
    fn is_paused(&self, now: Instant) -> bool {
        self.paused_at.is_some_and(|at| now.duration_since(at) < self.pause)
    }

    /// Calls are exits for a while, longer than the last time.
    fn pause(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.paused_at = Some(now);
    }

    fn wake(&self) {
        if let Some(link) = &self.link {
            link.answerer.wake();
        }
    }

    /// A call was an exit although the other thread is awake: that may not be worth while.
    fn note_exit(&mut self, now: Instant) {
        let Some(link) = &mut self.link else { return };
        link.exits += 1;
        if link.exits < EXITS_A_LOOK {
            return;
        }
        let answers = link.answerer.answers();
        let pays = answers - link.answers >= ANSWERS_AN_EXIT * u64::from(link.exits);
        (link.exits, link.answers) = (0, answers);
        if pays {
            self.pause = Duration::ZERO;
        } else {
            link.answerer.sleep();
            self.pause(now);
        }
    }
}

impl Task {
    /// To be called when a call was an exit that another thread may answer, by what `answer` makes.
    #[inline]
    pub fn note_exit(&mut self, answer: fn() -> Answer) {
        if !self.exitless.is_barred {
            self.weigh_exit(answer);
        }
    }

    fn weigh_exit(&mut self, answer: fn() -> Answer) {
        let now = Instant::now();
        if self.exitless.link.as_ref().is_some_and(|link| link.answerer.is_over()) {
            self.end_link();
        }
        let exitless = &mut self.exitless;
        let is_paused = exitless.is_paused(now);
        match exitless.link.as_ref().map(|link| link.answerer.is_awake()) {
            None if !is_paused && exitless.completes(WORTH_THREAD, now) => self.start_answerer(answer, now),
            Some(true) => {
                exitless.note_exit(now);
                if !exitless.has_jumps {
                    self.resume_jumps();
                }
                self.patch_hot_call();
            }
            Some(false) if !is_paused && exitless.completes(WORTH_WAKING, now) => exitless.wake(),
            None | Some(false) => {}
        }
    }

    /// The call that has just left the guest may have done so in order to become a jump.
    fn patch_hot_call(&self) {
        let hot = self.exitless.link.as_ref().and_then(|link| link.answerer.take_hot());
        if let Some(hot) = hot
            && self.process.threads.is_single()
        {
            self.patch_call(hot);
        }
    }

    /// While another vCPU runs the same code, calls that have become jumps make a `syscall` of their own.
    pub(super) fn suspend_jumps(&mut self) {
        self.exitless.has_jumps = false;
        self.process.mm.machine().aim_trampolines(None);
    }

    /// Calls that have become jumps need no `syscall` if no other vCPU runs the same code.
    pub(super) fn resume_jumps(&mut self) {
        if self.exitless.link.is_some() && self.process.threads.is_single() {
            self.exitless.has_jumps = true;
            self.process.mm.machine().aim_trampolines(Some(&self.vcpu));
        }
    }

    /// From now on no other thread answers the calls of this one, which may become different from others.
    pub fn end_exitless(&mut self) {
        self.exitless.is_barred = true;
        self.end_link();
    }

    /// From now on no other thread answers the calls of any of the process's threads.
    pub fn end_exitless_of_process(&mut self) {
        self.end_exitless();
        self.process.answerers.dismiss_all(true);
    }

    /// Ends what the runner has more threads than the guest for; returns whether there were any. They may come back.
    pub fn end_other_threads(&mut self) -> bool {
        let has_own = self.exitless.link.is_some();
        self.end_link();
        self.process.answerers.dismiss_all(false) || has_own
    }

    fn end_link(&mut self) {
        let Some(link) = self.exitless.link.take() else { return };
        if self.process.threads.is_single() {
            self.suspend_jumps();
        }
        self.vcpu.remove_door(self.process.mm.machine().system());
        link.answerer.dismiss();
        let _ = link.end.recv();
        link.answerer.until_gone();
    }

    /// In a process that was just made, where no other thread is.
    pub(super) fn restart_exitless(&mut self) {
        self.suspend_jumps();
        self.vcpu.remove_door(self.process.mm.machine().system());
        self.process.answerers.restart();
        self.exitless = Exitless::new(!self.process.settings.exitless);
    }

    fn start_answerer(&mut self, answer: fn() -> Answer, now: Instant) {
        if !self.process.answerers.has_room() {
            return self.exitless.pause(now);
        }
        // It blocks all signals for good. If one is there to be delivered, the next burst will do.
        if self.signals.hold_off().is_ok() {
            self.exitless.link = if is_possible() { self.answerer(answer()) } else { None };
            self.exitless.is_barred = self.exitless.link.is_none();
            self.resume_jumps();
            self.signals.let_in();
        }
    }

    /// A thread that answers calls, if there can be one.
    fn answerer(&mut self, answer: Answer) -> Option<Link> {
        let process = self.process.clone();
        let machine = process.mm.machine();
        let door = self.vcpu.make_door()?;
        // The registers of this vCPU, which never runs, are for what answers calls.
        let state = self.vcpu.state().ok();
        let Some(vcpu) = state.and_then(|state| process.take_vcpu(&state).ok()) else {
            self.vcpu.remove_door(machine.system());
            return None;
        };
        let answerer = Arc::new(Answerer::new(door));
        let mut other = Self::asleep(vcpu, process.clone(), self.signals.of_thread());
        other.counted = self.counting_for_answers();
        let (caller, its) = (self.tid(), answerer.clone());
        let (ended, end) = channel();
        let spawned = sys::thread::spawn((other, answer), move |(mut other, mut answer)| {
            its.run(caller, &mut other, &mut answer);
            other.process.mm.machine().return_vcpu(other.vcpu);
            drop(ended);
        });
        if let Err((other, _)) = spawned {
            self.vcpu.remove_door(machine.system());
            machine.return_vcpu(other.vcpu);
            return None;
        }
        process.answerers.add(answerer.clone());
        Some(Link { answerer, end, exits: 0, answers: 0 })
    }
}

/// Is there a second processor, and nobody who counts what this process takes of them?
fn is_possible() -> bool {
    is_unlimited(Resource::RLIMIT_CPU) && sys::thread::nr_processors() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_in_quick_succession_make_a_burst() {
        let mut exitless = Exitless::new(false);
        let start = exitless.since;
        let burst = Burst { calls: 3, within: Duration::from_micros(10) };
        let mut at = |us| exitless.completes(burst, start + Duration::from_micros(us));
        assert!(!at(0) && !at(1) && at(2));
        assert!(!at(20) && !at(29) && !at(31), "too slow: the third begins another burst");
        assert!(!at(32) && at(33));
    }
}
