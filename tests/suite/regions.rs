//! Regions of interest, and m5ops.

use std::collections::BTreeMap;

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, is_emulated, kvm_trial, sampled, trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let all = TESTS.iter().map(|&(name, needs_kvm, test)| {
        let name = format!("regions::{name}");
        if needs_kvm { kvm_trial(name, test) } else { trial(name, test) }
    });
    all.collect()
}

/// Name, whether it runs a guest, and the test itself.
type Test = (&'static str, bool, fn() -> Outcome);

const TESTS: &[Test] = &[
    ("m5ops_are_illegal_instructions_unless_asked_for", true, m5ops_are_illegal_instructions_unless_asked_for),
    ("m5ops_by_instruction", true, m5ops_by_instruction),
    ("m5ops_by_window", true, m5ops_by_window),
    ("m5ops_end_programs", true, m5ops_end_programs),
    ("m5ops_in_threads_and_children", true, m5ops_in_threads_and_children),
    ("m5ops_read_and_write_files", true, m5ops_read_and_write_files),
    ("refused_m5ops_say_so", true, refused_m5ops_say_so),
    ("m5ops_dump_and_reset_what_stat_counts", true, m5ops_dump_and_reset_what_stat_counts),
    ("samples_are_of_the_region", true, || sampled(samples_are_of_the_region)),
    ("stat_counts_the_region", true, stat_counts_the_region),
    ("traces_are_of_the_region", true, traces_are_of_the_region),
    ("a_region_that_never_begins_is_said", true, a_region_that_never_begins_is_said),
    ("a_region_passes_to_the_next_program", true, a_region_passes_to_the_next_program),
    ("samples_are_of_the_calls", true, || sampled(samples_are_of_the_calls)),
    ("functions_of_libraries_are_found", true, functions_of_libraries_are_found),
    ("programs_do_not_see_where_they_are_stopped", true, programs_do_not_see_where_they_are_stopped),
    ("bad_regions_are_refused", false, bad_regions_are_refused),
];

fn program(name: &str) -> Result<String, Failed> {
    Ok(Program::profiled(name)?.executable()?.display().to_string())
}

fn expect(run: &Finished, what: &str, holds: bool) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("expected {what}\n{}", run.report()).into()) }
}

fn stderr(run: &Finished) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}

/// `m5ops` with a word, and what it is to do.
fn m5(options: &[&str], word: &str, stdout: &str, ending: Ending) -> Result<Finished, Failed> {
    let run = Invocation::kvm_se()?.args(options).arg(program("m5ops")?).arg(word).run()?;
    expect(&run, &format!("{stdout:?} and {ending}"), run.stdout == stdout.as_bytes() && run.ending == ending)?;
    Ok(run)
}

fn m5ops_are_illegal_instructions_unless_asked_for() -> Outcome {
    for word in ["illegal", "default"] {
        let native = Invocation::native(program("m5ops")?)?.arg(word).run()?;
        let run = Invocation::kvm_se()?.arg(program("m5ops")?).arg(word).run()?;
        expect(
            &native,
            "SIGILL",
            native.ending == Ending::Signal(4) || native.stdout.starts_with(b"signal 4, code 2"),
        )?;
        let is_same = (&run.stdout, &run.stderr, run.ending) == (&native.stdout, &native.stderr, native.ending);
        expect(&run, &format!("what happens natively: {}", native.report()), is_same)?;
    }
    Ok(Completion::Completed)
}

fn m5ops_by_instruction() -> Outcome {
    let run = m5(&["--m5ops"], "illegal", "sum 21\n", Ending::Code(3))?;
    expect(&run, "nothing on stderr", run.stderr.is_empty())?;
    m5(&["--m5ops"], "waits", "result 0, waited 1, said 1, alarms 1\n", Ending::Code(3))?;
    m5(&["--m5ops"], "parameters", "0 1 -1\n", Ending::Code(3))?;
    Ok(Completion::Completed)
}

fn m5ops_by_window() -> Outcome {
    let run = m5(&["--m5ops"], "window", "sum 21\n", Ending::Code(21))?;
    expect(&run, "nothing on stderr", run.stderr.is_empty())?;
    Ok(Completion::Completed)
}

fn m5ops_end_programs() -> Outcome {
    m5(&["--m5ops"], "exit", "", Ending::Code(0))?;
    let run = m5(&["--m5ops"], "panic", "", Ending::Signal(6))?;
    expect(&run, "where it was", stderr(&run).starts_with("kvm-se: m5op panic at 0x"))?;
    Ok(Completion::Completed)
}

