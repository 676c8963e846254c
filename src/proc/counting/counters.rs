//! The counters: memory that all processes of a run share with whoever reports what it cost.
//!
//! Each guest thread has a *slot*, which it alone writes while it lives; so nothing is locked, and a process may be killed
//! anywhere. What a thread was doing then stands in its slot, too, and since when.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::Pid;

use super::histogram::{NR_BUCKETS, bucket};
use super::totals::{Calls, Counts};
use crate::proc::sampling::now;
use crate::proc::shared_memory::{SharedMemory, pid_namespace};

/// Causes of exits, in the order of their counters.
pub const CAUSES: [&str; NR_CAUSES] =
    ["system calls", "page faults", "bus errors", "exceptions", "kicks", "unexpected"];
pub(super) const NR_CAUSES: usize = 6;
/// Index in [`CAUSES`] of system calls.
pub const SYSCALLS: usize = 0;
/// Index of page faults.
pub const PAGE_FAULTS: usize = 1;
/// Index of bus errors.
pub const BUS_ERRORS: usize = 2;

/// Numbers of system calls that are counted each on its own; all others together are the last one.
const NR_SYSCALLS: usize = 512;
/// Bytes of a thread's name, with its NUL (`TASK_COMM_LEN`).
const NAME_LEN: usize = 16;

const PAGE: usize = 4096;
const NR_SLOTS: usize = 2048;
/// Behind a page of words and a page that says where the record of each system call is.
const RECORDS: usize = 2 * PAGE;
const RECORD_LEN: usize = 8 * (record::BUCKETS + NR_BUCKETS);
const RING: usize = (RECORDS + NR_SYSCALLS * RECORD_LEN).next_multiple_of(PAGE);
/// Bytes of events that wait to be written to a timeline.
pub(super) const RING_LEN: usize = 256 << 10;
const SLOT_LEN: usize = RING + RING_LEN;
const LEN: usize = PAGE + NR_SLOTS * SLOT_LEN;

/// Words of the first page.
mod head {
    pub(super) const NEXT_NUMBER: usize = 8;
    /// One behind the highest slot that was ever taken.
    pub(super) const SLOTS_USED: usize = 16;
    /// Threads that got no slot.
    pub(super) const LOST: usize = 24;
    /// How often the counters were set to zero, and when the last time (on the clock of the run).
    pub(super) const EPOCH: usize = 32;
    pub(super) const RESET_AT: usize = 40;
    /// When counting was paused (CLOCK_MONOTONIC, ns), 0 if it is not, and for how long before that.
    pub(super) const PAUSED_AT: usize = 48;
    pub(super) const PAUSED: usize = 56;
    /// Snapshots that were asked for, and those that were made.
    pub(super) const DUMPS_WANTED: usize = 64;
    pub(super) const DUMPS_MADE: usize = 72;
    pub(super) const HAS_TIMELINE: usize = 80;
    /// Events that found no room.
    pub(super) const LOST_EVENTS: usize = 88;
    /// Pid namespace of whoever reports.
    pub(super) const NAMESPACE: usize = 96;
}

/// Words of a slot.
mod word {
    pub(super) const PHASE: usize = 0;
    pub(super) const SERIAL: usize = 8;
    pub(super) const PID: usize = 16;
    pub(super) const TID: usize = 24;
    /// When the process was made (`starttime` of proc_pid_stat(5)), which tells it from others of its number.
    pub(super) const BORN: usize = 32;
    pub(super) const EPOCH: usize = 40;
    /// Times on the clock of the run, in ns.
    pub(super) const STARTED: usize = 48;
    pub(super) const SINCE: usize = 56;
    pub(super) const ENDED: usize = 64;
    pub(super) const STATE: usize = 72;
    pub(super) const GUEST: usize = 80;
    pub(super) const RUNNER: usize = 88;
    pub(super) const ANSWERED: usize = 96;
    pub(super) const ANSWERED_TIME: usize = 104;
    pub(super) const NR_RECORDS: usize = 112;
    /// Most memory that the process had, and how much of that was the guest's, in bytes.
    pub(super) const PEAK: usize = 120;
    pub(super) const GUEST_PEAK: usize = 128;
    pub(super) const NAME: usize = 136;
    /// Count and time of each cause.
    pub(super) const CAUSES: usize = 152;
    /// Of the ring: bytes that were ever written, and those that were read.
    pub(super) const WRITTEN: usize = 512;
    pub(super) const READ: usize = 1024;
}

