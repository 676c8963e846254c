//! `kvm-se record --event faults`: which code uses pages for the first time.

use libtest_mimic::Completion;

use super::formats::Reader;
use super::runs::expect;
use crate::invocation::{Ending, Invocation};
use crate::machine::{Outcome, find_program, tool_not_installed};
use crate::program::Program;

/// Pages that functions of `testprogs/profile/faults.c` use for the first time.
const TRUTH: [(&str, f64); 4] = [("few", 150.0), ("many", 1300.0), ("in_thread", 200.0), ("in_child", 70.0)];
/// And all of them together.
const ALL: f64 = 1720.0;

pub(super) fn faults(reader: &'static Reader) -> Outcome {
    if let Some(tool) = reader.tools.iter().find(|tool| find_program(tool).is_none()) {
        return tool_not_installed(tool);
    }
    let run = Invocation::kvm_se()?
        .patient()
        .args(["record", "-q", "-e", "faults", "--format", reader.format, "-o", "profile"])
        .arg(Program::profiled("faults")?.executable()?)
        .run()?;
    expect(&run, "success", run.ending == Ending::Code(0) && run.stdout == b"done\n")?;
    let shares = (reader.read)(&run)?;
    let share = |function: &str| shares.get(function).copied().unwrap_or(0.0);
    let all: f64 = TRUTH.iter().map(|(function, _)| share(function)).sum();
    for (function, pages) in TRUTH {
        let found = share(function) / all * ALL;
        // Readers round to tenths of a per cent of some 1900 pages.
        expect(&run, &format!("{pages} pages in {function}, not {found:.1}"), (found - pages).abs() < 3.0)?;
    }
    Ok(Completion::Completed)
}

/// In numbers, and without a page twice.
pub(super) fn report_counts_pages() -> Outcome {
    let program = Program::profiled("faults")?.executable()?;
    let script = format!("\"$0\" record -q -e page-faults {} && \"$0\" report profile.json.gz", program.display());
    let run = Invocation::shell(&script)?.patient().run()?;
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let is_head = |line: &Vec<&str>| *line == ["pages", "self", "pages", "total", "function"];
    expect(&run, "pages, not time", lines.get(1).is_some_and(is_head))?;
    let is_first = |line: &Vec<&str>| line.first() == Some(&"1720") && line.last() == Some(&"touch");
    expect(&run, "each page once", lines.get(2).is_some_and(is_first))?;
    Ok(Completion::Completed)
}

pub(super) fn wall_time_has_no_faults() -> Outcome {
    for args in [&["-e", "faults", "--wall", "/bin/true"][..], &["-e", "cycles", "/bin/true"]] {
        let run = Invocation::kvm_se()?.arg("record").args(args).run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        expect(&run, "to be refused", run.ending == Ending::Code(125) && text.starts_with("kvm-se: "))?;
    }
    Ok(Completion::Completed)
}
