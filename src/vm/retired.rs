//! Exact stops after a number of instructions: fast by a counter of the processor, which stops late, and then by steps.

use super::Trap;
use crate::sys::perf::OverflowCounter;

/// So many instructions before its goal a counter is to stop a run. It stops it later than it is told.
pub const MARGIN: u64 = 10_000;

/// What executes instructions and counts those that were retired.
pub trait Retiring {
    /// Why it cannot.
    type Error: From<Overshot>;

    /// Executes about so many, or fewer if something else ends that.
    ///
    /// # Errors
    /// Its own.
    fn run_about(&mut self, instructions: u64) -> Result<Ran, Self::Error>;

    /// Executes one.
    ///
    /// # Errors
    /// Its own.
    fn step(&mut self) -> Result<Ran, Self::Error>;
}

/// What came of executing instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How many were retired.
    pub retired: u64,
    /// What ended it, if that was not the number.
    pub stop: Option<Trap>,
}

/// So many instructions too many have been executed, which nothing undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the processor's counter stopped the run {0} instructions too late")]
pub struct Overshot(pub u64);

/// Executes exactly `count` instructions, or fewer if something else ends that.
///
/// # Errors
/// Those of `cpu`, and [`Overshot`] when a counter was later than [`MARGIN`] allows for.
pub fn advance<R: Retiring>(cpu: &mut R, count: u64) -> Result<Ran, R::Error> {
    let (mut retired, mut has_stalled) = (0, false);
    while retired < count {
        let left = count - retired;
        // A counter that stands still shall not keep it from coming to its end.
        let is_far = left > 2 * MARGIN && !has_stalled;
        let ran = if is_far { cpu.run_about(left - MARGIN)? } else { cpu.step()? };
        has_stalled = is_far && ran == Ran { retired: 0, stop: None };
        retired += ran.retired;
        if retired > count {
            return Err(Overshot(retired - count).into());
        }
        if ran.stop.is_some() {
            return Ok(Ran { retired, stop: ran.stop });
        }
    }
    Ok(Ran { retired, stop: None })
}

/// A counter that was seen to count exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactCounter {
    /// What it counts too little, or too much, where a system call ends a run.
    pub per_call: i64,
}

impl ExactCounter {
    /// How many instructions were retired, of which the last one made `trap`.
    pub fn retired(self, counted: u64, trap: &Trap) -> u64 {
        if *trap == Trap::Syscall { counted.saturating_add_signed(self.per_call) } else { counted }
    }
}

/// Runs `run` until about so many instructions are retired; returns what it returns, and how many the counter has seen.
///
/// # Errors
/// Those of perf_event_open(2)'s descriptor.
pub fn counted<T>(
    counter: &mut OverflowCounter,
    instructions: u64,
    run: impl FnOnce() -> T,
) -> std::io::Result<(T, u64)> {
    counter.arm(instructions)?;
    let result = run();
    Ok((result, counter.disarm()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stops late by what `skid` says, and early now and then.
    struct Fake {
        executed: u64,
        stepped: u64,
        random: fastrand::Rng,
        most_skid: u64,
        /// Every so many instructions there is a system call.
        call_every: u64,
        is_stuck: bool,
    }

    impl Fake {
        fn new(seed: u64, most_skid: u64) -> Self {
            let random = fastrand::Rng::with_seed(seed);
            Self { executed: 0, stepped: 0, random, most_skid, call_every: u64::MAX, is_stuck: false }
        }

        /// Up to the next call at most.
        fn execute(&mut self, count: u64) -> Ran {
            let to_call = self.call_every - self.executed % self.call_every;
            let retired = count.min(to_call);
            self.executed += retired;
            Ran { retired, stop: (retired == to_call).then_some(Trap::Syscall) }
        }
    }

    impl Retiring for Fake {
        type Error = Overshot;

        fn run_about(&mut self, instructions: u64) -> Result<Ran, Overshot> {
            let skid = self.random.u64(0..=self.most_skid);
            let is_early = self.random.u8(0..4) == 0;
            let count = if is_early { self.random.u64(0..=instructions) } else { instructions + skid };
            Ok(if self.is_stuck { Ran { retired: 0, stop: None } } else { self.execute(count) })
        }

        fn step(&mut self) -> Result<Ran, Overshot> {
            self.stepped += 1;
            Ok(self.execute(1))
        }
    }

    #[test]
    fn it_stops_exactly_however_late_and_early_the_counter_is() {
        let mut random = fastrand::Rng::with_seed(1);
        for seed in 0..200 {
            let count = random.u64(1..=10_000_000);
            let mut cpu = Fake::new(seed, MARGIN);
            let ran = advance(&mut cpu, count).unwrap();
            assert_eq!((ran.retired, ran.stop, cpu.executed), (count, None, count));
            assert!(cpu.stepped <= 2 * MARGIN, "{} of {count} were steps", cpu.stepped);
        }
    }

    #[test]
    fn calls_on_the_way_lose_no_instruction() {
        let mut random = fastrand::Rng::with_seed(2);
        for seed in 0..50 {
            let count = random.u64(1..=1_000_000);
            let mut cpu = Fake { call_every: random.u64(1..=50_000), ..Fake::new(seed, MARGIN / 2) };
            let mut left = count;
            while left > 0 {
                left -= advance(&mut cpu, left).unwrap().retired;
            }
            assert_eq!(cpu.executed, count);
        }
    }

    #[test]
    fn a_counter_that_is_too_late_is_told_of() {
        let mut cpu = Fake::new(3, 100 * MARGIN);
        let too_late = (0..100).filter_map(|_| advance(&mut cpu, 5 * MARGIN).err()).next().unwrap();
        assert!(too_late.0 > 0 && too_late.0 < 100 * MARGIN, "{too_late}");
    }

    #[test]
    fn a_counter_that_stands_still_is_done_without() {
        let mut cpu = Fake { is_stuck: true, ..Fake::new(4, 0) };
        assert_eq!(advance(&mut cpu, 3 * MARGIN), Ok(Ran { retired: 3 * MARGIN, stop: None }));
    }

    #[test]
    fn what_a_call_adds_is_taken_off() {
        let counter = ExactCounter { per_call: -3 };
        assert_eq!((counter.retired(10, &Trap::Syscall), counter.retired(10, &Trap::Kicked)), (7, 10));
    }
}
