//! What recording leaves as it is, and what a profile holds when a run does not end as it should.

use std::collections::BTreeSet;

use libtest_mimic::{Completion, Failed};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, time_limit};
use crate::program::Program;

/// Name, whether it runs a guest, and the test itself.
type Test = (&'static str, bool, fn() -> Outcome);

pub(super) const TESTS: &[Test] = &[
    ("waiting_calls_are_not_interrupted", true, waiting_calls_are_not_interrupted),
    ("the_status_is_the_programs", true, the_status_is_the_programs),
    ("it_says_how_often_it_looks_unless_told", true, it_says_how_often_it_looks_unless_told),
    ("waiting_counts_as_wall_time_alone", true, waiting_counts_as_wall_time_alone),
    ("programs_are_followed_through_fork_and_exec", true, programs_are_followed_through_fork_and_exec),
    ("an_interrupted_run_has_a_profile", true, an_interrupted_run_has_a_profile),
    ("a_killed_child_keeps_its_samples", true, a_killed_child_keeps_its_samples),
    ("a_child_that_lives_on_delays_nothing", true, a_child_that_lives_on_delays_nothing),
    ("report_prints_the_top_functions", true, report_prints_the_top_functions),
    ("an_old_profile_stays_when_there_is_no_new_one", true, an_old_profile_stays_when_there_is_no_new_one),
    ("a_full_disk_is_one_message", true, a_full_disk_is_one_message),
    ("the_output_is_looked_at_first", false, the_output_is_looked_at_first),
    ("bad_options_are_refused", false, bad_options_are_refused),
    ("report_counts_pages", true, super::faults::report_counts_pages),
    ("wall_time_has_no_faults", false, super::faults::wall_time_has_no_faults),
    ("report_refuses_what_is_no_profile", false, report_refuses_what_is_no_profile),
];

fn record() -> Result<Invocation, Failed> {
    Ok(Invocation::kvm_se()?.args(["record", "-q", "-o", "p.folded"]))
}

fn shares() -> Result<String, Failed> {
    Ok(Program::profiled("shares")?.executable()?.display().to_string())
}

pub(super) fn expect(run: &Finished, what: &str, holds: bool) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("expected {what}\n{}", run.report()).into()) }
}

/// The processes in the file, and all functions.
fn folded(run: &Finished) -> Result<(BTreeSet<String>, BTreeSet<String>), Failed> {
    let text = String::from_utf8(run.read("p.folded")?).map_err(|error| error.to_string())?;
    let (mut processes, mut functions) = (BTreeSet::new(), BTreeSet::new());
    for stack in text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)) {
        let mut names = stack.split(';').map(str::to_owned);
        processes.extend(names.next());
        functions.extend(names);
    }
    Ok((processes, functions))
}

/// Samples a second that leave a program time to go on: where it is emulated, each takes as much longer as all else.
pub(super) fn frequency() -> String {
    (999 / time_limit(1).as_secs()).to_string()
}

/// Enough for a program to be on its way.
pub(super) fn seconds() -> u64 {
    time_limit(2).as_secs()
}

fn has(names: &BTreeSet<String>, wanted: &[&str]) -> bool {
    wanted.iter().all(|&name| names.contains(name))
}

fn waiting_calls_are_not_interrupted() -> Outcome {
    let program = Program::profiled("blocked")?.executable()?;
    let native = Invocation::native(&program)?.run()?;
    expect(&native, "success", native.ending == Ending::Code(0))?;
    for options in [&["-F", "5000"][..], &["-F", "5000", "--wall"], &["-F", "5000", "--no-exitless"]] {
        let run = record()?.args(options).arg(&program).run()?;
        expect(&run, "what happens natively", run.stdout == native.stdout && run.ending == native.ending)?;
        expect(&run, "nothing on stderr", run.stderr.is_empty())?;
    }
    Ok(Completion::Completed)
}

