//! `--timeline`: what happened when.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use libtest_mimic::{Completion, Failed};
use serde_json::Value;

use super::{Test, counted, elements, expect, json, run};
use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, time_limit};

pub(super) const TESTS: &[Test] = &[
    ("each_call_and_fault_is_there", true, each_call_and_fault_is_there),
    ("threads_and_signals_have_names", true, threads_and_signals_have_names),
    ("processes_are_there", true, processes_are_there),
    ("many_events_are_not_lost", true, many_events_are_not_lost),
    ("record_writes_one_too", true, record_writes_one_too),
    ("a_killed_kvm_se_leaves_whole_events", true, a_killed_kvm_se_leaves_whole_events),
    ("an_interrupted_run_has_a_whole_file", true, an_interrupted_run_has_a_whole_file),
    ("a_full_disk_is_one_message", true, a_full_disk_is_one_message),
];

const TO_FILE: [&str; 6] = ["stat", "-q", "-o", "s", "--timeline", "t.json"];

/// The timeline of the program with `words`.
fn timeline(words: &[&str]) -> Result<(Finished, Value), Failed> {
    let run = run(&TO_FILE, words)?;
    let events = json(&run, "t.json")?;
    is_trace(&run, &events)?;
    Ok((run, events))
}

/// Events as the format wants them; those of a thread that take time do not overlap.
fn is_trace(run: &Finished, events: &Value) -> Result<(), Failed> {
    let mut spans: BTreeMap<(u64, u64), Vec<(f64, f64)>> = BTreeMap::new();
    expect(run, "an array", events.is_array())?;
    for event in elements(events) {
        let has_ids = event["pid"].is_u64() && event["tid"].is_u64();
        let is_sound = match event["ph"].as_str() {
            Some("M") => event["args"]["name"].is_string(),
            Some("X") => event["ts"].is_number() && event["dur"].is_number() && event["args"].is_object(),
            Some("i") => event["ts"].is_number() && matches!(event["s"].as_str(), Some("t" | "g")),
            _ => false,
        };
        expect(run, &format!("a sound event: {event}"), has_ids && is_sound && event["name"].is_string())?;
        if let (Some(start), Some(time)) = (event["ts"].as_f64(), event["dur"].as_f64()) {
            let thread = (event["pid"].as_u64().unwrap_or(0), event["tid"].as_u64().unwrap_or(0));
            spans.entry(thread).or_default().push((start, start + time));
        }
    }
    for spans in spans.values_mut() {
        spans.sort_by(|one, other| one.0.total_cmp(&other.0));
        let overlap = spans.windows(2).find(|pair| pair[0].1 > pair[1].0 + 0.002);
        expect(run, &format!("no overlap: {overlap:?}"), overlap.is_none())?;
    }
    Ok(())
}

fn named<'a>(events: &'a Value, name: &str) -> Vec<&'a Value> {
    elements(events).filter(|event| event["name"] == name).collect()
}

fn each_call_and_fault_is_there() -> Outcome {
    let (run, events) = timeline(&["calls"])?;
    expect(&run, "1000 calls", named(&events, "getppid").len() == 1000)?;
    let failed = named(&events, "ioctl");
    let is_told = |event: &&&Value| {
        event["args"]["arguments"].as_str().is_some_and(|text| text.starts_with("-1, "))
            && event["args"]["result"].as_str().is_some_and(|text| text.starts_with("-1 EBADF "))
    };
    expect(&run, "37 errors with their arguments", failed.iter().filter(is_told).count() == 37)?;
    let faults = |blocks| -> Result<usize, Failed> {
        let (run, events) = timeline(&["faults", blocks])?;
        let faults = named(&events, "page fault");
        let is_write = |event: &&&Value| event["args"]["access"] == "write" && event["args"]["kind"] == "not present";
        expect(&run, "faults of writes", faults.iter().filter(is_write).count() >= 10)?;
        Ok(faults.len())
    };
    let (few, many) = (faults("10")?, faults("40")?);
    if many != few + 30 { Err(format!("{few} and {many} faults").into()) } else { Ok(Completion::Completed) }
}

