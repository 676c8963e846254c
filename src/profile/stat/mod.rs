//! `kvm-se stat`: what a run cost, as its processes count it in memory that they share (`proc::counting`).
//!
//! | module | what |
//! |---|---|
//! | `collector` | looks at the counters while the program runs, and counts in who has ended |
//! | `pmu` | the processor's counters |
//! | [`text`], [`json`] | the report |
//! | `timeline` | what threads did when |

mod collector;
pub mod json;
mod pmu;
pub mod text;
mod timeline;

pub use collector::{Background, Collector};
pub use pmu::{Counted as HardwareCounted, Counting as HardwareCounting};
pub use timeline::TimelineFile;

use crate::proc::ExitStatus;
use crate::proc::counting::{BUS_ERRORS, Counters, Counts, Harvest, PAGE_FAULTS, ProcessTotals, SYSCALLS};
use crate::vm::doctor::ExitCosts;

/// What was run.
#[derive(Debug)]
pub struct Subject {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Does a tracer see all its calls, so that the guest answers none itself?
    pub is_traced: bool,
}

/// All that is known of a run.
#[derive(Debug)]
pub struct Report {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Names of calls that are not counted, for the guest may have answered them itself.
    pub not_counted: Vec<&'static str>,
    /// How it ended.
    pub status: ExitStatus,
    /// The whole run.
    pub whole: Snapshot,
    /// Those that were asked for while it ran.
    pub dumps: Vec<Snapshot>,
    /// Context switches of the program and of all children that were waited for: voluntary ones and others. `None` if
    /// the kernel did not say.
    pub context_switches: Option<(u64, u64)>,
    /// Most memory that one of these processes had, the runner's included, in bytes.
    pub peak_memory: u64,
    /// What the processor's counters say.
    pub hardware: Vec<HardwareCounted>,
    /// What it costs here to leave guest mode and to enter it again.
    pub exit_costs: Option<ExitCosts>,
    /// Threads that could not be counted: there were too many, or in another pid namespace.
    pub lost_threads: u64,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Since counting began, or began anew, in ns.
    pub wall: u64,
    /// By process, in the order of their birth.
    pub processes: Vec<ProcessTotals>,
}

impl Snapshot {
    /// Of all that is counted in `counters`, where nobody else counts ended threads in.
    pub fn of(counters: &Counters) -> Self {
        let wall = counters.now().saturating_sub(counters.reset_at());
        Self { wall, processes: Harvest::default().processes(counters) }
    }

    /// All processes together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.processes.iter().for_each(|process| total.merge(&process.counts));
        total
    }

    /// How many threads there were, those that were not named one by one as one.
    pub fn nr_threads(&self) -> usize {
        self.processes.iter().map(|process| process.threads.len()).sum()
    }
}

/// Where the time of threads went: the parts are all of it, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// In guest mode, to get there and back included.
    pub guest: u64,
    /// Of that, to get there and back, as far as that is known: what it costs where nothing else is done.
    pub entering: Option<u64>,
    /// System calls were answered.
    pub syscalls: u64,
    /// Page faults and bus errors were.
    pub faults: u64,
    /// What else the runner did.
    pub runner: u64,
}

impl Shares {
    /// Of `counts`.
    pub fn of(counts: &Counts, costs: Option<&ExitCosts>) -> Self {
        let exits = &counts.exits;
        let faults = exits[PAGE_FAULTS].time + exits[BUS_ERRORS].time;
        let others = |what: usize| ![SYSCALLS, PAGE_FAULTS, BUS_ERRORS].contains(&what);
        let other_exits: u64 = (0..exits.len()).filter(|&what| others(what)).map(|what| exits[what].time).sum();
        let entering = costs.map(|costs| {
            let nanos = |cost: std::time::Duration| u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX);
            let all: u64 = exits.iter().map(|exits| exits.count).sum();
            let faults = exits[PAGE_FAULTS].count + exits[BUS_ERRORS].count;
            ((all - faults) * nanos(costs.syscall) + faults * nanos(costs.page_fault)).min(counts.guest)
        });
        let (guest, syscalls) = (counts.guest, counts.syscall_time());
        Self { guest, entering, syscalls, faults, runner: counts.runner + other_exits }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proc::counting::{Calls, Tally};

    #[test]
    fn shares_are_all_of_the_time() {
        let mut counts = Counts { lifetime: 100_000, guest: 60_000, runner: 7_000, ..Counts::default() };
        for (exits, time) in counts.exits.iter_mut().zip([20_000, 5_000, 1_000, 1_000, 4_000, 0]) {
            *exits = Tally { count: 1, time };
        }
        counts.answered = Tally { count: 2, time: 2_000 };
        counts.calls.insert(39, Calls { count: 3, time: 22_000, ..Calls::default() });
        let costs = ExitCosts { syscall: Duration::from_micros(2), page_fault: Duration::from_micros(3) };
        let shares = Shares::of(&counts, Some(&costs));
        assert_eq!((shares.syscalls, shares.faults, shares.runner), (22_000, 6_000, 12_000));
        assert_eq!(shares.guest + shares.syscalls + shares.faults + shares.runner, counts.lifetime);
        assert_eq!(shares.entering, Some(4 * 2_000 + 2 * 3_000));
        assert_eq!(
            Shares::of(&Counts { guest: 5, ..counts }, Some(&costs)).entering,
            Some(5),
            "not more than there is"
        );
    }
}
