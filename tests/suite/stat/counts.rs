//! The counts are those of what the program did.

use libtest_mimic::{Completion, Failed};
use serde_json::Value;

use super::{Test, counted, elements, expect, json, number, run};
use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, time_limit};

pub(super) const TESTS: &[Test] = &[
    ("calls_and_errors_are_exact", true, calls_and_errors_are_exact),
    ("faults_are_exact", true, faults_are_exact),
    ("threads_are_told_apart", true, threads_are_told_apart),
    ("processes_are_told_apart", true, processes_are_told_apart),
    ("sums_agree", true, sums_agree),
    ("percentiles_tell_two_kinds_apart", true, percentiles_tell_two_kinds_apart),
    ("calls_without_an_exit_count", true, calls_without_an_exit_count),
    ("output_and_status_are_the_programs", true, output_and_status_are_the_programs),
    ("an_interrupted_run_has_a_report", true, an_interrupted_run_has_a_report),
    ("a_child_that_lives_on_delays_nothing", true, a_child_that_lives_on_delays_nothing),
    ("people_get_tables", true, people_get_tables),
    ("the_short_form_counts_the_same", true, the_short_form_counts_the_same),
    ("a_full_disk_is_one_message", true, a_full_disk_is_one_message),
    ("the_output_is_looked_at_first", false, the_output_is_looked_at_first),
    ("bad_options_are_refused", false, bad_options_are_refused),
];

const TO_FILE: [&str; 4] = ["stat", "--json", "-o", "s.json"];

/// The report on the program with `words`.
fn report(words: &[&str]) -> Result<(Finished, Value), Failed> {
    let run = run(&TO_FILE, words)?;
    expect(&run, "nothing on stderr", run.stderr.is_empty())?;
    let report = json(&run, "s.json")?;
    Ok((run, report))
}

/// Calls of `name`, and how many failed.
fn calls(counts: &Value, name: &str) -> (u64, u64) {
    let found = elements(&counts["calls"]).find(|call| call["name"] == name);
    found.map_or((0, 0), |call| (number(&call["count"]), number(&call["errors"])))
}

fn calls_and_errors_are_exact() -> Outcome {
    for option in ["--no-exitless", "--strace=/dev/null"] {
        let run = run(&[&TO_FILE[..], &[option]].concat(), &["calls"])?;
        let total = &json(&run, "s.json")?["total"];
        expect(&run, "1000 calls", calls(total, "getppid") == (1000, 0))?;
        expect(&run, "37 errors", calls(total, "ioctl") == (37, 37))?;
        expect(&run, "one end", calls(total, "exit_group") == (1, 0))?;
    }
    Ok(Completion::Completed)
}

fn faults_are_exact() -> Outcome {
    let faults = |blocks| -> Result<(Finished, u64), Failed> {
        let (run, report) = report(&["faults", blocks])?;
        let count = number(&report["total"]["exits"]["page faults"]["count"]);
        Ok((run, count))
    };
    let ((_, few), (run, many)) = (faults("10")?, faults("90")?);
    expect(&run, "80 faults more, one for each block", many.wrapping_sub(few) == 80 && few >= 10)?;
    Ok(Completion::Completed)
}

fn threads_are_told_apart() -> Outcome {
    let (run, report) = report(&["threads"])?;
    let process = &report["processes"][0];
    expect(&run, "one process of four threads", elements(&process["threads"]).count() == 4)?;
    for (name, count) in [("worker-1", 100), ("worker-2", 200), ("worker-3", 300)] {
        let thread = elements(&process["threads"]).find(|thread| thread["name"] == name).unwrap_or(&Value::Null);
        expect(&run, &format!("{count} calls of {name}"), calls(thread, "getpriority") == (count, 0))?;
        expect(&run, &format!("one end of {name}"), calls(thread, "exit") == (1, 0))?;
    }
    expect(&run, "600 calls of the process", calls(process, "getpriority") == (600, 0))?;
    Ok(Completion::Completed)
}

fn processes_are_told_apart() -> Outcome {
    let (run, report) = report(&["processes"])?;
    let children: Vec<&Value> = elements(&report["processes"]).skip(1).collect();
    expect(&run, "six children", children.len() == 6)?;
    expect(&run, "no survivor", children.iter().all(|child| child["is_alive"] == false))?;
    let with = |name: &str, count| children.iter().filter(|child| calls(child, name).0 == count).count();
    expect(&run, "four with ten calls", with("getppid", 10) == 4)?;
    expect(&run, "one with five calls, of the program that it executed", with("getppid", 5) == 1)?;
    expect(&run, "its execve", with("execve", 1) == 1)?;
    let killed = children.iter().find(|child| child["name"] == "waiter").copied().unwrap_or(&Value::Null);
    expect(
        &run,
        "the call that was killed",
        calls(killed, "pause") == (1, 0) && calls(killed, "exit_group") == (0, 0),
    )?;
    let waited =
        elements(&killed["calls"]).find(|call| call["name"] == "pause").map_or(0, |call| number(&call["time"]));
    expect(&run, "the time of that", waited >= 90_000_000)?;
    let first = &report["processes"][0];
    expect(&run, "the parent's forks", calls(first, "clone").0 + calls(first, "vfork").0 == 6)?;
    expect(&run, "and nobody else's", calls(&report["total"], "clone").0 == calls(first, "clone").0)?;
    Ok(Completion::Completed)
}

