//! The region of interest of a run (`--roi`): whether it is in it, for all its threads and processes together, and who is
//! told when it begins and ends.
//!
//! Samples are taken, calls traced and things counted inside alone. Inside and outside stand in memory that all processes
//! of the run share, with the recorder.

mod code;
mod point;

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

pub use code::Ends;
pub use point::{M5_POINTS, Point, Span};

use super::Task;
use super::sampling::now;
use super::settings::Stop;
use super::shared_memory::SharedMemory;

const LEN: usize = 4096;
/// What [`word::SINCE`] says outside.
const OUTSIDE: u64 = u64::MAX;

/// Words of the shared memory.
mod word {
    /// When the region began (CLOCK_MONOTONIC, ns).
    pub(super) const SINCE: usize = 0;
    /// How long it was before, all times together, in ns.
    pub(super) const BEFORE: usize = 8;
    /// How often it began.
    pub(super) const BEGUN: usize = 16;
    /// How often each end was passed.
    pub(super) const PASSED_FROM: usize = 24;
    pub(super) const PASSED_TO: usize = 32;
    /// Odd while the words above are being changed.
    pub(super) const CHANGES: usize = 40;
    /// Has a thread been told that the run stops here?
    pub(super) const STOPPED: usize = 48;
}

/// What a thread comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// This system call, which it is about to make.
    Syscall(u32),
    /// The m5op of this index in [`M5_POINTS`], with its work id.
    M5(usize, u64),
}

impl Passed {
    fn is_at(self, point: &Point) -> bool {
        match (self, point) {
            (Self::Syscall(nr), Point::Syscall(wanted, _)) => nr == *wanted,
            (Self::M5(op, id), Point::M5(wanted, wanted_id)) => op == *wanted && wanted_id.is_none_or(|it| it == id),
            _ => false,
        }
    }
}

/// What happens to the region, for those who are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It begins.
    Begin,
    /// It ends.
    End,
}

/// A region of interest.
#[derive(Debug)]
pub struct Region {
    span: Span,
    memory: SharedMemory,
}

impl Region {
    /// For a run that is about to start.
    pub fn new(span: Span) -> io::Result<Self> {
        let region = Self { span, memory: SharedMemory::new(c"kvm-se region", LEN)? };
        let is_inside = region.span.from == Point::Outermost;
        region.word(word::SINCE).store(if is_inside { now() } else { OUTSIDE }, Ordering::Relaxed);
        region.word(word::BEGUN).store(is_inside.into(), Ordering::Relaxed);
        Ok(region)
    }

    /// The one behind `file`.
    pub(super) fn open(span: Span, file: File) -> io::Result<Self> {
        Ok(Self { span, memory: SharedMemory::open(file, LEN)? })
    }

