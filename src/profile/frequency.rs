//! How often a program is sampled whose user does not say.

use std::time::Duration;

use crate::vm::doctor::syscall_cost;

/// Samples a second where they cost next to nothing: not in step with what programs do a thousand times a second.
const MOST: u32 = 999;
/// Most of each second that samples may take.
const BUDGET: Duration = Duration::from_millis(25);

/// As many samples a second as take a program no more than a fortieth of its time, up to 999. Found by making exits, which takes
/// some milliseconds where those are dear.
pub fn usual_frequency() -> u32 {
    syscall_cost().map_or(MOST, affordable)
}

/// A sample costs somewhat more than an exit for a system call: there is a signal as well.
fn affordable(exit: Duration) -> u32 {
    let sample = exit * 5 / 4;
    let count = BUDGET.as_nanos().checked_div(sample.as_nanos()).and_then(|count| u32::try_from(count).ok());
    count.map_or(MOST, |count| count.clamp(1, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_samples_are_few() {
        let exits = [0, 1, 20, 30, 80, 1_000_000].map(Duration::from_micros);
        assert_eq!(exits.map(affordable), [999, 999, 999, 666, 250, 1]);
    }
}
