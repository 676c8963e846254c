//! `kvm-se record --memory`: how memory was used, by mapping and interval.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::{Completion, Failed};
use serde_json::Value;

use super::runs::{expect, frequency, seconds};
use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, is_emulated, sampled};
use crate::program::Program;

/// Name, whether it runs a guest, and the test itself.
type Test = (&'static str, bool, fn() -> Outcome);

pub(super) const TESTS: &[Test] = &[
    ("memory_that_is_used_is_seen", true, memory_that_is_used_is_seen),
    ("the_kernel_counts_the_same", false, the_kernel_counts_the_same),
    ("the_text_says_what_the_json_says", true, the_text_says_what_the_json_says),
    ("timelines_and_the_firefox_profiler_show_it", true, timelines_and_the_firefox_profiler_show_it),
    ("an_interrupted_run_has_its_memory", true, an_interrupted_run_has_its_memory),
    ("a_killed_child_keeps_its_memory", true, a_killed_child_keeps_its_memory),
    ("a_full_disk_does_not_cost_the_profile", true, a_full_disk_does_not_cost_the_profile),
    ("options_of_memory_are_looked_at_first", false, options_of_memory_are_looked_at_first),
];

/// What `testprogs/profile/memory.c` uses: its name for it, the mapping's name and pages (0 for any), and of these
/// how many it uses and writes.
const TRUTH: [(&str, &str, u64, u64, u64); 9] = [
    ("private", "[anon]", 2000, 1000, 700),
    ("less", "[anon]", 2000, 50, 20),
    ("mapped", "/mapped", 64, 40, 0),
    ("shared_child", "/dev/zero (deleted)", 32, 13, 10),
    ("shared_parent", "/dev/zero (deleted)", 32, 21, 4),
    ("stack", "[stack]", 0, 59, 59),
    ("blocks", "[anon]", 2040, 1541, 1541),
    ("thread", "[anon]", 90, 25, 25),
    ("executed", "[anon]", 101, 77, 77),
];

/// A mapping in an interval.
#[derive(Debug)]
struct Row {
    pid: u64,
    end: f64,
    name: String,
    address: String,
    /// Pages: of the whole, in memory, used, written, used for the first time.
    pages: [u64; 5],
}

fn memory(words: &[&str]) -> Result<Finished, Failed> {
    Ok(Invocation::kvm_se()?.patient().args(["record", "-q", "-o", "p.folded"]).args(words).run()?)
}

fn program() -> Result<String, Failed> {
    Ok(Program::profiled("memory")?.executable()?.display().to_string())
}

/// In milliseconds. Each finds the pages of the one before unused, so a thousand of them are faults first.
const INTERVAL: u64 = 100;

/// For each use as many milliseconds as several intervals take.
fn milliseconds() -> String {
    (6 * slowed(INTERVAL)).to_string()
}

fn interval() -> String {
    slowed(INTERVAL).to_string()
}

/// Milliseconds on this machine; faults take no eight times as long where all else does.
fn slowed(milliseconds: u64) -> u64 {
    if is_emulated() { 3 * milliseconds } else { milliseconds }
}

fn rows(run: &Finished, file: &str) -> Result<Vec<Row>, Failed> {
    let value: Value = serde_json::from_slice(&run.read(file)?)?;
    let elements = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut rows = Vec::new();
    for process in elements(&value["processes"]) {
        let mut last = 0.0;
        for interval in elements(&process["intervals"]) {
            let (start, end) = (interval["start_ms"].as_f64(), interval["end_ms"].as_f64());
            let (Some(start), Some(end)) = (start, end) else { return Err("an interval without times".into()) };
            expect(run, "intervals one after the other", start >= last && end >= start)?;
            last = end;
            for mapping in elements(&interval["mappings"]) {
                let pages = ["pages", "resident", "used", "written", "new"].map(|key| mapping[key].as_u64());
                let [Some(pages), Some(resident), Some(used), Some(written), Some(new)] = pages else {
                    return Err(format!("a mapping without numbers: {mapping}").into());
                };
                rows.push(Row {
                    pid: process["pid"].as_u64().unwrap_or(0),
                    end,
                    name: mapping["name"].as_str().unwrap_or_default().to_owned(),
                    address: mapping["address"].as_str().unwrap_or_default().to_owned(),
                    pages: [pages, resident, used, written, new],
                });
            }
        }
    }
    Ok(rows)
}

fn memory_that_is_used_is_seen() -> Outcome {
    sampled(used_memory)
}

fn used_memory() -> Outcome {
    let words = ["--memory", "m.json", "--memory-interval", &interval(), &program()?, &milliseconds()];
    let run = memory(&words)?;
    expect(&run, "success", run.ending == Ending::Code(0) && run.stderr.is_empty())?;
    let rows = rows(&run, "m.json")?;
    for (use_name, name, whole, used, written) in TRUTH {
        let is_it = |row: &&Row| row.name.ends_with(name) && (whole == 0 || row.pages[0] == whole);
        // The stack is used for more than is meant here.
        let spare = if use_name == "stack" { 3 } else { 0 };
        let is_used = |row: &&Row| row.pages[2].checked_sub(used).is_some_and(|more| more <= spare);
        let is_written = |row: &&Row| row.pages[3].checked_sub(written).is_some_and(|more| more <= spare);
        let found = rows.iter().filter(is_it).filter(is_used).filter(is_written).count();
        let seen: Vec<_> = rows.iter().filter(is_it).map(|row| row.pages).collect();
        expect(&run, &format!("{use_name}: {used} pages, {written} written, of {name}: {seen:?}"), found >= 2)?;
    }
    for (name, whole, new) in [("[anon]", 2000, 1000), ("/mapped", 64, 40), ("[anon]", 2040, 1541), ("[anon]", 90, 25)]
    {
        let sum: u64 =
            rows.iter().filter(|row| row.name.ends_with(name) && row.pages[0] == whole).map(|row| row.pages[4]).sum();
        expect(&run, &format!("{new} new pages of {name}, not {sum}"), sum == new)?;
    }
    // What comes and goes at once does so within an interval, or in two.
    let mut brief = BTreeMap::<&str, u64>::new();
    for row in rows.iter().filter(|row| row.name == "[anon]" && matches!(row.pages[0], 0 | 55)) {
        *brief.entry(&row.address).or_default() += row.pages[4];
    }
    expect(&run, &format!("44 pages of a mapping that has gone: {brief:?}"), brief.values().any(|new| *new == 44))?;
    let users: BTreeSet<u64> = rows.iter().filter(|row| row.name == "/dev/zero (deleted)").map(|row| row.pid).collect();
    expect(&run, "two processes that share memory", users.len() == 2)?;
    let resident = |whole| rows.iter().filter(|row| row.pages[0] == whole).map(|row| row.pages[1]).max();
    expect(&run, "resident what was written", resident(2000) == Some(1000) && resident(90) >= Some(25))?;
    for row in &rows {
        let [whole, resident, used, written, new] = row.pages;
        expect(
            &run,
            &format!("sense: {row:?}"),
            written <= used && new <= used && (whole == 0 || used.max(resident) <= whole),
        )?;
    }
    Ok(Completion::Completed)
}

/// The same program, natively, looked at by the host kernel.
fn the_kernel_counts_the_same() -> Outcome {
    if is_emulated() {
        return Ok(Completion::ignored_with("an emulated processor remembers entries for longer"));
    }
    let run = Invocation::native(program()?)?.args(["20", "referenced"]).run()?;
    if !run.stderr.is_empty() {
        return Ok(Completion::ignored_with("no /proc/self/clear_refs"));
    }
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let found: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, rest)| Some((name, rest.split(' ').next()?.parse().ok()?)))
        .collect();
    for (name, _, _, used, _) in TRUTH.iter().filter(|row| !matches!(row.0, "blocks" | "executed")) {
        let most = if *name == "stack" { used + 3 } else { *used };
        let is_right = found.get(name).is_some_and(|found| (*used..=most).contains(found));
        expect(&run, &format!("{name} {used}"), is_right)?;
    }
    Ok(Completion::Completed)
}

