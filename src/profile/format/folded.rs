//! Folded stacks, as FlameGraph and inferno read them: `process;outermost;...;innermost N`, N in us.
//! Of page faults, N counts them, and `process` says so.

use std::io::{self, Write};

use super::{Stacks, microseconds, plain};
use crate::profile::model::Profile;

/// Behind the name of a process whose page faults are shown.
const FAULTS: &str = " [page faults]";

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    lines(profile).iter().try_for_each(|line| writeln!(to, "{line}"))
}

/// The lines, in order.
pub(super) fn lines(profile: &Profile) -> Vec<String> {
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    for sum in profile.sums() {
        let mut names: Vec<String> =
            profile.frames_of(sum.stack).map(|frame| plain(&profile.function(frame).name)).collect();
        let process = plain(&profile.processes[sum.process].name);
        names.push(if profile.event.is_time() { process } else { process + FAULTS });
        names.reverse();
        *sums.entry(names.join(";")).or_default() += sum.weight;
    }
    let number = |weight| if profile.event.is_time() { microseconds(weight) } else { weight };
    let sums = sums.into_iter().map(|(stack, weight)| (stack, number(weight)));
    sums.filter(|(_, weight)| *weight > 0).map(|(stack, weight)| format!("{stack} {weight}")).collect()
}

pub(super) fn read(bytes: &[u8]) -> Option<Stacks> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_time = !text.lines().all(|line| line.split(';').next().is_some_and(|process| process.ends_with(FAULTS)));
    let line = |line: &str| {
        let (stack, weight) = line.rsplit_once(' ')?;
        // The process is no function.
        let names = stack.split(';').skip(1).map(str::to_owned).collect();
        Some((names, weight.parse::<u64>().ok()?.checked_mul(if is_time { 1000 } else { 1 })?))
    };
    let all = text.lines().map(line).collect::<Option<Vec<_>>>()?;
    (!all.is_empty()).then_some(Stacks { is_time, all })
}
