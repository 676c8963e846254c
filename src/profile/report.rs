//! What `kvm-se report` prints: the functions that took most.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::format::Stacks;

/// Functions that are shown.
const MOST_SHOWN: usize = 30;

/// Prints the functions in whose own code most time went, and how much with all that they call.
pub fn print(stacks: &Stacks, to: &mut dyn Write) -> io::Result<()> {
    let mut own = BTreeMap::<&str, u64>::new();
    let mut all = BTreeMap::<&str, u64>::new();
    let mut sum = 0;
    for (stack, weight) in &stacks.all {
        sum += weight;
        if let Some(innermost) = stack.last() {
            *own.entry(innermost).or_default() += weight;
        }
        for name in stack.iter().map(String::as_str).collect::<BTreeSet<_>>() {
            *all.entry(name).or_default() += weight;
        }
    }
    let mut functions: Vec<_> =
        all.iter().map(|(name, all)| (own.get(name).copied().unwrap_or(0), *all, *name)).collect();
    functions.sort_by(|one, other| other.cmp(one));
    let (own_amount, all_amount) = if stacks.is_time { ("self/ms", "total/ms") } else { ("pages", "pages") };
    let amount = |weight| if stacks.is_time { ms(weight) } else { weight.to_string() };
    writeln!(to, "{own_amount:>8} {:>6}  {all_amount:>8} {:>6}  function", "self", "total")?;
    for (own, all, name) in functions.iter().take(MOST_SHOWN) {
        let share = |part: u64| percent(part, sum);
        writeln!(to, "{:>8} {:>6}  {:>8} {:>6}  {name}", amount(*own), share(*own), amount(*all), share(*all))?;
    }
    if functions.len() > MOST_SHOWN {
        writeln!(to, "{:>8} {:>6}  {:>8} {:>6}  {} more", "", "", "", "", functions.len() - MOST_SHOWN)?;
    }
    writeln!(to, "{:>8} {:>6}  in all", amount(sum), percent(sum, sum))
}

fn ms(ns: u64) -> String {
    format!("{}.{}", ns / 1_000_000, ns / 100_000 % 10)
}

fn percent(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2).checked_div(whole.into()).unwrap_or(0);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_calls_itself_counts_once() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let all = vec![(names(&["main", "f", "f"]), 3_000_000), (names(&["main"]), 1_000_000)];
        let stacks = Stacks { is_time: true, all };
        let mut text = Vec::new();
        print(&stacks, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["3.0", "75.0%", "3.0", "75.0%", "f"]);
        assert_eq!(lines[2], ["1.0", "25.0%", "4.0", "100.0%", "main"]);
        assert_eq!(lines[3], ["4.0", "100.0%", "in", "all"]);
    }

    #[test]
    fn nothing_is_no_reason_to_fail() {
        print(&Stacks::default(), &mut Vec::new()).unwrap();
    }
}
