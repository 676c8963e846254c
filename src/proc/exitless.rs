//! Calls without an exit: where leaving the guest is dear, a thread of the runner's answers the calls of a single
//! guest thread while that waits for them in guest mode.
//!
//! It is there only while that pays. It begins with a burst of calls, sleeps when none come, and for longer and longer when
//! it does not answer in time or not at all: there may be no processor for it. It never answers what may block, or what
//! asks who calls; and it ends for good before the guest's thread becomes different from it in what the kernel looks at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use nix::sys::resource::Resource;
use nix::unistd::{Pid, gettid};

use super::Task;
use super::limits::is_unlimited;
use crate::sys;
use crate::vm::{Door, Posted};

/// Answers a call, or refuses it. The number is that of the stay in guest mode ([`Door::answer`]).
pub type Answer = Box<dyn FnMut(&mut Task, Posted, u64) -> Option<u64> + Send>;

/// Turns for which a call waits for its answer: about what an exit takes.
const PATIENCE: u64 = 600;
/// For how long the other thread looks for calls when none come.
const IDLE: Duration = Duration::from_micros(150);
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

/// So many calls from one place make it a hot one.
const HOT: u32 = 512;

/// How a guest thread's calls are answered without an exit.
#[derive(Debug)]
pub struct Exitless {
    answerer: Option<Answerer>,
    /// There shall be no other thread.
    is_barred: bool,
    since: Instant,
    calls: u32,
    pause: Duration,
    paused_at: Option<Instant>,
}

/// The thread that answers, as the one that calls knows it.
#[derive(Debug)]
struct Answerer {
    shared: Arc<Shared>,
    /// Closed when it has ended.
    end: Receiver<()>,
    /// Exits and answers at the last look.
    exits: u32,
    answers: u64,
}

#[derive(Debug)]
struct Shared {
    door: Arc<Door>,
    thread: OnceLock<(Thread, Pid)>,
    is_awake: AtomicBool,
    is_over: AtomicBool,
    answers: AtomicU64,
    /// Behind the call that shall become a jump (GVA); 0 for none.
    hot: AtomicU64,
}

/// How often calls come from where. Places may share an entry, and then displace each other.
struct Counts([(u64, u32); 128]);

impl Counts {
    fn new() -> Self {
        Self([(0, 0); 128])
    }