/// Words of the record of a system call.
mod record {
    pub(super) const COUNT: usize = 0;
    pub(super) const ERRORS: usize = 1;
    pub(super) const TIME: usize = 2;
    pub(super) const LONGEST: usize = 3;
    pub(super) const BUCKETS: usize = 4;
}

/// Is there a thread in a slot?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// No.
    Free,
    /// One is about to be there.
    Taken,
    /// Yes.
    Live,
    /// It has ended, and was not counted in yet.
    Closed,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is in the runner, on the way between the others.
    Runner,
    /// It is in guest mode.
    Guest,
    /// A system call is being answered.
    Syscall(u32),
    /// An exit of another cause is.
    Exit(usize),
}

impl State {
    fn to_word(self) -> u64 {
        match self {
            Self::Runner => 0,
            Self::Guest => 1 << 32,
            Self::Syscall(nr) => 2 << 32 | u64::from(nr),
            Self::Exit(cause) => 3 << 32 | cause as u64,
        }
    }

    fn of(word: u64) -> Self {
        let low = word & u64::from(u32::MAX);
        match word >> 32 {
            1 => Self::Guest,
            2 => Self::Syscall(u32::try_from(low).unwrap_or(0)),
            3 => Self::Exit(usize::try_from(low).unwrap_or(0).min(NR_CAUSES - 1)),
            _ => Self::Runner,
        }
    }
}

/// The shared memory.
#[derive(Debug)]
pub struct Counters {
    memory: SharedMemory,
}

impl Counters {
    /// New ones. `has_timeline` if threads are to say what they do when.
    pub fn new(has_timeline: bool) -> io::Result<Self> {
        let counters = Self { memory: SharedMemory::new(c"kvm-se counters", LEN)? };
        counters.word(head::HAS_TIMELINE).store(has_timeline.into(), Ordering::Relaxed);
        counters.word(head::RESET_AT).store(now(), Ordering::Relaxed);
        counters.word(head::NAMESPACE).store(pid_namespace(), Ordering::Relaxed);
        Ok(counters)
    }

    /// Those behind `file`.
    pub fn open(file: File) -> io::Result<Self> {
        Ok(Self { memory: SharedMemory::open(file, LEN)? })
    }

    /// What they are made of.
    pub(in crate::proc) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// Do threads say what they do when, and does anybody read it?
    pub fn has_timeline(&self) -> bool {
        self.word(head::HAS_TIMELINE).load(Ordering::Relaxed) != 0
    }

    /// The clock of the run: CLOCK_MONOTONIC in ns, which stands still while counting is paused.
    pub fn now(&self) -> u64 {
        let (paused_at, paused) = (self.paused_at(), self.word(head::PAUSED).load(Ordering::Relaxed));
        let at = if paused_at == 0 { now() } else { paused_at };
        at.saturating_sub(paused)
    }

    fn paused_at(&self) -> u64 {
        self.word(head::PAUSED_AT).load(Ordering::Acquire)
    }

    /// Is nothing counted at the moment?
    pub fn is_paused(&self) -> bool {
        self.paused_at() != 0
    }