fn threads_and_signals_have_names() -> Outcome {
    let (run, events) = timeline(&["threads"])?;
    let is_name = |name: &str| named(&events, "thread_name").iter().any(|event| event["args"]["name"] == name);
    expect(&run, "names", ["counted", "worker-1", "worker-2", "worker-3"].into_iter().all(is_name))?;
    let process = named(&events, "process_name");
    expect(&run, "the process's name", process.iter().any(|event| event["args"]["name"] == "counted"))?;
    let (run, events) = timeline(&["signals"])?;
    let signals = named(&events, "SIGUSR1");
    expect(&run, "three signals", signals.len() == 3 && signals.iter().all(|event| event["ph"] == "i"))?;
    Ok(Completion::Completed)
}

fn processes_are_there() -> Outcome {
    let (run, events) = timeline(&["processes"])?;
    expect(&run, "calls of all", named(&events, "getppid").len() == 45)?;
    let mut pids: Vec<u64> = elements(&events).filter_map(|event| event["pid"].as_u64()).collect();
    pids.sort_unstable();
    pids.dedup();
    expect(&run, "seven processes", pids.len() == 7)?;
    Ok(Completion::Completed)
}

fn many_events_are_not_lost() -> Outcome {
    for words in ["many", "reads"] {
        let (run, events) = timeline(&[words])?;
        let name = if words == "many" { "getppid" } else { "pread64" };
        expect(&run, "20000 calls", named(&events, name).len() == 20_000)?;
    }
    Ok(Completion::Completed)
}

fn record_writes_one_too() -> Outcome {
    let run = run(&["record", "-q", "-o", "p.folded", "--timeline", "t.json.gz"], &["calls"])?;
    expect(&run, "nothing on stderr", run.stderr.is_empty())?;
    let mut text = String::new();
    MultiGzDecoder::new(&run.read("t.json.gz")?[..]).read_to_string(&mut text)?;
    let events: Value = serde_json::from_str(&text)?;
    is_trace(&run, &events)?;
    expect(&run, "1000 calls", named(&events, "getppid").len() == 1000)?;
    run.read("p.folded")?;
    Ok(Completion::Completed)
}

fn a_killed_kvm_se_leaves_whole_events() -> Outcome {
    let (seconds, program) = (time_limit(2).as_secs(), counted()?);
    let script = format!(
        "\"$0\" stat -o s --timeline t.json {program} forever & sleep {seconds}; \
         child=$(cat /proc/$!/task/$!/children); kill -9 $! $child"
    );
    let run = Invocation::shell(&script)?.run()?;
    let mut text = String::from_utf8_lossy(&run.read("t.json")?).into_owned();
    text.push(']');
    let events: Value = serde_json::from_str(&text).map_err(|error| format!("{error}\n{}", run.report()))?;
    is_trace(&run, &events)?;
    expect(&run, "calls up to then", named(&events, "getppid").len() > 100)?;
    Ok(Completion::Completed)
}

fn an_interrupted_run_has_a_whole_file() -> Outcome {
    let (seconds, program) = (time_limit(2).as_secs(), counted()?);
    let script = format!("timeout -s INT {seconds} \"$0\" stat -o s --timeline t.json {program} forever");
    let run = Invocation::shell(&script)?.run()?;
    let events = json(&run, "t.json")?;
    is_trace(&run, &events)?;
    expect(&run, "calls up to then", named(&events, "getppid").len() > 100)?;
    Ok(Completion::Completed)
}

fn a_full_disk_is_one_message() -> Outcome {
    for args in [&["stat", "-o", "s"][..], &["record", "-q", "-o", "p.folded"]] {
        let run = Invocation::kvm_se()?
            .env("TMPDIR", "/dev/null")
            .args(args)
            .args(["--timeline", "/dev/full", "/bin/echo", "hello"])
            .run()?;
        let text = String::from_utf8_lossy(&run.stderr).into_owned();
        expect(&run, "the program's output", run.stdout == b"hello\n" && run.ending == Ending::Code(125))?;
        expect(&run, "one message", text == "kvm-se: cannot write /dev/full: no space left on device\n")?;
        expect(&run, "what could be written", run.files.len() == 1)?;
    }
    Ok(Completion::Completed)
}
