//! Who runs: one guest thread at a time, and the next one when that waits, or by a draw.
//!
//! Whether a thread that waits can go on is found out by trying: it gets the baton when something has happened that may
//! have ended its wait, and makes its call again without waiting. When nobody can go on, time jumps to the first deadline;
//! if there is none, somebody outside the run must do something, and all try again after a pause.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::unistd::{Pid, getpid, gettid};

use super::board::{Board, Head, NR_SEATS, Word};
use crate::sys::call::{wait_futex, wake_futex};
use crate::sys::{capture, thread};

/// A thread's place on the board.
pub type Seat = usize;

/// What can end a wait, besides signals and its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Whatever another thread does.
    Progress,
    /// Nothing.
    Signal,
    /// A wake-up of the futex that it is queued for.
    Futex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum State {
    Free,
    Ready,
    Waiting,
    /// In a host call that it makes without the baton.
    Outside,
}

/// `Head::Holder` when all threads are outside.
const NOBODY: u64 = 0;
/// Pause of a thread that may have missed that.
const NOBODY_FOR: Duration = Duration::from_millis(1);
/// `Word::IsForProgress` of the parent of a vfork child.
const SLEEPS_FOR_CHILD: u64 = 2;
/// In how many draws at points where it could go on a thread hands the baton on once.
const ONE_IN: usize = 8;
/// Processor time after which a thread that reaches no such point is said to spin.
const SPIN: Duration = Duration::from_secs(5);
/// The same where it is stepped then.
const SPIN_BEFORE_STEPS: Duration = Duration::from_millis(200);
/// How often those that wait look whether the holder lives and gets on.
const WATCH: Duration = Duration::from_millis(500);
/// Most that is waited for a process to be dead that is about to.
const DEATH: Duration = Duration::from_secs(5);
/// How long host calls that are made without the baton hold time back.
const OUTSIDE_HOLDS: Duration = Duration::from_millis(20);

impl Board {
    /// Seats the first thread of the run, with the baton; returns its number as well.
    pub fn seat_first(&self) -> Seat {
        self.wait_for_file_times();
        self.note_given();
        let seat = self.seat_thread(None).unwrap_or(0);
        self.sit(seat);
        self.note_id(getpid().as_raw(), self.guest_tid(seat));
        self.set(Head::Holder, seat as u64 + 1);
        seat
    }

    /// A seat for a new thread: of the process of `sibling`, or the first one of a new process. `None` if all are taken.
    pub fn seat_thread(&self, sibling: Option<Seat>) -> Option<Seat> {
        let seat = (0..NR_SEATS).find(|&seat| self.state(seat) == State::Free)?;
        let used = self.get(Head::SeatsUsed).max(seat as u64 + 1);
        self.set(Head::SeatsUsed, used);
        let tid = u64::from(self.next_id().unsigned_abs());
        let process =
            sibling.map_or([tid, 0], |other| [self.load(other, Word::GuestPid), self.load(other, Word::GuestParent)]);
        for (word, value) in [
            (Word::Baton, 0),
            (Word::Pid, 0),
            (Word::Tid, 0),
            (Word::GuestPid, process[0]),
            (Word::GuestTid, tid),
            (Word::GuestParent, process[1]),
            (Word::Deadline, u64::MAX),
            (Word::Futex, 0),
            (Word::Timer, u64::MAX),
            (Word::VforkOf, 0),
            (Word::HasReturned, 0),
            (Word::State, State::Ready as u64),
        ] {
            self.store(seat, word, value);
        }
        Some(seat)
    }

    /// A seat for the first thread of a child of the process of `parent`, which sleeps until it ends if `is_vfork`.
    pub fn seat_child(&self, parent: Seat, is_vfork: bool) -> Option<Seat> {
        let seat = self.seat_thread(None)?;
        self.store(seat, Word::GuestParent, self.load(parent, Word::GuestPid));
        if is_vfork {
            self.store(seat, Word::VforkOf, parent as u64 + 1);
        }
        Some(seat)
    }

    /// Gives back a seat that nobody has taken.
    pub fn give_back(&self, seat: Seat) {
        self.set_state(seat, State::Free);
    }

    /// The calling host thread is the one of `seat` from now on.
    pub fn sit(&self, seat: Seat) {
        self.store(seat, Word::Pid, u64::from(getpid().as_raw().unsigned_abs()));
        self.store(seat, Word::Tid, u64::from(gettid().as_raw().unsigned_abs()));
    }