/// Are the parts of `counts` all of its time, and its calls all of its exits for calls?
fn is_whole(counts: &Value) -> bool {
    let time = |name: &str| number(&counts[name]);
    let parts = ["guest", "syscalls", "faults", "runner"].map(time).iter().sum::<u64>();
    let of_calls = |what: &str| elements(&counts["calls"]).map(|call| number(&call[what])).sum::<u64>();
    let exits = &counts["exits"]["system calls"];
    parts == time("lifetime")
        && of_calls("count") == number(&exits["count"]) + number(&counts["answered"]["count"])
        && of_calls("time") == time("syscalls")
        && time("entering") <= time("guest")
}

fn sums_agree() -> Outcome {
    for words in [&["calls"][..], &["faults", "20"], &["threads"], &["processes"], &["reads"], &["signals"]] {
        let (run, report) = report(words)?;
        expect(&run, "a whole total", is_whole(&report["total"]))?;
        for what in ["lifetime", "guest", "syscalls", "faults", "runner"] {
            let sum = |parts: &Value| elements(parts).map(|part| number(&part[what])).sum::<u64>();
            let processes = &report["processes"];
            expect(&run, &format!("{what} by process"), sum(processes) == number(&report["total"][what]))?;
            for process in elements(processes) {
                expect(&run, "a whole process", is_whole(process))?;
                expect(&run, &format!("{what} by thread"), sum(&process["threads"]) == number(&process[what]))?;
                expect(&run, "whole threads", elements(&process["threads"]).all(is_whole))?;
            }
        }
        let first = &report["processes"][0];
        expect(&run, "no thread older than the run", number(&first["lifetime"]) <= 4 * number(&report["wall"]))?;
    }
    Ok(Completion::Completed)
}

fn percentiles_tell_two_kinds_apart() -> Outcome {
    let (run, report) = report(&["two_kinds"])?;
    let p99 = |name: &str| {
        let call = elements(&report["total"]["calls"]).find(|call| call["name"] == name);
        call.map_or(0, |call| number(&call["p99"]))
    };
    let slow = 19_000_000..19_000_000 * time_limit(2).as_secs();
    expect(&run, "the slow ones of poll, which are 15 of 1000", slow.contains(&p99("poll")))?;
    expect(&run, "the quick ones of pselect6, which are 995", (1..10_000_000).contains(&p99("pselect6")))?;
    Ok(Completion::Completed)
}

fn calls_without_an_exit_count() -> Outcome {
    let (run, report) = report(&["reads"])?;
    expect(&run, "20000 calls, however they were answered", calls(&report["total"], "pread64") == (20_000, 0))?;
    Ok(Completion::Completed)
}

fn output_and_status_are_the_programs() -> Outcome {
    for (script, ending) in [("echo out; exit 7", Ending::Code(7)), ("echo out; kill -USR1 $$", Ending::Signal(10))] {
        let run = Invocation::kvm_se()?.args(TO_FILE).args(["/bin/sh", "-c", script]).run()?;
        expect(&run, &format!("{ending}"), run.ending == ending && run.stdout == b"out\n" && run.stderr.is_empty())?;
        let status = &json(&run, "s.json")?["status"];
        let is_told = status["code"] == 7 || status["signal"] == 10;
        expect(&run, "the status in the report", is_told)?;
    }
    let run = Invocation::kvm_se()?.args(TO_FILE).arg("./no-such-program").run()?;
    expect(&run, "exit 127", run.ending == Ending::Code(127))?;
    // Descriptors of the reporter are none of the program's.
    let script = ["/bin/sh", "-c", "ls /proc/self/fd"];
    let without = Invocation::kvm_se()?.args(script).run()?;
    let run = Invocation::kvm_se()?.args(["stat", "--timeline", "t.json", "-o", "s"]).args(script).run()?;
    expect(&run, "no other descriptors than without", run.stdout == without.stdout)?;
    Ok(Completion::Completed)
}

fn an_interrupted_run_has_a_report() -> Outcome {
    for signal in ["INT", "TERM"] {
        let (seconds, program) = (time_limit(2).as_secs(), counted()?);
        let script = format!("timeout -s {signal} {seconds} \"$0\" stat --json -o s.json {program} forever");
        let run = Invocation::shell(&script)?.run()?;
        let report = json(&run, "s.json")?;
        expect(&run, "calls up to then", calls(&report["total"], "getppid").0 > 100)?;
        expect(&run, "the signal", report["status"]["signal"].is_u64() && is_whole(&report["total"]))?;
    }
    Ok(Completion::Completed)
}