    /// Counts nothing from now on; neither is anything put on the timeline, nor does the clock of the run go on.
    pub fn pause(&self) {
        // Paused by another thread as well: its moment holds.
        let _ = self.word(head::PAUSED_AT).compare_exchange(0, now(), Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Goes on after [`Self::pause`].
    pub fn resume(&self) {
        let at = self.word(head::PAUSED_AT);
        let paused_at = at.load(Ordering::Acquire);
        if paused_at != 0 {
            self.word(head::PAUSED).fetch_add(now().saturating_sub(paused_at), Ordering::Relaxed);
            at.store(0, Ordering::Release);
        }
    }

    /// Begins anew from zero, for all threads of the run. What was counted before is forgotten.
    pub fn reset(&self) {
        self.word(head::RESET_AT).store(self.now(), Ordering::Relaxed);
        self.word(head::EPOCH).fetch_add(1, Ordering::Release);
    }

    /// How often that was done.
    pub fn epoch(&self) -> u64 {
        self.word(head::EPOCH).load(Ordering::Acquire)
    }

    /// When that was done last, or when counting began (clock of the run).
    pub fn reset_at(&self) -> u64 {
        self.word(head::RESET_AT).load(Ordering::Relaxed)
    }

    /// Asks whoever reports for a snapshot; returns its number. [`Self::nr_dumps_made`] says when it is there.
    pub fn want_dump(&self) -> u64 {
        self.word(head::DUMPS_WANTED).fetch_add(1, Ordering::AcqRel) + 1
    }

    /// How many snapshots were asked for.
    pub fn nr_dumps_wanted(&self) -> u64 {
        self.word(head::DUMPS_WANTED).load(Ordering::Acquire)
    }

    /// How many were made.
    pub fn nr_dumps_made(&self) -> u64 {
        self.word(head::DUMPS_MADE).load(Ordering::Acquire)
    }

    /// One more was made.
    pub fn note_dump(&self) {
        self.word(head::DUMPS_MADE).fetch_add(1, Ordering::AcqRel);
    }

    /// How many threads found no slot.
    pub fn lost(&self) -> u64 {
        self.word(head::LOST).load(Ordering::Relaxed)
    }

    /// How many events found no room.
    pub fn lost_events(&self) -> u64 {
        self.word(head::LOST_EVENTS).load(Ordering::Relaxed)
    }

    /// Nobody reads events any more.
    pub(super) fn lose_event(&self) {
        self.word(head::HAS_TIMELINE).store(0, Ordering::Relaxed);
        self.word(head::LOST_EVENTS).fetch_add(1, Ordering::Relaxed);
    }

    /// All slots that were ever taken.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        let used = self.word(head::SLOTS_USED).load(Ordering::Acquire);
        (0..NR_SLOTS.min(usize::try_from(used).unwrap_or(NR_SLOTS))).map(|index| self.slot(index))
    }

    pub(super) fn slot(&self, index: usize) -> Slot<'_> {
        Slot { counters: self, base: PAGE + index * SLOT_LEN }
    }

    /// Takes a slot for the thread `tid` of `pid`, a process made at `born`.
    pub(crate) fn take_slot(&self, pid: Pid, tid: Pid, born: u64) -> Option<usize> {
        // Whoever reports asks by its number whether a thread lives.
        let is_in_reach = pid_namespace() == self.word(head::NAMESPACE).load(Ordering::Relaxed);
        let is_taken = |index: &usize| self.slot(*index).change(Phase::Free, Phase::Taken);
        let Some(index) = (0..NR_SLOTS).filter(|_| is_in_reach).find(is_taken) else {
            self.word(head::LOST).fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.word(head::SLOTS_USED).fetch_max(index as u64 + 1, Ordering::AcqRel);
        let slot = self.slot(index);
        let now = self.now();
        for (at, value) in [
            (word::SERIAL, self.word(head::NEXT_NUMBER).fetch_add(1, Ordering::Relaxed) + 1),
            (word::PID, u64::from(pid.as_raw().unsigned_abs())),
            (word::TID, u64::from(tid.as_raw().unsigned_abs())),
            (word::BORN, born),
            (word::EPOCH, self.epoch()),
            (word::STARTED, now),
            (word::SINCE, now),
            (word::STATE, State::Runner.to_word()),
        ] {
            slot.word(at).store(value, Ordering::Relaxed);
        }
        slot.note_name();
        slot.word(word::PHASE).store(Phase::Live as u64, Ordering::Release);
        Some(index)
    }

    #[inline]
    fn word(&self, offset: usize) -> &AtomicU64 {
        self.memory.word(offset)
    }
}

/// One thread's place.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    counters: &'a Counters,
    base: usize,
}