    /// A child that may be killed before it has taken its seat.
    pub fn note_process(&self, seat: Seat, pid: Pid) {
        if self.load(seat, Word::Pid) == 0 {
            self.store(seat, Word::Pid, u64::from(pid.as_raw().unsigned_abs()));
        }
    }

    /// The thread's number as the guest sees it.
    pub fn guest_tid(&self, seat: Seat) -> i32 {
        i32::try_from(self.load(seat, Word::GuestTid)).unwrap_or(0)
    }

    /// Its process's.
    pub fn guest_pid(&self, seat: Seat) -> i32 {
        i32::try_from(self.load(seat, Word::GuestPid)).unwrap_or(0)
    }

    /// The parent's of its process: init's, or what stands for it, if that has ended or is outside.
    pub fn guest_parent(&self, seat: Seat) -> i32 {
        let parent = self.load(seat, Word::GuestParent);
        let lives = self.taken().any(|other| self.load(other, Word::GuestPid) == parent);
        i32::try_from(if lives { parent } else { self.get(Head::Outside) }).unwrap_or(1)
    }

    /// The thread executes a program: it is the only one of its process, and the first.
    pub fn become_first(&self, seat: Seat) {
        let pid = self.load(seat, Word::GuestPid);
        for other in self.taken().filter(|&other| other != seat && self.load(other, Word::GuestPid) == pid) {
            self.set_state(other, State::Free);
        }
        self.store(seat, Word::GuestTid, pid);
        self.store(seat, Word::Timer, u64::MAX);
        self.release_vfork(seat);
    }

    /// Lets the thread go on that sleeps until this one ends or executes a program.
    pub fn release_vfork(&self, seat: Seat) {
        let of = self.load(seat, Word::VforkOf);
        if of != 0 {
            self.store(seat, Word::VforkOf, 0);
            self.set_state(usize::try_from(of - 1).unwrap_or(0), State::Ready);
        }
    }

    /// Is it the only thread of the run?
    pub fn is_alone(&self) -> bool {
        self.taken().count() == 1
    }

    /// Something has been done that others may wait for.
    pub fn note_progress(&self) {
        self.count(Head::Progress);
    }

    /// A signal was sent, or may have been.
    pub fn note_signal(&self) {
        self.count(Head::Signals);
    }

    /// When the first timer of the process of `seat` ends, or `u64::MAX`.
    pub fn set_timer(&self, seat: Seat, deadline: u64) {
        let pid = self.load(seat, Word::GuestPid);
        for other in self.taken().filter(|&other| self.load(other, Word::GuestPid) == pid) {
            self.store(other, Word::Timer, u64::MAX);
        }
        self.store(seat, Word::Timer, deadline);
    }

    /// A point where the baton may be handed on. Returns when `seat` has it.
    pub fn pass_point(&self, seat: Seat, yields: bool) {
        self.count(Head::Points);
        if !self.is_alone() && (yields || self.draw(ONE_IN) == 0) {
            self.hand_on(seat);
        }
    }

    /// Waits for what `wait` says, until `deadline` (ns of virtual time), and a signal. Returns when `seat` has the baton.
    pub fn wait(&self, seat: Seat, wait: Wait, deadline: Option<u64>) {
        self.count(Head::Points);
        let is_for_progress = wait == Wait::Progress;
        let seen = self.events(is_for_progress);
        for (word, value) in [
            (Word::Deadline, deadline.unwrap_or(u64::MAX)),
            (Word::Seen, seen),
            (Word::IsForProgress, is_for_progress.into()),
        ] {
            self.store(seat, word, value);
        }
        self.set_state(seat, State::Waiting);
        self.hand_on(seat);
        self.set_state(seat, State::Ready);
        self.store(seat, Word::Deadline, u64::MAX);
    }

    /// The thread is the last of those that wait for the futex `key`, for one of the bits in `mask`.
    pub fn queue(&self, seat: Seat, key: u64, mask: u32) {
        let place = self.count(Head::Queue);
        for (word, value) in [(Word::FutexPlace, place), (Word::FutexMask, mask.into()), (Word::Futex, key)] {
            self.store(seat, word, value);
        }
    }

    /// It waits no more.
    pub fn leave_queue(&self, seat: Seat) {
        self.store(seat, Word::Futex, 0);
    }

    /// Has somebody woken it by the futex that it waits for?
    pub fn is_woken(&self, seat: Seat) -> bool {
        self.load(seat, Word::Futex) == 0
    }

    /// Wakes up to `most` threads, those first that began to wait first; returns how many.
    pub fn wake(&self, key: u64, mask: u32, most: usize) -> usize {
        let waiters = self.waiters(key, mask);
        for &seat in waiters.iter().take(most) {
            self.store(seat, Word::Futex, 0);
            self.set_state(seat, State::Ready);
        }
        waiters.len().min(most)
    }