fn the_text_says_what_the_json_says() -> Outcome {
    let run = memory(&["--memory", "m.tsv", "--memory-interval", &interval(), &program()?, &milliseconds()])?;
    let text = String::from_utf8(run.read("m.tsv")?).map_err(|error| error.to_string())?;
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let columns = [
        "start_ms",
        "end_ms",
        "pid",
        "size_kib",
        "resident_kib",
        "used_kib",
        "written_kib",
        "new_kib",
        "address",
        "mapping",
    ];
    expect(&run, "a line with names", lines.next().is_some_and(|line| line == columns))?;
    let lines: Vec<Vec<&str>> = lines.collect();
    expect(&run, "as many columns everywhere", lines.iter().all(|line| line.len() == columns.len()))?;
    let wanted = ["8000", "200", "80"];
    let found = lines.iter().filter(|line| [line[3], line[5], line[6]] == wanted && line[9] == "[anon]").count();
    expect(&run, "50 pages of 2000, 20 written", found >= 2)?;
    Ok(Completion::Completed)
}

fn timelines_and_the_firefox_profiler_show_it() -> Outcome {
    let args = [
        "record",
        "-q",
        "--memory",
        "m.json",
        "--memory-interval",
        &interval(),
        "--timeline",
        "t.json",
        "-o",
        "p.json",
    ];
    let run = Invocation::kvm_se()?.patient().args(args).args([&program()?, &milliseconds()]).run()?;
    let read = |file| -> Result<Value, Failed> { Ok(serde_json::from_slice(&run.read(file)?)?) };
    let elements = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut sums = BTreeMap::<(u64, String), [u64; 3]>::new();
    for row in rows(&run, "m.json")? {
        let sum = sums.entry((row.pid, format!("{:.3}", row.end))).or_default();
        (0..3).for_each(|kind| sum[kind] += row.pages[kind + 1] * 4096);
    }
    let counters: Vec<Value> = elements(&read("t.json")?).into_iter().filter(|event| event["ph"] == "C").collect();
    expect(&run, "a counter for each interval", !sums.is_empty() && counters.len() == sums.len())?;
    for event in &counters {
        let of_event = ["resident", "used", "written"].map(|kind| event["args"][kind].as_u64().unwrap_or(u64::MAX));
        let is_known = sums.iter().any(|((pid, _), sum)| event["pid"].as_u64() == Some(*pid) && *sum == of_event);
        expect(&run, &format!("a sum: {event}"), is_known && event["ts"].as_f64().is_some())?;
    }
    let used = |sum: &[u64; 3]| sum[1];
    let most = sums.values().map(used).max();
    let mut seen = 0.0_f64;
    for counter in elements(&read("p.json")?["counters"]).iter().filter(|counter| counter["name"] == "used") {
        let mut now = 0.0;
        for step in elements(&counter["samples"]["count"]) {
            now += step.as_f64().unwrap_or(0.0);
            seen = seen.max(now);
        }
    }
    expect(
        &run,
        &format!("a track with {most:?} bytes, not {seen:?}"),
        Some(format!("{seen:.0}")) == most.map(|most| most.to_string()),
    )?;
    Ok(Completion::Completed)
}