impl Slot<'_> {
    #[inline]
    fn word(&self, at: usize) -> &AtomicU64 {
        self.counters.word(self.base + at)
    }

    #[inline]
    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Relaxed)
    }

    /// Nobody else writes it.
    #[inline]
    fn add(&self, at: usize, value: u64) {
        let word = self.word(at);
        word.store(word.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
    }

    fn id(&self, at: usize) -> Pid {
        Pid::from_raw(i32::try_from(self.load(at)).unwrap_or(0))
    }

    fn change(&self, from: Phase, to: Phase) -> bool {
        let (from, to) = (from as u64, to as u64);
        self.word(word::PHASE).compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Is there a thread?
    pub fn phase(&self) -> Phase {
        let word = self.word(word::PHASE).load(Ordering::Acquire);
        let found = [Phase::Free, Phase::Taken, Phase::Live].into_iter().find(|phase| *phase as u64 == word);
        found.unwrap_or(Phase::Closed)
    }

    /// Its number, which no other thread of the run has.
    pub fn serial(&self) -> u64 {
        self.load(word::SERIAL)
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        self.id(word::PID)
    }

    /// The thread.
    pub fn tid(&self) -> Pid {
        self.id(word::TID)
    }

    /// When the process was made, in the kernel's ticks.
    pub fn born(&self) -> u64 {
        self.load(word::BORN)
    }

    /// The thread's name.
    pub fn name(&self) -> Vec<u8> {
        let mut name = vec![0; NAME_LEN];
        self.counters.memory.read(self.base + word::NAME, &mut name);
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(NAME_LEN));
        name
    }

    // What the thread itself does with its slot.

    pub(super) fn note_name(&self) {
        let mut name = [0; NAME_LEN];
        let own = nix::sys::prctl::get_name().unwrap_or_default();
        name.iter_mut().zip(own.to_bytes()).for_each(|(to, from)| *to = *from);
        self.counters.memory.write(self.base + word::NAME, &name);
    }

    pub(super) fn note_peak(&self, all: u64, guest: u64) {
        self.word(word::PEAK).store(all, Ordering::Relaxed);
        self.word(word::GUEST_PEAK).store(guest, Ordering::Relaxed);
    }

    #[inline]
    fn epoch(&self) -> u64 {
        self.load(word::EPOCH)
    }

    /// Sets the counters to zero if that was asked for.
    #[inline]
    pub(super) fn follow_reset(&self) {
        let epoch = self.counters.epoch();
        if epoch != self.epoch() {
            self.clear(epoch);
        }
    }

    #[cold]
    fn clear(&self, epoch: u64) {
        for nr in 0..self.nr_records() {
            let record = RECORDS + nr * RECORD_LEN;
            (0..RECORD_LEN).step_by(8).for_each(|at| self.word(record + at).store(0, Ordering::Relaxed));
        }
        let causes = (word::CAUSES..).step_by(8).take(2 * NR_CAUSES);
        for at in [word::GUEST, word::RUNNER, word::ANSWERED, word::ANSWERED_TIME].into_iter().chain(causes) {
            self.word(at).store(0, Ordering::Relaxed);
        }
        let reset_at = self.counters.reset_at();
        for at in [word::STARTED, word::SINCE] {
            self.word(at).store(self.load(at).max(reset_at), Ordering::Relaxed);
        }
        self.word(word::EPOCH).store(epoch, Ordering::Release);
    }

    /// The thread does something else from now on. Returns for how long it did what it did before.
    #[inline]
    pub(super) fn enter(&self, state: State, now: u64) -> u64 {
        let since = self.load(word::SINCE);
        self.word(word::STATE).store(state.to_word(), Ordering::Relaxed);
        self.word(word::SINCE).store(now.max(since), Ordering::Relaxed);
        now.saturating_sub(since)
    }

    /// Since when it does what it does.
    #[inline]
    pub(super) fn since(&self) -> u64 {
        self.load(word::SINCE)
    }

    #[inline]
    pub(super) fn add_guest_time(&self, time: u64) {
        self.add(word::GUEST, time);
    }

    #[inline]
    pub(super) fn add_runner_time(&self, time: u64) {
        self.add(word::RUNNER, time);
    }

    #[inline]
    pub(super) fn add_exit(&self, cause: usize) {
        self.add(word::CAUSES + 16 * cause, 1);
    }

    #[inline]
    pub(super) fn add_exit_time(&self, cause: usize, time: u64) {
        self.add(word::CAUSES + 16 * cause + 8, time);
    }

    pub(super) fn add_answer(&self, time: u64) {
        self.add(word::ANSWERED, 1);
        self.add(word::ANSWERED_TIME, time);
    }

    /// Counts a call that took `time` ns to answer.
    #[inline]
    pub(super) fn add_call(&self, nr: u64, time: u64, is_error: bool) {
        let record = self.record(nr);
        let at = |word: usize| record + 8 * word;
        self.add(at(record::COUNT), 1);
        self.add(at(record::ERRORS), is_error.into());
        self.add(at(record::TIME), time);
        if time > self.load(at(record::LONGEST)) {
            self.word(at(record::LONGEST)).store(time, Ordering::Relaxed);
        }
        self.add(at(record::BUCKETS + bucket(time)), 1);
    }

    /// Where the record of the call `nr` is, which gets one at its first time.
    #[inline]
    fn record(&self, nr: u64) -> usize {
        let nr = usize::try_from(nr).unwrap_or(NR_SYSCALLS).min(NR_SYSCALLS - 1);
        let place = self.word(PAGE + 8 * nr);
        match place.load(Ordering::Relaxed) {
            0 => {
                let next = self.nr_records();
                place.store(next as u64 + 1, Ordering::Relaxed);
                self.add(word::NR_RECORDS, 1);
                RECORDS + next * RECORD_LEN
            }
            number => RECORDS + usize::try_from(number - 1).unwrap_or(0) * RECORD_LEN,
        }
    }

    fn nr_records(&self) -> usize {
        usize::try_from(self.load(word::NR_RECORDS)).unwrap_or(0).min(NR_SYSCALLS - 1)
    }

    /// The thread has ended now, or was ended at some time before.
    pub fn close(&self) {
        if self.phase() == Phase::Live {
            self.word(word::ENDED).store(self.counters.now(), Ordering::Relaxed);
            self.word(word::PHASE).store(Phase::Closed as u64, Ordering::Release);
        }
    }

    /// Lets another thread have it. Only for whoever counts ended threads in.
    pub fn free(&self) -> io::Result<()> {
        // What a new thread writes must not be cleared, so the page with the phase comes last.
        self.counters.memory.clear(self.base + PAGE, SLOT_LEN - PAGE)?;
        (8..PAGE).step_by(8).for_each(|at| self.word(at).store(0, Ordering::Relaxed));
        self.word(word::PHASE).store(Phase::Free as u64, Ordering::Release);
        Ok(())
    }

    /// What was counted since the last reset, up to its end or to now. What the thread is doing counts in, a system call
    /// as one that has been made.
    pub fn counts(&self) -> Counts {
        let end = if self.phase() == Phase::Closed { self.load(word::ENDED) } else { self.counters.now() };
        let reset_at = self.counters.reset_at();
        let mut counts = Counts {
            peak: self.load(word::PEAK),
            guest_peak: self.load(word::GUEST_PEAK),
            lifetime: end.saturating_sub(self.load(word::STARTED).max(reset_at)),
            ..Counts::default()
        };
        if self.epoch() == self.counters.epoch() {
            self.add_to(&mut counts);
        }
        let since = self.load(word::SINCE).max(reset_at);
        counts.finish(State::of(self.load(word::STATE)), end.checked_sub(since));
        counts
    }

    fn add_to(&self, counts: &mut Counts) {
        (counts.guest, counts.runner) = (self.load(word::GUEST), self.load(word::RUNNER));
        (counts.answered.count, counts.answered.time) = (self.load(word::ANSWERED), self.load(word::ANSWERED_TIME));
        for (cause, exits) in counts.exits.iter_mut().enumerate() {
            let at = word::CAUSES + 16 * cause;
            (exits.count, exits.time) = (self.load(at), self.load(at + 8));
        }
        for nr in 0..NR_SYSCALLS {
            let number = self.load(PAGE + 8 * nr);
            if number != 0 {
                let calls = self.calls(RECORDS + usize::try_from(number - 1).unwrap_or(0) * RECORD_LEN);
                if calls.count != 0 {
                    counts.calls.insert(u32::try_from(nr).unwrap_or(0), calls);
                }
            }
        }
    }

    fn calls(&self, record: usize) -> Calls {
        let load = |word: usize| self.load(record + 8 * word);
        let mut calls = Calls {
            count: load(record::COUNT),
            errors: load(record::ERRORS),
            time: load(record::TIME),
            longest: load(record::LONGEST),
            ..Calls::default()
        };
        for bucket in 0..NR_BUCKETS {
            match load(record::BUCKETS + bucket) {
                0 => {}
                count => calls.histogram.add(bucket, count),
            }
        }
        calls
    }

    // The ring of events: written by the thread, read by whoever writes the timeline.

    /// Appends `bytes` to the ring; returns whether there was room.
    pub(super) fn push(&self, bytes: &[u8]) -> bool {
        let written = self.load(word::WRITTEN);
        let read = self.word(word::READ).load(Ordering::Acquire);
        if written - read + bytes.len() as u64 > RING_LEN as u64 {
            return false;
        }
        for (at, part) in ring_parts(written, bytes.len()) {
            self.counters.memory.write(self.base + RING + at, &bytes[part]);
        }
        self.word(word::WRITTEN).store(written + bytes.len() as u64, Ordering::Release);
        true
    }

    /// Takes all that is in the ring.
    pub fn take_events(&self) -> Vec<u8> {
        let (written, read) = (self.word(word::WRITTEN).load(Ordering::Acquire), self.load(word::READ));
        let mut bytes = vec![0; usize::try_from(written - read).unwrap_or(0).min(RING_LEN)];
        for (at, part) in ring_parts(read, bytes.len()) {
            self.counters.memory.read(self.base + RING + at, &mut bytes[part]);
        }
        self.word(word::READ).store(written, Ordering::Release);
        bytes
    }
}

