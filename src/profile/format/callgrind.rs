//! The callgrind format (Valgrind's manual, "Callgrind Format Specification"): costs of lines, and of calls between
//! functions. Costs are ns, or page faults.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::plain;
use crate::profile::model::{Event, Frame, Profile};

/// By function: costs of its own, by line; costs of what it calls, by line and callee, and how often it was seen.
#[derive(Debug, Default)]
struct Costs {
    own: BTreeMap<u32, u64>,
    calls: BTreeMap<(u32, usize), (u64, u64)>,
}

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    let mut costs = BTreeMap::<usize, Costs>::new();
    for sum in profile.sums() {
        add(&mut costs, &profile.frames_of(sum.stack).collect::<Vec<_>>(), sum.weight, sum.samples);
    }
    let event = match profile.event {
        Event::Faults => "PageFaults".to_owned(),
        time => format!("ns_{}", time.name()),
    };
    writeln!(to, "# callgrind format\nversion: 1\ncreator: kvm-se {}", env!("CARGO_PKG_VERSION"))?;
    if let Some(process) = profile.processes.first() {
        writeln!(to, "pid: {}", process.pid)?;
    }
    writeln!(to, "cmd: {}", plain(&profile.command.join(" ")))?;
    writeln!(to, "positions: line\nevents: {event}\nsummary: {}\n", profile.total())?;
    let mut names = Names::default();
    for (function, of_function) in &costs {
        names.write(profile, *function, "", to)?;
        for (line, cost) in &of_function.own {
            writeln!(to, "{line} {cost}")?;
        }
        for (&(line, callee), (cost, count)) in &of_function.calls {
            names.write(profile, callee, "c", to)?;
            writeln!(to, "calls={count} 0\n{line} {cost}")?;
        }
        writeln!(to)?;
    }
    writeln!(to, "totals: {}", profile.total())
}

/// Adds a stack, the innermost frame first. A function that calls itself, by whatever way, calls something as often as
/// it is there, and counts once: by its innermost call.
fn add(costs: &mut BTreeMap<usize, Costs>, frames: &[&Frame], weight: u64, count: u64) {
    if let Some(innermost) = frames.first() {
        *costs.entry(innermost.function).or_default().own.entry(innermost.line).or_default() += weight;
    }
    let mut deeper = BTreeSet::new();
    for pair in frames.windows(2) {
        let [callee, caller] = pair else { continue };
        deeper.insert(callee.function);
        if deeper.contains(&caller.function) {
            continue;
        }
        let calls = &mut costs.entry(caller.function).or_default().calls;
        let sum = calls.entry((caller.line, callee.function)).or_default();
        sum.0 += weight;
        sum.1 += count;
    }
}

/// Names that were written once are numbers from then on.
#[derive(Debug, Default)]
struct Names {
    objects: BTreeMap<String, usize>,
    files: BTreeMap<String, usize>,
    functions: BTreeSet<usize>,
}

impl Names {
    /// The lines that name a function; `prefix` is `c` for one that is called.
    fn write(&mut self, profile: &Profile, function: usize, prefix: &str, to: &mut dyn Write) -> io::Result<()> {
        let named = &profile.functions[function];
        let or_unknown = |name: &str| if name.is_empty() { "???".to_owned() } else { plain(name) };
        let object = compressed(&mut self.objects, or_unknown(&named.module));
        let file = compressed(&mut self.files, or_unknown(&named.source));
        let file_key = if prefix.is_empty() { "fl" } else { "cfi" };
        writeln!(to, "{prefix}ob={object}\n{file_key}={file}")?;
        let name = if self.functions.insert(function) { format!(" {}", plain(&named.name)) } else { String::new() };
        writeln!(to, "{prefix}fn=({}){name}", function + 1)
    }
}

fn compressed(names: &mut BTreeMap<String, usize>, name: String) -> String {
    let next = names.len() + 1;
    match names.get(&name) {
        Some(number) => format!("({number})"),
        None => {
            let text = format!("({next}) {name}");
            names.insert(name, next);
            text
        }
    }
}