    pub(super) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// From where to where it is.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Must each system call leave the guest?
    pub fn watches_calls(&self) -> bool {
        self.span.any(|point| matches!(point, Point::Syscall(..)))
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        self.memory.word(at)
    }

    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }

    /// Is the run in it?
    #[inline]
    pub fn is_inside(&self) -> bool {
        self.load(word::SINCE) != OUTSIDE
    }

    /// How often it has begun.
    pub fn times(&self) -> u64 {
        self.load(word::BEGUN)
    }

    /// The time that passed inside up to `at` (CLOCK_MONOTONIC), in ns.
    pub fn time(&self, at: u64) -> u64 {
        self.read(|since, before| before + if since == OUTSIDE { 0 } else { at.saturating_sub(since) })
    }

    /// [`Self::time`] at the moment when it began last.
    pub(super) fn time_at_begin(&self) -> u64 {
        self.load(word::BEFORE)
    }

    fn read(&self, value: impl Fn(u64, u64) -> u64) -> u64 {
        // Whoever changes it may have been killed there.
        const MOST_LOOKS: u32 = 1000;
        for _ in 0..MOST_LOOKS {
            let changes = self.load(word::CHANGES);
            let found = value(self.load(word::SINCE), self.load(word::BEFORE));
            if changes.is_multiple_of(2) && self.load(word::CHANGES) == changes {
                return found;
            }
            std::hint::spin_loop();
        }
        value(self.load(word::SINCE), self.load(word::BEFORE))
    }

    /// Is the caller the first to ask?
    fn is_first_to_stop(&self) -> bool {
        self.word(word::STOPPED).swap(1, Ordering::AcqRel) == 0
    }

    fn begin(&self) -> bool {
        let change = (OUTSIDE, now());
        let has_begun =
            self.word(word::SINCE).compare_exchange(change.0, change.1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if has_begun {
            self.word(word::BEGUN).fetch_add(1, Ordering::AcqRel);
        }
        has_begun
    }

    fn end(&self) -> bool {
        let (since, at) = (self.load(word::SINCE), now());
        if since == OUTSIDE {
            return false;
        }
        self.word(word::CHANGES).fetch_add(1, Ordering::AcqRel);
        let is_ours =
            self.word(word::SINCE).compare_exchange(since, OUTSIDE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if is_ours {
            self.word(word::BEFORE).fetch_add(at.saturating_sub(since), Ordering::AcqRel);
        }
        self.word(word::CHANGES).fetch_add(1, Ordering::AcqRel);
        is_ours
    }

    /// A thread comes by what `is_at` says of a point.
    fn pass(&self, is_at: impl Fn(&Point) -> bool) -> Option<Change> {
        let was_inside = self.is_inside();
        let is_from = self.is_reached(&self.span.from, word::PASSED_FROM, &is_at);
        let is_to = self.is_reached(&self.span.to, word::PASSED_TO, &is_at);
        match was_inside {
            true if is_to && self.end() => Some(Change::End),
            false if is_from && self.begin() => Some(Change::Begin),
            _ => None,
        }
    }

    fn is_reached(&self, point: &Point, passed: usize, is_at: &impl Fn(&Point) -> bool) -> bool {
        if !is_at(point) {
            return false;
        }
        let times = self.word(passed).fetch_add(1, Ordering::AcqRel) + 1;
        point.count().is_none_or(|count| count == times)
    }
}

impl Task {
    /// Is the run in its region of interest, if it has one?
    #[inline]
    pub fn is_inside_region(&self) -> bool {
        self.process.settings.region.as_ref().is_none_or(|region| region.is_inside())
    }

    /// The thread comes by a place where the region of interest may begin or end.
    pub fn pass(&self, passed: Passed) {
        if let Some(region) = &self.process.settings.region
            && let Some(change) = region.pass(|point| passed.is_at(point))
        {
            self.announce(change);
        }
    }

    /// Does the run stop here, with this thread? Not to be asked for each exit.
    #[cold]
    pub fn stops(&mut self) -> bool {
        let settings = &self.process.settings;
        let is_counted_out = settings.tracing.as_ref().is_some_and(|tracing| tracing.is_counted_out());
        let comes_first = |stop: &Stop| match &settings.region {
            Some(region) => region.is_first_to_stop(),
            None => !stop.has_stopped.swap(true, Ordering::AcqRel),
        };
        let is_at_end = is_counted_out || !self.is_inside_region();
        self.has_stopped = is_at_end && settings.stop.as_deref().is_some_and(comes_first);
        if self.has_stopped
            && let Some(ends) = &self.process.ends
        {
            // Whoever looks at the code sees what belongs there.
            ends.breakpoints.clear_all(&self.process.mm);
        }
        self.has_stopped
    }

    /// Tells those who look at the run alone.
    fn announce(&self, change: Change) {
        match change {
            Change::Begin => {
                self.process.settings.counters.iter().for_each(|counters| counters.resume());
                self.mark("region begins");
                if self.process.settings.tracing.is_some() {
                    self.process.threads.kick_others(self.tid());
                }
                tracing::info!(tid = self.tid().as_raw(), "the region begins");
            }
            Change::End => {
                self.mark("region ends");
                self.process.settings.counters.iter().for_each(|counters| counters.pause());
                tracing::info!(tid = self.tid().as_raw(), "the region ends");
            }
        }
    }

    /// The system call `nr` is about to be made.
    #[cold]
    pub fn pass_call(&mut self, nr: u64) {
        let place = (self.vcpu.regs().rip, nr);
        let was_inside = self.is_inside_region();
        // Made again after a signal that came first, it is the same one.
        if self.restarted_call.take_if(|restarted| *restarted == place).is_none() {
            self.pass(Passed::Syscall(u32::try_from(nr & u64::from(u32::MAX)).unwrap_or(u32::MAX)));
        }
        if self.is_inside_region() != was_inside
            && let Err(error) = self.trace_border_call()
        {
            self.broken = Some(error);
        }
    }

    /// The call `nr` has not been made: a signal comes first.
    pub fn note_restarted_call(&mut self, nr: u64) {
        self.restarted_call = Some((self.vcpu.regs().rip, nr));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_and_ends_where_it_says() {
        let call = |nr, count| Point::Syscall(nr, count);
        let region = Region::new(Span { from: call(1, Some(2)), to: call(2, None) }).unwrap();
        let pass = |nr| region.pass(|point| Passed::Syscall(nr).is_at(point));
        assert_eq!([pass(1), pass(2), pass(1)], [None, None, Some(Change::Begin)]);
        assert!(region.is_inside() && region.times() == 1);
        assert_eq!([pass(1), pass(2), pass(1), pass(2)], [None, Some(Change::End), None, None]);
        assert!(!region.is_inside());
        assert_eq!(region.time(u64::MAX), region.time(0), "time stands still outside");
    }

    #[test]
    fn work_items_are_told_apart() {
        let region = Region::new(Span { from: Point::M5(0, Some(7)), to: Point::M5(1, None) }).unwrap();
        let pass = |op, id| region.pass(|point| Passed::M5(op, id).is_at(point));
        assert_eq!([pass(0, 6), pass(0, 7), pass(1, 9)], [None, Some(Change::Begin), Some(Change::End)]);
    }

    #[test]
    fn without_a_beginning_it_is_there_from_the_start() {
        let region = Region::new(Span { from: Point::Outermost, to: Point::Syscall(1, None) }).unwrap();
        assert!(region.is_inside());
        assert_eq!(region.pass(|point| Passed::Syscall(1).is_at(point)), Some(Change::End));
    }
}
