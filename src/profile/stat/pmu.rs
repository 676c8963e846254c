//! The processor's counters, as far as there are any.

use std::io;

use crate::sys::perf::{GuestCounter, HardwareEvent};

/// What is counted, as the report calls it.
const EVENTS: [(HardwareEvent, &str); 5] = [
    (HardwareEvent::Instructions, "instructions"),
    (HardwareEvent::Cycles, "cycles"),
    (HardwareEvent::Branches, "branches"),
    (HardwareEvent::BranchMisses, "branch misses"),
    (HardwareEvent::CacheMisses, "cache misses"),
];

/// What has counters.
trait Pmu {
    /// Begins to count.
    fn open(&self, event: HardwareEvent) -> io::Result<Box<dyn Counter>>;
}

/// What counts one thing.
trait Counter: std::fmt::Debug {
    /// The count; for how long it should have been counted, and for how long it was.
    fn read(&mut self) -> io::Result<[u64; 3]>;
}

/// The processor, by way of perf_event_open(2), while it executes user code of the calling thread's guest and of those
/// that its descendants have.
#[derive(Debug)]
struct Processor;

impl Pmu for Processor {
    fn open(&self, event: HardwareEvent) -> io::Result<Box<dyn Counter>> {
        GuestCounter::open(event).map(|counter| -> Box<dyn Counter> { Box::new(counter) })
    }
}

impl Counter for GuestCounter {
    fn read(&mut self) -> io::Result<[u64; 3]> {
        Self::read(self)
    }
}

/// Counters that run.
#[derive(Debug)]
pub struct Counting(Vec<Begun>);

/// The name of what is counted, and its counter or why there is none.
type Begun = (&'static str, Result<Box<dyn Counter>, String>);

/// A count, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Of what.
    pub name: &'static str,
    /// How many.
    pub count: Result<u64, String>,
}

impl Counting {
    /// Begins to count what the processor can, in the calling thread and its descendants.
    pub fn begin() -> Self {
        Self::begin_on(&Processor)
    }

    fn begin_on(pmu: &dyn Pmu) -> Self {
        Self(EVENTS.iter().map(|&(event, name)| (name, pmu.open(event).map_err(|error| reason(&error)))).collect())
    }

    /// What was counted. Counters that had to share the processor's with others are scaled up.
    pub(super) fn end(self) -> Vec<Counted> {
        let read = |counter: Result<Box<dyn Counter>, String>| match counter?.read() {
            Ok([0, wanted, 0]) if wanted != 0 => Err("the processor had no counter to spare".to_owned()),
            Ok([count, wanted, had]) if had < wanted && had != 0 => {
                let scaled = u128::from(count) * u128::from(wanted) / u128::from(had);
                Ok(u64::try_from(scaled).unwrap_or(u64::MAX))
            }
            Ok([count, ..]) => Ok(count),
            Err(error) => Err(reason(&error)),
        };
        self.0.into_iter().map(|(name, counter)| Counted { name, count: read(counter) }).collect()
    }
}

/// Why there is no counter, in words, with the name of the errno.
fn reason(error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap_or(libc::EIO);
    let errno = nix::errno::Errno::from_raw(number);
    match number {
        libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP => format!("this machine has no PMU ({errno:?})"),
        libc::EACCES | libc::EPERM => format!("/proc/sys/kernel/perf_event_paranoid forbids it ({errno:?})"),
        libc::ENOSYS => format!("this kernel has no perf_event_open ({errno:?})"),
        _ => format!("{} ({errno:?})", errno.desc().to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has some of the counters.
    struct Fake(fn(HardwareEvent) -> Result<[u64; 3], i32>);

    impl Pmu for Fake {
        fn open(&self, event: HardwareEvent) -> io::Result<Box<dyn Counter>> {
            match (self.0)(event) {
                Ok(read) => Ok(Box::new(Reading(read))),
                Err(errno) => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    #[derive(Debug)]
    struct Reading([u64; 3]);

    impl Counter for Reading {
        fn read(&mut self) -> io::Result<[u64; 3]> {
            Ok(self.0)
        }
    }

    fn counted(fake: fn(HardwareEvent) -> Result<[u64; 3], i32>) -> Vec<Result<u64, String>> {
        Counting::begin_on(&Fake(fake)).end().into_iter().map(|counted| counted.count).collect()
    }

    #[test]
    fn counts_are_scaled_where_counters_were_shared() {
        let found = counted(|event| match event {
            HardwareEvent::Instructions => Ok([1000, 50, 50]),
            HardwareEvent::Cycles => Ok([1000, 100, 50]),
            HardwareEvent::Branches => Ok([0, 100, 0]),
            HardwareEvent::BranchMisses => Ok([0, 100, 100]),
            HardwareEvent::CacheMisses => Err(libc::EACCES),
        });
        assert_eq!(found[0], Ok(1000));
        assert_eq!(found[1], Ok(2000));
        assert_eq!(found[2], Err("the processor had no counter to spare".to_owned()));
        assert_eq!(found[3], Ok(0));
        assert_eq!(found[4], Err("/proc/sys/kernel/perf_event_paranoid forbids it (EACCES)".to_owned()));
    }

    #[test]
    fn a_machine_without_counters_says_so() {
        assert!(
            counted(|_| Err(libc::ENOENT))
                .iter()
                .all(|count| { count.as_ref().is_err_and(|reason| reason == "this machine has no PMU (ENOENT)") })
        );
    }
}
