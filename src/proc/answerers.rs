//! The threads that answer calls ([`super::exitless`]): each those of one guest thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use nix::unistd::{Pid, gettid};

use super::Task;
use crate::sys::{capture, tgkill, thread as host_thread};
use crate::vm::{Door, Posted};

/// Answers a call, or refuses it. The number is that of the stay in guest mode ([`Door::answer`]).
pub type Answer = Box<dyn FnMut(&mut Task, Posted, u64) -> Option<u64> + Send>;

/// Turns for which a call waits for its answer: about what an exit takes.
const PATIENCE: u64 = 600;
/// For how long a thread looks for calls when none come.
const IDLE: Duration = Duration::from_micros(150);
/// So many calls from one place make it a hot one.
const HOT: u32 = 512;

/// Those of a process. There are fewer than processors, for whoever calls needs one as well.
#[derive(Debug, Default)]
pub struct Answerers {
    all: Mutex<Vec<Arc<Answerer>>>,
    /// There shall be none.
    is_barred: AtomicBool,
}

impl Answerers {
    /// Is there room for one more? If not, one that sleeps makes room.
    pub(super) fn has_room(&self) -> bool {
        let most = (host_thread::nr_processors() / 2).max(1);
        let mut all = self.lock();
        all.retain(|answerer| !answerer.is_over());
        if all.len() >= most
            && let Some(index) = all.iter().position(|answerer| !answerer.is_awake())
        {
            all.swap_remove(index).dismiss();
        }
        all.len() < most && !self.is_barred()
    }

    pub(super) fn add(&self, answerer: Arc<Answerer>) {
        self.lock().push(answerer);
    }

    /// Shall there be none?
    pub(super) fn is_barred(&self) -> bool {
        self.is_barred.load(Ordering::Relaxed)
    }

    /// Ends all of them, for good if `is_barred`; returns whether there were any.
    pub(super) fn dismiss_all(&self, is_barred: bool) -> bool {
        self.is_barred.fetch_or(is_barred, Ordering::Relaxed);
        let all = std::mem::take(&mut *self.lock());
        all.iter().for_each(|answerer| answerer.dismiss());
        all.iter().for_each(|answerer| answerer.until_gone());
        !all.is_empty()
    }

    /// In a process that was just made: there are none.
    pub(super) fn restart(&self) {
        self.lock().clear();
        self.is_barred.store(false, Ordering::Relaxed);
    }

    /// Keeps others from beginning or ending any while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Answerer>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
#[derive(Debug)]
pub(super) struct Answerer {
    door: Arc<Door>,
    thread: OnceLock<(Thread, Pid)>,
    is_awake: AtomicBool,
    is_over: AtomicBool,
    answers: AtomicU64,
    /// Behind the call that shall become a jump (GVA); 0 for none.
    hot: AtomicU64,
}

impl Answerer {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            thread: OnceLock::new(),
            is_awake: AtomicBool::new(true),
            is_over: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            hot: AtomicU64::new(0),
        }
    }

    /// Does it look for calls?
    pub(super) fn is_awake(&self) -> bool {
        self.is_awake.load(Ordering::Relaxed)
    }

    pub(super) fn wake(&self) {
        self.is_awake.store(true, Ordering::Relaxed);
        self.unpark();
    }

    pub(super) fn sleep(&self) {
        self.is_awake.store(false, Ordering::Relaxed);
    }

    /// Has it been told to end?
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// How many calls it has answered.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Where the call ends (GVA) that has left the guest in order to become a jump, if one has.
    pub(super) fn take_hot(&self) -> Option<u64> {
        Some(self.hot.swap(0, Ordering::Acquire)).filter(|&hot| hot != 0)
    }

    /// Tells it to end.
    pub(super) fn dismiss(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.sleep();
        self.unpark();
    }

    fn unpark(&self) {
        // Before it is there it is not asleep.
        if let Some((thread, _)) = self.thread.get() {
            thread.unpark();
        }
    }

    /// A thread that has ended is counted until the host kernel has let go of it.
    pub(super) fn until_gone(&self) {
        const PAUSE: Duration = Duration::from_micros(20);
        const GRACE: Duration = Duration::from_millis(2);
        const LONGEST: Duration = Duration::from_secs(2);
        let Some((_, tid)) = self.thread.get() else { return };
        let started = Instant::now();
        while tgkill(Pid::this(), *tid, 0).is_ok() && started.elapsed() < LONGEST {
            if started.elapsed() > GRACE {
                // It may be waiting where it should not.
                let _ = capture::kick(Pid::this(), *tid);
            }
            thread::sleep(PAUSE);
        }
    }

    /// The thread that answers the calls of `caller`; `task` has what handlers need.
    pub(super) fn run(&self, caller: Pid, task: &mut Task, answer: &mut Answer) {
        let tid = gettid();
        capture::send_on_to(caller);
        let _ = self.thread.set((thread::current(), tid));
        self.door.set_hurry(move || {
            let _ = capture::kick(Pid::this(), tid);
        });
        let process = task.process.clone();
        let system = process.mm.machine().system();
        let mut counts = process.settings.patch.then(Counts::new);
        while !self.is_over() {
            if !self.is_awake() {
                thread::park();
                continue;
            }
            self.door.set_patience(PATIENCE, system);
            let mut looks = Looks::default();
            while looks.go_on() && self.is_awake() {
                let answer = |posted: Posted, stay| {
                    if process.threads.is_single() && counts.as_mut().is_some_and(|counts| counts.note(posted.rip)) {
                        self.hot.store(posted.rip, Ordering::Release);
                        return None;
                    }
                    // Whoever had it hurry did so for the call before.
                    capture::set_attention(false);
                    answer(task, posted, stay)
                };
                if self.door.answer(system, answer) {
                    self.answers.fetch_add(1, Ordering::Relaxed);
                    looks = Looks::default();
                }
            }
            self.door.set_patience(0, system);
            self.sleep();
        }
    }
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
