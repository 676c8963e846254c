//! `kvm-se stat`, and timelines.

mod counts;
mod timeline;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, kvm_trial, trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let groups = [("stat", counts::TESTS), ("timeline", timeline::TESTS)];
    let all = groups.into_iter().flat_map(|(group, tests)| tests.iter().map(move |test| (group, test)));
    all.map(|(group, &(name, needs_kvm, test))| {
        let name = format!("{group}::{name}");
        if needs_kvm { kvm_trial(name, test) } else { trial(name, test) }
    })
    .collect()
}

/// Name, whether it runs a guest, and the test itself.
type Test = (&'static str, bool, fn() -> Outcome);

fn expect(run: &Finished, what: &str, holds: bool) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("expected {what}\n{}", run.report()).into()) }
}

/// What `testprogs/profile/counted.c` is called here.
fn counted() -> Result<String, Failed> {
    Ok(Program::profiled("counted")?.executable()?.display().to_string())
}

/// kvm-se with `options`, and the program with `words` behind it.
fn run(options: &[&str], words: &[&str]) -> Result<Finished, Failed> {
    let run = Invocation::kvm_se()?.patient().args(options).arg(counted()?).args(words).run()?;
    expect(&run, "success", run.ending == Ending::Code(0))?;
    Ok(run)
}

/// The JSON file `name` that a run left.
fn json(run: &Finished, name: &str) -> Result<Value, Failed> {
    serde_json::from_slice(&run.read(name)?).map_err(|error| format!("{name}: {error}\n{}", run.report()).into())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(u64::MAX)
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
