//! What was counted, once it is out of the shared memory: sums of threads, of processes and of the whole run.

use std::collections::BTreeMap;

use super::counters::{NR_CAUSES, State};
use super::histogram::Histogram;

/// How often something happened, and for how long altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// In ns.
    pub time: u64,
}

/// One system call's uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many.
    pub count: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How long answering them took, in ns.
    pub time: u64,
    /// How long the longest took.
    pub longest: u64,
    /// How long each took.
    pub histogram: Histogram,
}

impl Calls {
    /// The time in ns that 99 of 100 took at most.
    pub fn p99(&self) -> u64 {
        self.histogram.percentile(99, self.longest).unwrap_or(0)
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.time += other.time;
        self.longest = self.longest.max(other.longest);
        self.histogram.merge(&other.histogram);
    }
}

/// What a thread did, or several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// For how long they lived, in ns.
    pub lifetime: u64,
    /// In guest mode, calls that another thread answered meanwhile left out.
    pub guest: u64,
    /// Between exits and what they were answered by.
    pub runner: u64,
    /// Exits by cause (`CAUSES`), and the time until they were answered.
    pub exits: [Tally; NR_CAUSES],
    /// Calls that another thread answered, without an exit.
    pub answered: Tally,
    /// System calls by number.
    pub calls: BTreeMap<u32, Calls>,
    /// Most memory that a process had, in bytes; 0 if that is not known.
    pub peak: u64,
    /// The guest's part of it.
    pub guest_peak: u64,
}

impl Counts {
    /// Adds what `other` did.
    pub fn merge(&mut self, other: &Self) {
        self.lifetime += other.lifetime;
        self.guest += other.guest;
        self.runner += other.runner;
        for (exits, others) in self.exits.iter_mut().zip(&other.exits).chain([(&mut self.answered, &other.answered)]) {
            exits.count += others.count;
            exits.time += others.time;
        }
        for (nr, calls) in &other.calls {
            self.calls.entry(*nr).or_default().merge(calls);
        }
        self.peak = self.peak.max(other.peak);
        self.guest_peak = self.guest_peak.max(other.guest_peak);
    }

    /// How long all system calls took, in ns, those without an exit included.
    pub fn syscall_time(&self) -> u64 {
        self.calls.values().map(|calls| calls.time).sum()
    }

    /// How many there were.
    pub fn nr_calls(&self) -> u64 {
        self.calls.values().map(|calls| calls.count).sum()
    }

    /// Adds what was going on when the counters were read, since `time` ns; `None` if that only begins later.
    pub(super) fn finish(&mut self, state: State, time: Option<u64>) {
        match (state, time) {
            (_, None) => {}
            (State::Guest, Some(time)) => self.guest += time,
            (State::Runner, Some(time)) => self.runner += time,
            (State::Exit(cause), Some(time)) => self.exits[cause].time += time,
            (State::Syscall(nr), Some(time)) => {
                let calls = self.calls.entry(nr).or_default();
                calls.count += 1;
                calls.time += time;
                calls.longest = calls.longest.max(time);
                calls.histogram.add(super::histogram::bucket(time), 1);
                self.exits[super::counters::SYSCALLS].time += time;
            }
        }
        // It was answered while the caller was in guest mode.
        self.guest = self.guest.saturating_sub(self.answered.time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_counts_in() {
        let mut counts = Counts { guest: 10, answered: Tally { count: 1, time: 4 }, ..Counts::default() };
        counts.finish(State::Syscall(34), Some(5));
        assert_eq!((counts.guest, counts.syscall_time(), counts.nr_calls()), (6, 5, 1));
        assert_eq!(counts.exits[0], Tally { count: 0, time: 5 });
        let mut none = Counts { guest: 10, ..Counts::default() };
        none.finish(State::Exit(1), None);
        assert_eq!(none, Counts { guest: 10, ..Counts::default() });
        let mut both = counts.clone();
        both.merge(&counts);
        assert_eq!((both.nr_calls(), both.calls[&34].p99(), both.answered.count), (2, 5, 2));
    }
}