fn the_status_is_the_programs() -> Outcome {
    for (script, ending) in
        [("exit 7", Ending::Code(7)), ("kill -USR1 $$", Ending::Signal(10)), ("kill -40 $$", Ending::Signal(40))]
    {
        let run = record()?.args(["/bin/sh", "-c", script]).run()?;
        expect(&run, &format!("{ending}"), run.ending == ending)?;
        folded(&run)?;
    }
    let run = record()?.arg("./no-such-program").run()?;
    expect(&run, "exit 127", run.ending == Ending::Code(127))?;
    Ok(Completion::Completed)
}

fn it_says_how_often_it_looks_unless_told() -> Outcome {
    for (options, is_said) in [(&[][..], true), (&["-F", "500"], false)] {
        let run = Invocation::kvm_se()?.args(["record", "-o", "p.folded"]).args(options).arg("/bin/true").run()?;
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        let said =
            stderr.trim_end().strip_suffix(" a second").and_then(|text| text.rsplit(' ').next()?.parse::<u32>().ok());
        let is_right = said.map_or(!is_said, |rate| is_said && (1..=999).contains(&rate));
        expect(&run, "its rate", stderr.contains(" samples in p.folded") && is_right)?;
    }
    Ok(Completion::Completed)
}

fn waiting_counts_as_wall_time_alone() -> Outcome {
    for (option, is_there) in [("-q", false), ("--wall", true)] {
        let mut run = record()?;
        if option != "-q" {
            run = run.arg(option);
        }
        let run = run.args(["/bin/sleep", "0.5"]).run()?;
        let text = String::from_utf8_lossy(&run.read("p.folded")?).into_owned();
        let sleeping = text.lines().filter(|line| line.contains("[syscall clock_nanosleep]"));
        let us: u64 = sleeping.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
        expect(&run, "half a second asleep, with --wall", (us > 400_000) == is_there)?;
    }
    Ok(Completion::Completed)
}

fn programs_are_followed_through_fork_and_exec() -> Outcome {
    let shares = shares()?;
    // A child that the shell forks, a program that it executes, and one that takes its place.
    let script = format!("(i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done); {shares} 200; exec {shares} 200");
    let run = record()?.args(["/bin/sh", "-c", &script]).patient().run()?;
    expect(&run, "success", run.ending == Ending::Code(0) && run.stdout == b"done\ndone\n")?;
    let (processes, functions) = folded(&run)?;
    expect(&run, "both programs", has(&processes, &["sh", "shares"]))?;
    expect(&run, "their functions", has(&functions, &["main", "half", "recursive", "in_thread"]))?;
    Ok(Completion::Completed)
}

fn an_interrupted_run_has_a_profile() -> Outcome {
    let shares = shares()?;
    for signal in ["INT", "TERM"] {
        let seconds = seconds();
        let script =
            format!("timeout -s {signal} {seconds} \"$0\" record -q -F {} -o p.folded {shares} 1000000", frequency());
        let run = Invocation::shell(&script)?.run()?;
        expect(&run, "samples", has(&folded(&run)?.1, &["main", "half"]))?;
    }
    Ok(Completion::Completed)
}

fn a_killed_child_keeps_its_samples() -> Outcome {
    let script = format!("{} 1000000 & sleep {}; kill -9 $!; wait $!; echo $?", shares()?, seconds());
    let run = record()?.args(["-F", &frequency(), "/bin/sh", "-c", &script]).run()?;
    expect(&run, "a killed child", run.stdout == b"137\n" && run.ending == Ending::Code(0))?;
    let (processes, functions) = folded(&run)?;
    expect(&run, "its samples", has(&processes, &["shares"]) && has(&functions, &["half"]))?;
    Ok(Completion::Completed)
}