/// Where in the ring `len` bytes from `from` on are, and which of them.
fn ring_parts(from: u64, len: usize) -> [(usize, std::ops::Range<usize>); 2] {
    let at = usize::try_from(from % RING_LEN as u64).unwrap_or(0);
    let first = len.min(RING_LEN - at);
    [(at, 0..first), (0, first..len)]
}

#[cfg(test)]
mod tests {
    use nix::unistd::{getpid, gettid};

    use super::*;

    fn with_slot() -> (Counters, usize) {
        let counters = Counters::new(true).unwrap();
        let slot = counters.take_slot(getpid(), gettid(), 1).unwrap();
        (counters, slot)
    }

    #[test]
    fn what_is_counted_is_read() {
        let (counters, slot) = with_slot();
        let slot = counters.slot(slot);
        for (nr, time, is_error) in [(1, 10, false), (1, 1000, true), (u64::MAX, 7, false), (511, 8, false)] {
            slot.add_call(nr, time, is_error);
        }
        slot.add_exit(PAGE_FAULTS);
        slot.add_exit_time(PAGE_FAULTS, 50);
        slot.add_answer(4);
        let counts = slot.counts();
        let Calls { count, errors, time, longest, .. } = counts.calls[&1];
        assert_eq!((count, errors, time, longest), (2, 1, 1010, 1000));
        assert_eq!((counts.calls[&511].count, counts.nr_calls(), counts.answered.count), (2, 4, 1));
        assert_eq!((counts.exits[PAGE_FAULTS].count, counts.exits[PAGE_FAULTS].time), (1, 50));
        assert_eq!((slot.pid(), slot.tid()), (getpid(), gettid()));
        assert!(!slot.name().is_empty());
    }