    /// Has up to `most` threads wait for the futex `to` instead; returns how many.
    pub fn requeue(&self, key: u64, to: u64, most: usize) -> usize {
        let waiters = self.waiters(key, u32::MAX);
        waiters.iter().take(most).for_each(|&seat| self.store(seat, Word::Futex, to));
        waiters.len().min(most)
    }

    fn waiters(&self, key: u64, mask: u32) -> Vec<Seat> {
        let is_meant = |&seat: &Seat| {
            self.load(seat, Word::Futex) == key && self.load(seat, Word::FutexMask) & u64::from(mask) != 0
        };
        let mut waiters: Vec<Seat> = self.taken().filter(is_meant).collect();
        waiters.sort_by_key(|&seat| self.load(seat, Word::FutexPlace));
        waiters
    }

    /// Does `call`, which may block for long, without the baton.
    pub fn outside<T>(&self, seat: Seat, call: impl FnOnce() -> T) -> T {
        if self.is_alone() {
            return call();
        }
        self.store(seat, Word::HasReturned, 0);
        self.set_state(seat, State::Outside);
        match self.candidate().or_else(|| self.next_to_try(Some(seat))) {
            Some(next) => self.give(next),
            None => self.set(Head::Holder, NOBODY),
        }
        let result = call();
        self.store(seat, Word::HasReturned, 1);
        self.take(seat);
        self.set_state(seat, State::Ready);
        self.note_progress();
        result
    }

    /// The parent of a vfork child gives it the baton.
    pub fn hand_to_child(&self, parent: Seat, child: Seat) {
        self.store(parent, Word::Deadline, u64::MAX);
        self.store(parent, Word::IsForProgress, SLEEPS_FOR_CHILD);
        self.set_state(parent, State::Waiting);
        self.give(child);
    }

    /// The child was not made after all.
    pub fn take_back(&self, parent: Seat, child: Seat) {
        self.seat_word(child, Word::Baton).store(0, Ordering::Release);
        self.set_state(child, State::Free);
        self.set(Head::Holder, parent as u64 + 1);
        self.set_state(parent, State::Ready);
    }

    /// The calling thread ends: it gives back its seat and hands the baton on.
    pub fn leave(&self, seat: Seat) {
        self.release_vfork(seat);
        let (pid, timer) = (self.load(seat, Word::GuestPid), self.load(seat, Word::Timer));
        self.set_state(seat, State::Free);
        if let Some(heir) = self.taken().find(|&other| self.load(other, Word::GuestPid) == pid) {
            let earlier = self.load(heir, Word::Timer).min(timer);
            self.store(heir, Word::Timer, earlier);
        }
        self.note_progress();
        self.note_signal();
        if let Some(next) = self.next(None) {
            self.give(next);
        }
    }

    /// The calling process ends. Whoever comes next waits for its death.
    pub fn leave_process(&self) {
        // The calling thread has the baton.
        let Ok(seat) = usize::try_from(self.get(Head::Holder).wrapping_sub(1)) else { return };
        let pid = self.load(seat.min(NR_SEATS - 1), Word::GuestPid);
        for other in self.taken().filter(|&other| other != seat && self.load(other, Word::GuestPid) == pid) {
            self.set_state(other, State::Free);
        }
        self.set(Head::Dying, u64::from(getpid().as_raw().unsigned_abs()));
        self.leave(seat);
    }

    /// Waits until the process `pid` of the host is dead, for a moment, and frees its seats.
    pub fn bury(&self, pid: i32) {
        if thread::wait_for_death(Pid::from_raw(pid), DEATH) {
            let seats = self.taken().filter(|&seat| self.load(seat, Word::Pid) == u64::from(pid.unsigned_abs()));
            for seat in seats.collect::<Vec<_>>() {
                self.release_vfork(seat);
                self.set_state(seat, State::Free);
            }
        }
        self.note_progress();
        self.note_signal();
    }

    /// Did the calling thread, which was made to leave guest mode, spin? Says so once.
    pub fn take_spinning(&self, seat: Seat) -> bool {
        let is_it = self.get(Head::Spinning) == seat as u64 + 1;
        if is_it {
            self.set(Head::Spinning, 0);
        }
        is_it
    }

    /// No process of the run goes on.
    pub fn end_run(&self) {
        self.set(Head::IsEnded, 1);
    }

    /// Has one of them ended it?
    pub fn has_ended(&self) -> bool {
        self.get(Head::IsEnded) != 0
    }