fn a_child_that_lives_on_delays_nothing() -> Outcome {
    let script = format!("{} 1000000 >/dev/null 2>&1 & echo $!; sleep {}", shares()?, seconds());
    let run = record()?.args(["-F", &frequency(), "/bin/sh", "-c", &script]).run()?;
    if let Ok(pid) = String::from_utf8_lossy(&run.stdout).trim().parse() {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)?;
    }
    expect(&run, "success", run.ending == Ending::Code(0))?;
    let (processes, functions) = folded(&run)?;
    expect(&run, "samples of the child", has(&processes, &["shares"]) && has(&functions, &["half"]))?;
    Ok(Completion::Completed)
}

fn report_prints_the_top_functions() -> Outcome {
    let script = format!("\"$0\" record -q {} 500 && \"$0\" report profile.json.gz", shares()?);
    let run = Invocation::shell(&script)?.patient().run()?;
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let starts = |index: usize, words: &[&str]| {
        lines.get(index).is_some_and(|line| words.iter().all(|word| line.split_whitespace().any(|one| one == *word)))
    };
    expect(&run, "a table", starts(1, &["self/ms", "self", "total/ms", "total", "function"]))?;
    expect(&run, "what all functions spend their time in first", starts(2, &["rounds"]))?;
    expect(&run, "the sum last", lines.last().is_some_and(|line| line.ends_with("100.0%  in all")))?;
    Ok(Completion::Completed)
}

fn an_old_profile_stays_when_there_is_no_new_one() -> Outcome {
    let run = record()?.file("p.folded", b"old 1\n")?.arg("./no-such-program").run()?;
    expect(&run, "what was there", run.read("p.folded")? == b"old 1\n")?;
    Ok(Completion::Completed)
}

fn a_full_disk_is_one_message() -> Outcome {
    let args = ["record", "--format", "firefox", "-o", "/dev/full", "/bin/echo", "hello"];
    let run = Invocation::kvm_se()?.env("TMPDIR", "/dev/null").args(args).run()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    expect(&run, "the program's output", run.stdout == b"hello\n" && run.ending == Ending::Code(125))?;
    expect(&run, "one message", text == "kvm-se: cannot write /dev/full: no space left on device\n")?;
    Ok(Completion::Completed)
}

fn the_output_is_looked_at_first() -> Outcome {
    let args = ["record", "-o", "no/such/folder/p.svg", "/bin/echo", "hello"];
    let run = Invocation::kvm_se()?.args(args).run()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    expect(&run, "no program to be run", run.stdout.is_empty() && run.ending == Ending::Code(125))?;
    let message = "kvm-se: cannot write no/such/folder/p.svg: no such file or directory\n";
    expect(&run, "one message", text == message)?;
    Ok(Completion::Completed)
}

fn bad_options_are_refused() -> Outcome {
    for args in [
        &["-o", "p.xyz", "/bin/true"][..],
        &["-F", "0", "/bin/true"],
        &["-F", "1000000", "/bin/true"],
        &["--format", "svg", "/bin/true"],
        &["-o", "p.svg"],
    ] {
        let run = Invocation::kvm_se()?.arg("record").args(args).run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        expect(&run, "to be refused", run.ending == Ending::Code(125) && text.starts_with("kvm-se: "))?;
        expect(&run, "no file", run.files.is_empty())?;
    }
    Ok(Completion::Completed)
}

fn report_refuses_what_is_no_profile() -> Outcome {
    for (name, content) in
        [("a", &b""[..]), ("b", b"hello"), ("c", &[0x1f, 0x8b, 8, 0]), ("d", b"{}"), ("e", &[0xff; 99])]
    {
        let run = Invocation::kvm_se()?.file(name, content)?.args(["report", name]).run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        let is_message = text.starts_with(&format!("kvm-se: {name}: no profile")) && text.lines().count() == 1;
        expect(&run, "one message", run.ending == Ending::Code(125) && run.stdout.is_empty() && is_message)?;
    }
    let run = Invocation::kvm_se()?.args(["report", "no-such-file"]).run()?;
    expect(&run, "exit 125", run.ending == Ending::Code(125))?;
    Ok(Completion::Completed)
}