fn a_child_that_lives_on_delays_nothing() -> Outcome {
    let script = format!("{} forever >/dev/null 2>&1 & echo $!; sleep {}", counted()?, time_limit(1).as_secs());
    let run = Invocation::kvm_se()?.args(TO_FILE).args(["/bin/sh", "-c", &script]).run()?;
    if let Ok(pid) = String::from_utf8_lossy(&run.stdout).trim().parse() {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)?;
    }
    expect(&run, "success", run.ending == Ending::Code(0))?;
    let report = json(&run, "s.json")?;
    let child = elements(&report["processes"]).find(|process| process["is_alive"] == true).unwrap_or(&Value::Null);
    expect(&run, "a child that lives, and its calls", calls(child, "getppid").0 > 100)?;
    Ok(Completion::Completed)
}

fn people_get_tables() -> Outcome {
    let run = run(&["stat", "--per-process", "--per-thread"], &["threads"])?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    for words in [
        "kvm-se stat: ",
        "s wall",
        "guest mode",
        "life of 4 threads of 1 process\n",
        "system calls",
        "p99/us",
        "getpriority",
        "context switches",
        "KiB peak memory",
        "instructions",
        ": worker-3",
        "not counted: getpid, ",
    ] {
        expect(&run, &format!("{words:?}"), text.contains(words))?;
    }
    let is_line =
        |line: &&str| line.split_whitespace().eq(["600", "0"].into_iter().chain(line.split_whitespace().skip(2)));
    let of_all = text.lines().filter(|line| line.ends_with("  getpriority")).filter(is_line).count();
    expect(&run, "600 calls, in all and of the process", of_all == 2)?;
    let quiet = super::run(&["stat", "-q"], &["threads"])?;
    let text = String::from_utf8_lossy(&quiet.stderr).into_owned();
    expect(&quiet, "no table", text.contains("s wall") && !text.contains("getpriority"))?;
    Ok(Completion::Completed)
}

fn the_short_form_counts_the_same() -> Outcome {
    let run = run(&["--stats"], &["calls"])?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let is_call = |name: &str, count: &str, errors: &str| {
        text.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.first() == Some(&count) && words.get(1) == Some(&errors) && words.last() == Some(&name)
        })
    };
    expect(&run, "1000 calls", is_call("getppid", "1000", "0"))?;
    expect(&run, "37 errors", is_call("ioctl", "37", "37"))?;
    Ok(Completion::Completed)
}

fn a_full_disk_is_one_message() -> Outcome {
    let args = ["stat", "-o", "/dev/full", "/bin/echo", "hello"];
    let run = Invocation::kvm_se()?.env("TMPDIR", "/dev/null").args(args).run()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    expect(&run, "the program's output", run.stdout == b"hello\n" && run.ending == Ending::Code(125))?;
    expect(&run, "one message", text == "kvm-se: cannot write /dev/full: no space left on device\n")?;
    let run = Invocation::shell("exec \"$0\" stat /bin/echo hello 2>/dev/full")?.run()?;
    expect(&run, "exit 125", run.stdout == b"hello\n" && run.ending == Ending::Code(125))?;
    Ok(Completion::Completed)
}

fn the_output_is_looked_at_first() -> Outcome {
    for option in ["-o", "--timeline"] {
        let run = Invocation::kvm_se()?.args(["stat", option, "no/such/folder/s", "/bin/echo", "hello"]).run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        expect(&run, "no program to be run", run.stdout.is_empty() && run.ending == Ending::Code(125))?;
        let message = "kvm-se: cannot write no/such/folder/s: no such file or directory\n";
        expect(&run, "one message", text == message)?;
    }
    let run = Invocation::shell("ulimit -f 1000; exec \"$0\" stat /bin/echo hello")?.run()?;
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    expect(
        &run,
        "a limit on files as one message",
        text == "kvm-se: cannot prepare the process: File too large (os error 27)\n",
    )?;
    Ok(Completion::Completed)
}

fn bad_options_are_refused() -> Outcome {
    for args in [
        &["stat"][..],
        &["stat", "--stats", "/bin/true"],
        &["stat", "--per-nothing", "/bin/true"],
        &["stat", "--json", "-q", "/bin/true"],
        &["stat", "-o"],
        &["record", "--timeline", "t.json", "--stats", "/bin/true"],
    ] {
        let run = Invocation::kvm_se()?.args(args).run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        expect(&run, "to be refused", run.ending == Ending::Code(125) && text.starts_with("kvm-se: "))?;
        expect(&run, "no file", run.files.is_empty())?;
    }
    Ok(Completion::Completed)
}