    /// Gives the baton to whoever is next, and waits until `seat` has it again.
    fn hand_on(&self, seat: Seat) {
        let next = self.next(Some(seat));
        if next != Some(seat) {
            if let Some(next) = next {
                self.give(next);
            }
            self.take(seat);
        }
    }

    fn give(&self, seat: Seat) {
        self.set(Head::Holder, seat as u64 + 1);
        self.store(seat, Word::Baton, 1);
        wake_futex(self.place_of(seat, Word::Baton));
    }

    /// Waits for the baton.
    pub fn take(&self, seat: Seat) {
        let mut watch = Watch::default();
        let baton = self.seat_word(seat, Word::Baton);
        while baton.swap(0, Ordering::AcqRel) == 0 {
            if self.load(seat, Word::HasReturned) != 0 && self.exchange(Head::Holder, NOBODY, seat as u64 + 1) {
                break;
            }
            let began = Instant::now();
            // Where nobody has the baton, nobody wakes.
            let pause = if self.get(Head::Holder) == NOBODY { NOBODY_FOR } else { WATCH };
            wait_futex(self.place_of(seat, Word::Baton), 0, pause);
            // A signal ends the pause as well.
            if began.elapsed() >= WATCH && self.holder_is_dead(seat) {
                self.set_state(seat, if self.state(seat) == State::Outside { State::Ready } else { self.state(seat) });
                match self.next(Some(seat)) {
                    Some(next) if next != seat => self.give(next),
                    _ => break,
                }
            }
            self.watch(&mut watch);
        }
        let dying = self.get(Head::Dying);
        if dying != 0 {
            self.set(Head::Dying, 0);
            self.bury(i32::try_from(dying).unwrap_or(0));
        }
    }

    /// If the process of the holder was killed, makes `seat` the holder and says so.
    fn holder_is_dead(&self, seat: Seat) -> bool {
        let holder = self.get(Head::Holder);
        let Some(held) = usize::try_from(holder).ok().and_then(|holder| holder.checked_sub(1)) else { return false };
        let pid = i32::try_from(self.load(held, Word::Pid)).unwrap_or(0);
        let process = Pid::from_raw(pid);
        // To wait for a death takes a descriptor, which would be one of the guest's for a moment.
        let may_be_dead = pid != 0 && process != getpid() && thread::has_no_memory(process);
        let is_dead = may_be_dead && thread::wait_for_death(process, Duration::ZERO);
        if !is_dead || !self.exchange(Head::Holder, holder, seat as u64 + 1) {
            return false;
        }
        self.bury(pid);
        true
    }

    /// Makes a thread that spins leave guest mode, where it finds out.
    fn watch(&self, watch: &mut Watch) {
        // A debugger takes its time, and can stop a thread that spins.
        if self.is_reversible() {
            return;
        }
        let Ok(held) = usize::try_from(self.get(Head::Holder).wrapping_sub(1)) else { return };
        if held >= NR_SEATS || !self.taken().any(|seat| seat != held && self.would_go_on(seat)) {
            return *watch = Watch::default();
        }
        let points = self.get(Head::Points);
        let [pid, tid] = [Word::Pid, Word::Tid].map(|word| i32::try_from(self.load(held, word)).unwrap_or(0));
        let Some(used) = thread::processor_time(Pid::from_raw(pid), Pid::from_raw(tid)) else { return };
        if watch.at != Some((held, points)) {
            *watch = Watch { at: Some((held, points)), used };
        } else if used.saturating_sub(watch.used) >= if self.steps_threads() { SPIN_BEFORE_STEPS } else { SPIN } {
            self.set(Head::Spinning, held as u64 + 1);
            // It may be on its way out anyhow.
            let _ = capture::kick(Pid::from_raw(pid), Pid::from_raw(tid));
        }
    }

    /// Can it go on, or could it once time passes?
    fn would_go_on(&self, seat: Seat) -> bool {
        self.state(seat) == State::Ready
            || self.state(seat) == State::Waiting && self.load(seat, Word::Deadline) != u64::MAX
    }

    /// Who is to have the baton next; waits until there is somebody. `own` is the caller's seat unless it leaves; then
    /// `None` says that the run is over, or that nobody but threads outside is left.
    fn next(&self, own: Option<Seat>) -> Option<Seat> {
        loop {
            if let Some(seat) = self.candidate() {
                return Some(seat);
            }
            if own.is_none() && self.taken().next().is_none() {
                return None;
            }
            let is_outside = self.taken().any(|seat| self.state(seat) == State::Outside);
            let deadline = self.taken().map(|seat| self.next_deadline(seat)).min().unwrap_or(u64::MAX);
            if deadline != u64::MAX && (!is_outside || self.idled() > OUTSIDE_HOLDS) {
                self.jump_to(deadline);
                self.set(Head::Idled, 0);
                continue;
            }
            std::thread::sleep(self.pause());
            if let Some(one) = self.next_to_try(own) {
                return Some(one);
            }
        }
    }