fn m5ops_in_threads_and_children() -> Outcome {
    let sum = 999 * 1000 / 2 + 5 * 1000;
    let threads: String = (0..4).map(|thread| format!("thread {thread}: {sum}\n")).collect();
    m5(&["--m5ops"], "threads", &format!("{threads}child: 9\n"), Ending::Code(3))?;
    Ok(Completion::Completed)
}

fn m5ops_read_and_write_files() -> Outcome {
    let told = ["--m5-input", "in", "--m5-output", "."];
    let stdout = "read 5: cdefg\nbad buffer -1\nwrote 11 5 -1\n";
    let run = Invocation::kvm_se()?.file("in", b"abcdefghij")?.args(told).arg(program("m5ops")?).arg("files").run()?;
    expect(&run, stdout, run.stdout == stdout.as_bytes() && run.ending == Ending::Code(3))?;
    expect(&run, "the file", run.read("out.txt")? == b"hello HELLO")?;
    // Without a file there is nothing to read, and without a folder nowhere to write.
    m5(&["--m5ops"], "files", "read 0: \nbad buffer 0\nwrote -1 -1 -1\n", Ending::Code(3))?;
    let run = Invocation::kvm_se()?.args(["--m5-output", "none"]).arg(program("m5ops")?).run()?;
    expect(&run, "a complaint", run.ending == Ending::Code(125) && stderr(&run).contains("cannot use none"))?;
    Ok(Completion::Completed)
}

fn refused_m5ops_say_so() -> Outcome {
    let run = m5(&["--m5ops", "--missing"], "refused", "-1 -1 -1 -1\n", Ending::Code(3))?;
    let text = stderr(&run);
    let said = text.matches("kvm-se: m5op 0x43 (checkpoint): there are no snapshots\n").count();
    expect(&run, "one message", said == 1)?;
    expect(&run, "why there are no tables", text.contains("kvm-se: m5op 0x41 (dump_stats): nobody counts"))?;
    let counted = text.lines().find(|line| line.ends_with("  m5op 0x43 (checkpoint): there are no snapshots"));
    expect(&run, "both counted", counted.is_some_and(|line| line.trim_start().starts_with("2 ")))?;
    Ok(Completion::Completed)
}

/// Microseconds of samples by function, of a profile of `regions`.
fn profile(options: &[&str], words: &[&str]) -> Result<(BTreeMap<String, f64>, Finished), Failed> {
    let run = Invocation::kvm_se()?
        .patient()
        .args(["record", "-q", "-F", "1999", "-o", "p.folded"])
        .args(options)
        .arg(program("regions")?)
        .args(words)
        .run()?;
    expect(&run, "success", run.ending == Ending::Code(0) && run.stdout == b"done\n")?;
    let text = String::from_utf8(run.read("p.folded")?).map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for (stack, us) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
        for function in ["outside", "most", "least"] {
            if stack.split(';').any(|name| name == function) {
                *found.entry(function.to_owned()).or_insert(0.0) += us.parse::<f64>().map_err(|e| e.to_string())?;
            }
        }
    }
    Ok((found, run))
}

/// What the last line of stderr says: how often the region began, and its seconds.
fn region(run: &Finished) -> Result<(u64, f64), Failed> {
    let text = stderr(run);
    let words: Vec<&str> = text.lines().last().unwrap_or_default().split(' ').collect();
    match words[..] {
        ["kvm-se:", "the", "region", "began", "once", "and", "took", seconds, "s"] => {
            Ok((1, seconds.parse().map_err(|_| run.report())?))
        }
        ["kvm-se:", "the", "region", "began", times, "times", "and", "took", seconds, "s"] => {
            Ok((times.parse().map_err(|_| run.report())?, seconds.parse().map_err(|_| run.report())?))
        }
        _ => Err(run.report().into()),
    }
}

/// How far a share may be off: two emulated processors take turns of milliseconds each.
fn tolerance() -> f64 {
    if is_emulated() { 0.2 } else { 0.1 }
}

/// Long regions and many short ones, of a few samples each.
const ROUNDS: [[&str; 2]; 2] = [["4", "100000"], ["300", "2000"]];

/// Microseconds in regions.
fn inside(found: &BTreeMap<String, f64>) -> f64 {
    ["most", "least"].iter().filter_map(|name| found.get(*name)).sum()
}

