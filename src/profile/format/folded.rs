//! Folded stacks, as FlameGraph and inferno read them: `process;outermost;...;innermost N`, N in us.

use std::io::{self, Write};

use super::{Stacks, microseconds, plain};
use crate::profile::model::Profile;

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    lines(profile).iter().try_for_each(|line| writeln!(to, "{line}"))
}

/// The lines, in order.
pub(super) fn lines(profile: &Profile) -> Vec<String> {
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    for sum in profile.sums() {
        let mut names: Vec<String> =
            profile.frames_of(sum.stack).map(|frame| plain(&profile.function(frame).name)).collect();
        names.push(plain(&profile.processes[sum.process].name));
        names.reverse();
        *sums.entry(names.join(";")).or_default() += sum.weight;
    }
    let sums = sums.into_iter().map(|(stack, weight)| (stack, microseconds(weight)));
    sums.filter(|(_, weight)| *weight > 0).map(|(stack, weight)| format!("{stack} {weight}")).collect()
}

pub(super) fn read(bytes: &[u8]) -> Option<Stacks> {
    let text = std::str::from_utf8(bytes).ok()?;
    let line = |line: &str| {
        let (stack, weight) = line.rsplit_once(' ')?;
        // The process is no function.
        let names = stack.split(';').skip(1).map(str::to_owned).collect();
        Some((names, weight.parse::<u64>().ok()?.checked_mul(1000)?))
    };
    let stacks = text.lines().map(line).collect::<Option<Stacks>>()?;
    (!stacks.is_empty()).then_some(stacks)
}