    /// Somebody who can go on.
    fn candidate(&self) -> Option<Seat> {
        self.let_in_returned();
        let candidates: Vec<Seat> = self.taken().filter(|&seat| self.can_go_on(seat)).collect();
        match candidates.as_slice() {
            [] => None,
            [one] => Some(*one),
            several => Some(several[self.draw(several.len())]),
        }
    }

    /// The longer, the longer nobody has got on.
    fn pause(&self) -> Duration {
        const SHORTEST: u64 = 20;
        const LONGEST: u64 = 5000;
        let progress = self.get(Head::Progress);
        let last = if self.get(Head::IdleSince) == progress { self.get(Head::Pause) } else { 0 };
        let pause = (last + last / 4).clamp(SHORTEST, LONGEST);
        self.set(Head::Idled, if last == 0 { pause } else { self.get(Head::Idled) + pause });
        self.set(Head::IdleSince, progress);
        self.set(Head::Pause, pause);
        Duration::from_micros(pause)
    }

    /// How long all have waited so far, who try again and again meanwhile.
    fn idled(&self) -> Duration {
        let is_since = self.get(Head::IdleSince) == self.get(Head::Progress);
        Duration::from_micros(if is_since { self.get(Head::Idled) } else { 0 })
    }

    /// How much has happened that can end a wait.
    fn events(&self, with_progress: bool) -> u64 {
        let progress = if with_progress { self.get(Head::Progress) } else { 0 };
        self.get(Head::Signals).wrapping_add(progress)
    }

    /// After a pause, everybody tries again, one after the other, without a draw: how often that is tells of the host.
    fn next_to_try(&self, own: Option<Seat>) -> Option<Seat> {
        let tries = |&seat: &Seat| {
            self.state(seat) == State::Waiting && self.load(seat, Word::IsForProgress) != SLEEPS_FOR_CHILD
        };
        let after = own.map_or(0, |own| own + 1);
        let turn = (after..NR_SEATS).chain(0..after);
        turn.filter(|&seat| seat < self.seats_used()).find(tries)
    }

    fn let_in_returned(&self) {
        for seat in self.taken().filter(|&seat| self.state(seat) == State::Outside) {
            if self.load(seat, Word::HasReturned) != 0 {
                self.set_state(seat, State::Ready);
            }
        }
    }

    fn can_go_on(&self, seat: Seat) -> bool {
        match self.state(seat) {
            State::Free | State::Outside => false,
            State::Ready => true,
            State::Waiting => {
                let is_for_progress = self.load(seat, Word::IsForProgress);
                is_for_progress != SLEEPS_FOR_CHILD
                    && (self.events(is_for_progress == 1) != self.load(seat, Word::Seen)
                        || self.next_deadline(seat) <= self.now())
            }
        }
    }

    fn next_deadline(&self, seat: Seat) -> u64 {
        if self.state(seat) != State::Waiting {
            return u64::MAX;
        }
        self.load(seat, Word::Deadline).min(self.load(seat, Word::Timer))
    }

    pub(super) fn taken(&self) -> impl Iterator<Item = Seat> {
        (0..self.seats_used()).filter(|&seat| self.state(seat) != State::Free)
    }

    fn seats_used(&self) -> usize {
        usize::try_from(self.get(Head::SeatsUsed)).unwrap_or(0).min(NR_SEATS)
    }

    fn state(&self, seat: Seat) -> State {
        let word = self.load(seat, Word::State);
        [State::Ready, State::Waiting, State::Outside]
            .into_iter()
            .find(|state| *state as u64 == word)
            .unwrap_or(State::Free)
    }

    fn set_state(&self, seat: Seat, state: State) {
        self.store(seat, Word::State, state as u64);
    }

    fn load(&self, seat: Seat, word: Word) -> u64 {
        self.seat_word(seat, word).load(Ordering::Acquire)
    }

    fn store(&self, seat: Seat, word: Word, value: u64) {
        self.seat_word(seat, word).store(value, Ordering::Release);
    }
}

/// What a thread that waits has seen of the holder.
#[derive(Debug, Default)]
struct Watch {
    at: Option<(Seat, u64)>,
    used: Duration,
}