fn samples_are_of_the_region() -> Outcome {
    let by_calls = ["--roi", "syscall=getppid..syscall=getuid"];
    let by_m5ops = ["--roi", "m5=work_begin:7..m5=work_end"];
    for rounds in ROUNDS {
        let (whole, run) = profile(&[], &[rounds[0], rounds[1], "calls"])?;
        let truth = inside(&whole);
        let is_half = (truth / whole.values().sum::<f64>() - 0.5).abs() < tolerance();
        expect(&run, &format!("half of all: {whole:?}"), is_half)?;
        for (option, how) in [(by_calls, "calls"), (by_m5ops, "m5")] {
            let (found, run) = profile(&option, &[rounds[0], rounds[1], how])?;
            let of = |name: &str| found.get(name).copied().unwrap_or(0.0);
            let all = inside(&found) + of("outside");
            expect(&run, &format!("a quarter in `least`: {found:?}"), (of("least") / all - 0.25).abs() < tolerance())?;
            expect(&run, &format!("nothing outside: {found:?}"), of("outside") < all * 0.02)?;
            expect(&run, "each region", region(&run)?.0.to_string() == rounds[0])?;
            // How long the same work takes differs from run to run where it is emulated.
            let is_all = is_emulated() || (all / truth - 1.0).abs() < 0.3;
            expect(&run, &format!("all of the regions' time, {truth} us: {found:?}"), is_all)?;
        }
        let (found, run) = profile(&["--wall", by_calls[0], by_calls[1]], &[rounds[0], rounds[1], "calls"])?;
        let (all, (_, seconds)) = (found.values().sum::<f64>() / 1e6, region(&run)?);
        expect(&run, &format!("{seconds} s: {found:?}"), (all / seconds - 1.0).abs() < 0.15)?;
    }
    // The second region alone, and from there to the end.
    let (_, run) = profile(&["--roi", "syscall=getppid:2..syscall=getuid:2"], &["4", "10000"])?;
    expect(&run, "one region", region(&run)?.0 == 1)?;
    let (found, run) = profile(&["--roi", "syscall=getppid:4.."], &["4", "100000"])?;
    expect(&run, &format!("a third outside: {found:?}"), found.get("outside").is_some_and(|us| *us > 0.0))?;
    Ok(Completion::Completed)
}

/// The file that `kvm-se stat --json` left.
fn cost(run: &Finished) -> Result<serde_json::Value, Failed> {
    serde_json::from_slice(&run.read("cost.json")?).map_err(|error| format!("{error}\n{}", run.report()).into())
}

/// How often each call was made, of all of a report or of a part of it.
fn calls(cost: &serde_json::Value) -> BTreeMap<&str, u64> {
    let calls = cost["total"]["calls"].as_array().into_iter().flatten();
    calls.filter_map(|call| Some((call["name"].as_str()?, call["count"].as_u64()?))).collect()
}

fn stat_counts_the_region() -> Outcome {
    for (how, point) in [("calls", "syscall=getppid..syscall=getuid"), ("m5", "m5=work_begin..m5=work_end")] {
        let options = ["stat", "--json", "-o", "cost.json", "--roi", point];
        let run = Invocation::kvm_se()?.args(options).arg(program("regions")?).args(["3", "1", how]).run()?;
        let cost = cost(&run)?;
        // The call that begins it is inside, the one that ends it is not.
        let wanted = if how == "m5" { BTreeMap::new() } else { BTreeMap::from([("getppid", 3)]) };
        expect(&run, &format!("{wanted:?}: {cost}"), calls(&cost) == wanted)?;
        let wall = std::time::Duration::from_nanos(cost["wall"].as_u64().unwrap_or(u64::MAX)).as_secs_f64();
        let (_, seconds) = region(&run)?;
        expect(&run, &format!("its time, not {wall} s"), (wall - seconds).abs() < 0.005 + seconds / 2.0)?;
    }
    Ok(Completion::Completed)
}

fn m5ops_dump_and_reset_what_stat_counts() -> Outcome {
    let options = ["stat", "--m5ops", "--json", "-o", "cost.json"];
    let run = Invocation::kvm_se()?.args(options).arg(program("m5ops")?).arg("statistics").run()?;
    let cost = cost(&run)?;
    let getppid = |part: &serde_json::Value| calls(part).get("getppid").copied().unwrap_or(0);
    let dumps: Vec<u64> = cost["dumps"].as_array().into_iter().flatten().map(getppid).collect();
    expect(&run, &format!("a dump and the rest: {cost}"), dumps == [3] && getppid(&cost) == 1)?;
    expect(&run, "nothing on stderr", run.stderr.is_empty())?;
    Ok(Completion::Completed)
}