    /// Has the place behind which `end` is become a hot one?
    fn note(&mut self, end: u64) -> bool {
        let entry = &mut self.0[(end % 127) as usize];
        if entry.0 != end {
            *entry = (end, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 == HOT
    }
}

impl Exitless {
    /// For a thread whose process is its own; `is_barred` if all its calls shall be exits.
    pub(super) fn new(is_barred: bool) -> Self {
        Self { answerer: None, is_barred, since: Instant::now(), calls: 0, pause: Duration::ZERO, paused_at: None }
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

    /// Does the thread that answers have to sleep still?
    fn is_paused(&self, now: Instant) -> bool {
        self.paused_at.is_some_and(|at| now.duration_since(at) < self.pause)
    }

    fn wake(&self) {
        if let Some(Answerer { shared, .. }) = &self.answerer {
            shared.is_awake.store(true, Ordering::Relaxed);
            shared.unpark();
        }
    }

    /// A call was an exit although the other thread is awake: that may not be worth while.
    fn note_exit(&mut self, now: Instant) {
        let Some(answerer) = &mut self.answerer else { return };
        answerer.exits += 1;
        if answerer.exits < EXITS_A_LOOK {
            return;
        }
        let answers = answerer.shared.answers.load(Ordering::Relaxed);
        let pays = answers - answerer.answers >= ANSWERS_AN_EXIT * u64::from(answerer.exits);
        (answerer.exits, answerer.answers) = (0, answers);
        if pays {
            self.pause = Duration::ZERO;
        } else {
            answerer.shared.is_awake.store(false, Ordering::Relaxed);
            self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            self.paused_at = Some(now);
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
        let exitless = &mut self.exitless;
        match exitless.answerer.as_ref().map(|answerer| answerer.shared.is_awake.load(Ordering::Relaxed)) {
            None if exitless.completes(WORTH_THREAD, now) => self.start_answerer(answer),
            Some(true) => {
                exitless.note_exit(now);
                self.patch_hot_call();
            }
            Some(false) if !exitless.is_paused(now) && exitless.completes(WORTH_WAKING, now) => exitless.wake(),
            None | Some(false) => {}
        }
    }

    /// The call that has just left the guest may have done so in order to become a jump.
    fn patch_hot_call(&self) {
        let hot = self.exitless.answerer.as_ref().map_or(0, |answerer| answerer.shared.hot.swap(0, Ordering::Acquire));
        if hot != 0 {
            self.patch_call(hot);
        }
    }

    /// While another vCPU runs the same code, calls that have become jumps make a `syscall` of their own.
    pub(super) fn suspend_jumps(&self) {
        self.process.mm.machine().aim_trampolines(None);
    }

    /// No other vCPU runs the same code any longer.
    pub(super) fn resume_jumps(&self) {
        if self.exitless.answerer.is_some() {
            self.process.mm.machine().aim_trampolines(Some(&self.vcpu));
        }
    }

    /// From now on no other thread answers the calls of this one, which may become different from others.
    pub fn end_exitless(&mut self) {
        self.exitless.is_barred = true;
        let Some(answerer) = self.exitless.answerer.take() else { return };
        self.suspend_jumps();
        self.vcpu.remove_door(self.process.mm.machine().system());
        answerer.shared.is_over.store(true, Ordering::Relaxed);
        answerer.shared.unpark();
        let _ = answerer.end.recv();
        answerer.shared.until_gone();
    }

    /// In a process that was just made, where no other thread is.
    pub(super) fn restart_exitless(&mut self) {
        self.suspend_jumps();
        self.vcpu.remove_door(self.process.mm.machine().system());
        self.exitless = Exitless::new(!self.process.settings.exitless);
    }

    fn start_answerer(&mut self, answer: fn() -> Answer) {
        // It blocks all signals for good. If one is there to be delivered, the next burst will do.
        if self.signals.hold_off().is_ok() {
            self.exitless.answerer = if is_possible() { self.answerer(answer()) } else { None };
            self.exitless.is_barred = self.exitless.answerer.is_none();
            self.resume_jumps();
            self.signals.let_in();
        }
    }

    /// A thread that answers calls, if there can be one.
    fn answerer(&mut self, answer: Answer) -> Option<Answerer> {
        let process = self.process.clone();
        let machine = process.mm.machine();
        let door = self.vcpu.make_door()?;
        // The registers of this vCPU, which never runs, are for what answers calls.
        let state = self.vcpu.state().ok();
        let Some(vcpu) = state.and_then(|state| process.take_vcpu(&state).ok()) else {
            self.vcpu.remove_door(machine.system());
            return None;
        };
        let shared = Arc::new(Shared {
            door,
            thread: OnceLock::new(),
            is_awake: AtomicBool::new(true),
            is_over: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            hot: AtomicU64::new(0),
        });
        let other = Self::asleep(vcpu, process.clone(), self.signals.of_thread());
        let (caller, its) = (self.tid(), shared.clone());
        let (ended, end) = channel();
        let spawned = sys::thread::spawn((other, answer), move |(mut other, mut answer)| {
            sys::capture::send_on_to(caller);
            let _ = its.thread.set((thread::current(), gettid()));
            its.run(&mut other, &mut answer);
            other.process.mm.machine().return_vcpu(other.vcpu);
            drop(ended);
        });
        if let Err((other, _)) = spawned {
            self.vcpu.remove_door(machine.system());
            machine.return_vcpu(other.vcpu);
            return None;
        }
        Some(Answerer { shared, end, exits: 0, answers: 0 })
    }
}

/// Is there a second processor, and nobody who counts what this process takes of them?
fn is_possible() -> bool {
    is_unlimited(Resource::RLIMIT_CPU) && sys::thread::nr_processors() > 1
}

impl Shared {
    fn unpark(&self) {
        // Before it is there it is not asleep.
        if let Some((thread, _)) = self.thread.get() {
            thread.unpark();
        }
    }

    /// A thread that has ended is counted until the host kernel has let go of it.
    fn until_gone(&self) {
        const PAUSE: Duration = Duration::from_micros(20);
        const LONGEST: Duration = Duration::from_secs(2);
        let Some((_, tid)) = self.thread.get() else { return };
        let started = Instant::now();
        while sys::tgkill(Pid::this(), *tid, 0).is_ok() && started.elapsed() < LONGEST {
            thread::sleep(PAUSE);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// The thread that answers.
    fn run(&self, task: &mut Task, answer: &mut Answer) {
        let process = task.process.clone();
        let system = process.mm.machine().system();
        let mut counts = process.settings.patch.then(Counts::new);
        while !self.is_over() {
            if !self.is_awake.load(Ordering::Relaxed) {
                thread::park();
                continue;
            }
            self.door.set_patience(PATIENCE, system);
            let mut looks = Looks::default();
            while looks.go_on() && self.is_awake.load(Ordering::Relaxed) {
                let answer = |posted: Posted, stay| {
                    if counts.as_mut().is_some_and(|counts| counts.note(posted.rip)) {
                        self.hot.store(posted.rip, Ordering::Release);
                        return None;
                    }
                    answer(task, posted, stay)
                };
                if self.door.answer(system, answer) {
                    self.answers.fetch_add(1, Ordering::Relaxed);
                    looks = Looks::default();
                }
            }
            self.door.set_patience(0, system);
            self.is_awake.store(false, Ordering::Relaxed);
        }
    }
}

/// Looking for calls, in vain so far.
#[derive(Default)]
struct Looks {
    count: u32,
    since: Option<Instant>,
}

impl Looks {
    /// Shall there be one more?
    fn go_on(&mut self) -> bool {
        /// Looks between two at the clock.
        const A_WHILE: u32 = 64;
        std::hint::spin_loop();
        self.count += 1;
        if !self.count.is_multiple_of(A_WHILE) {
            return true;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() < IDLE
    }
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

    #[test]
    fn a_place_becomes_hot_once() {
        let mut counts = Counts::new();
        assert!((1..HOT).all(|_| !counts.note(0x7fff_f7e0_1007)));
        assert!(!counts.note(0x7fff_f7e0_1107), "another place");
        assert!(counts.note(0x7fff_f7e0_1007));
        assert!((0..2 * HOT).all(|_| !counts.note(0x7fff_f7e0_1007)));
    }

    #[test]
    fn looking_in_vain_ends() {
        let mut looks = Looks::default();
        let started = Instant::now();
        while looks.go_on() {
            assert!(started.elapsed() < Duration::from_secs(10));
        }
        assert!(started.elapsed() >= IDLE);
    }
}