/// What the program uses first, be it all of that in one interval or not.
fn is_private(row: &Row) -> bool {
    row.pages[..2] == [2000, 1000] && row.pages[2] > 0 && row.pages[3] <= 700
}

fn an_interrupted_run_has_its_memory() -> Outcome {
    for signal in ["INT", "TERM"] {
        let script = format!(
            "timeout -s {signal} {} \"$0\" record -q -F {} -o p.folded --memory m.json {} 1000000",
            seconds(),
            frequency(),
            program()?
        );
        let run = Invocation::shell(&script)?.run()?;
        let rows = rows(&run, "m.json")?;
        expect(&run, "what was used", rows.iter().any(is_private))?;
        run.read("p.folded")?;
    }
    Ok(Completion::Completed)
}

fn a_killed_child_keeps_its_memory() -> Outcome {
    let script = format!("{} 1000000 & sleep {}; kill -9 $!; wait $!; echo $?", program()?, seconds());
    let run = memory(&["-F", &frequency(), "--memory", "m.json", "/bin/sh", "-c", &script])?;
    expect(&run, "a killed child", run.stdout == b"137\n" && run.ending == Ending::Code(0))?;
    let rows = rows(&run, "m.json")?;
    expect(&run, "what it used", rows.iter().any(is_private))?;
    let script = format!("{} 1000000 >/dev/null 2>&1 & echo $!; sleep {}", program()?, seconds());
    let run = memory(&["-F", &frequency(), "--memory", "m.json", "/bin/sh", "-c", &script])?;
    let Ok(child) = String::from_utf8_lossy(&run.stdout).trim().parse() else { return Err(run.report().into()) };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL)?;
    let of_child = |row: &Row| Some(row.pid) == u64::try_from(child).ok() && row.end > 0.0;
    let has = self::rows(&run, "m.json")?.iter().any(|row| of_child(row) && row.pages[2] == 1000);
    expect(&run, "what a child that lives on has used so far", run.ending == Ending::Code(0) && has)?;
    Ok(Completion::Completed)
}

fn a_full_disk_does_not_cost_the_profile() -> Outcome {
    let args = ["record", "-q", "-o", "p.folded", "--memory", "/dev/full", "/bin/echo", "hello"];
    let run = Invocation::kvm_se()?.env("TMPDIR", "/dev/null").args(args).run()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    expect(&run, "the program's output", run.stdout == b"hello\n" && run.ending == Ending::Code(125))?;
    expect(&run, "one message", text == "kvm-se: cannot write /dev/full: no space left on device\n")?;
    run.read("p.folded")?;
    Ok(Completion::Completed)
}

fn options_of_memory_are_looked_at_first() -> Outcome {
    for args in [
        &["--memory", "no/such/folder/m.json", "/bin/echo", "hello"][..],
        &["--memory-interval", "100", "/bin/echo", "hello"],
        &["--memory", "m.json", "--memory-interval", "0", "/bin/echo", "hello"],
        &["--memory", "m.json", "--roi", "main", "/bin/echo", "hello"],
    ] {
        let run = Invocation::kvm_se()?.args(["record", "-o", "p.folded"]).args(args).run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        expect(&run, "to be refused", run.ending == Ending::Code(125) && text.starts_with("kvm-se: "))?;
        expect(&run, "no program to be run", run.stdout.is_empty() && run.files.is_empty())?;
    }
    Ok(Completion::Completed)
}