fn traces_are_of_the_region() -> Outcome {
    let options = ["--strace=trace", "--roi", "syscall=getppid:2..syscall=getuid"];
    let run = Invocation::kvm_se()?.args(options).arg(program("regions")?).args(["3", "1"]).run()?;
    let trace = String::from_utf8_lossy(&run.read("trace")?).into_owned();
    let calls: Vec<&str> = trace.lines().filter(|line| !line.starts_with("+++ ")).collect();
    expect(&run, &format!("one call: {trace}"), calls.len() == 1 && calls[0].starts_with("getppid()"))?;
    Ok(Completion::Completed)
}

fn samples_are_of_the_calls() -> Outcome {
    let (found, run) = profile(&["--roi", "region"], &["4", "100000"])?;
    let of = |name: &str| found.get(name).copied().unwrap_or(0.0);
    expect(&run, "four calls", region(&run)?.0 == 4)?;
    expect(
        &run,
        &format!("a quarter in `least`: {found:?}"),
        (of("least") / inside(&found) - 0.25).abs() < tolerance(),
    )?;
    expect(&run, &format!("nothing outside: {found:?}"), of("outside") < inside(&found) * 0.02)?;
    let (found, run) = profile(&["--roi", "sym=most:2..sym=least:3"], &["4", "50000"])?;
    let of = |name: &str| found.get(name).copied().unwrap_or(0.0);
    // Two calls of `most`, one of `least`, and what is between two regions.
    let (most, outside) = (of("most") / inside(&found), of("outside") / inside(&found));
    expect(
        &run,
        &format!("6 parts of 7: {found:?}"),
        (most - 6.0 / 7.0).abs() < tolerance() && (outside - 4.0 / 7.0).abs() < 2.0 * tolerance(),
    )?;
    expect(&run, "one region", region(&run)?.0 == 1)?;
    Ok(Completion::Completed)
}

fn functions_of_libraries_are_found() -> Outcome {
    if crate::program::prebuilt().is_some() {
        return Ok(Completion::ignored_with("the programs there are without libraries"));
    }
    let run = Invocation::kvm_se()?.args(["--roi", "exit..", "/bin/true"]).run()?;
    expect(&run, "the end", region(&run)?.0 == 1 && run.ending == Ending::Code(0))?;
    Ok(Completion::Completed)
}

fn programs_do_not_see_where_they_are_stopped() -> Outcome {
    let program = program("stopped")?;
    let native = Invocation::native(&program)?.run()?;
    expect(&native, "success", native.ending == Ending::Code(0))?;
    for (name, times) in [
        ("plain", 0),
        ("pushes_flags", 2),
        ("moves", 2),
        ("calls", 2),
        ("jumps", 2),
        ("makes_call", 2),
        ("faults", 2),
        ("own", 0),
    ] {
        let run = Invocation::kvm_se()?.patient().args(["--roi", name]).arg(&program).run()?;
        let is_same = run.stdout == native.stdout && run.ending == native.ending;
        expect(&run, &format!("what happens natively, stopped at {name}: {}", native.report()), is_same)?;
        if times > 0 {
            expect(&run, &format!("{times} calls of {name}"), region(&run)?.0 == times)?;
        }
    }
    Ok(Completion::Completed)
}

fn a_region_that_never_begins_is_said() -> Outcome {
    let run = Invocation::kvm_se()?.args(["--roi", "syscall=mount.."]).arg(program("regions")?).run()?;
    expect(&run, "a message", stderr(&run) == "kvm-se: the region syscall=165.. never began\n")?;
    Ok(Completion::Completed)
}

fn a_region_passes_to_the_next_program() -> Outcome {
    let options = ["--roi", "syscall=getppid:4..syscall=getuid:4", "/bin/sh", "-c"];
    let regions = program("regions")?;
    // The shell makes one such call itself, or none.
    let script = format!("{regions} 2 1; exec {regions} 3 1");
    let run = Invocation::kvm_se()?.args(options).arg(script).run()?;
    let (times, _) = region(&run)?;
    expect(&run, "one region", times == 1 && run.stdout == b"done\ndone\n")?;
    Ok(Completion::Completed)
}

fn bad_regions_are_refused() -> Outcome {
    for (text, why) in [
        ("syscall=nonesuch..", "there is no such system call"),
        ("m5=exit..", "a region begins and ends at one of"),
        ("..", "that is the whole run"),
        ("syscall=write", "a region has two ends"),
        ("what=x..", "a point is NAME"),
    ] {
        let run = Invocation::kvm_se()?.args(["--roi", text, "/bin/true"]).run()?;
        let is_said = run.ending == Ending::Code(125) && stderr(&run).contains(why);
        expect(&run, why, is_said)?;
    }
    Ok(Completion::Completed)
}