    #[test]
    fn time_stands_still_while_counting_is_paused() {
        let (counters, _) = with_slot();
        let before = counters.now();
        counters.pause();
        let at = counters.now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        counters.pause();
        assert_eq!(counters.now(), at);
        assert!(counters.is_paused() && at >= before);
        counters.resume();
        counters.resume();
        assert!(!counters.is_paused());
        assert!((at..at + 4_000_000).contains(&counters.now()), "the pause is no part of it");
    }

    #[test]
    fn a_ring_gives_what_was_put_in_as_long_as_there_is_room() {
        let (counters, slot) = with_slot();
        let slot = counters.slot(slot);
        let part: Vec<u8> = (0..=255).cycle().take(RING_LEN / 3).collect();
        for _ in 0..5 {
            assert!(slot.push(&part) && slot.push(&part) && slot.push(&part));
            assert!(!slot.push(&part), "full");
            let bytes = slot.take_events();
            assert_eq!(bytes.len(), 3 * part.len());
            assert!(bytes.chunks(part.len()).all(|chunk| chunk == part));
        }
        assert!(slot.take_events().is_empty());
    }

    #[test]
    fn states_keep_their_words() {
        for state in [State::Runner, State::Guest, State::Syscall(257), State::Exit(4)] {
            assert_eq!(State::of(state.to_word()), state);
        }
        assert_eq!(State::of(3 << 32 | 99), State::Exit(NR_CAUSES - 1));
    }
}
