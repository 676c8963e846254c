//! `kvm-se record` and `kvm-se report`.

mod faults;
mod formats;
mod memory;
mod runs;

use std::collections::BTreeMap;
use std::env;

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, is_emulated, kvm_trial, sampled, trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let formats = formats::READERS
        .iter()
        .map(|reader| kvm_trial(format!("profile::shares_in_{}", reader.name), move || sampled(|| shares(reader))));
    let faults = formats::READERS
        .iter()
        .map(|reader| kvm_trial(format!("profile::faults_in_{}", reader.name), move || faults::faults(reader)));
    let runs = runs::TESTS.iter().chain(memory::TESTS).map(|&(name, needs_kvm, test)| {
        let name = format!("profile::{name}");
        if needs_kvm { kvm_trial(name, test) } else { trial(name, test) }
    });
    formats.chain(faults).chain(runs).collect()
}

/// A function's share of all time with what it calls, in per cent.
type Shares = BTreeMap<String, f64>;

/// What `testprogs/profile/shares.c` does in each of its functions, in per cent.
const TRUTH: [(&str, f64); 5] =
    [("half", 50.0), ("recursive", 20.0), ("caller_of_inlined", 10.0), ("inlined", 10.0), ("in_thread", 20.0)];

fn shares(reader: &'static formats::Reader) -> Outcome {
    if let Some(tool) = reader.tools.iter().find(|tool| crate::machine::find_program(tool).is_none()) {
        return crate::machine::tool_not_installed(tool);
    }
    let wanted: usize = env::var("KVM_SE_PROFILE_SAMPLES").ok().and_then(|number| number.parse().ok()).unwrap_or(600);
    // Two emulated processors take turns of milliseconds each.
    let bound = if wanted >= 20_000 {
        3.0
    } else if is_emulated() {
        15.0
    } else {
        9.0
    };
    let program = Program::profiled("shares")?.executable()?;
    let mut rounds = 300;
    // On a busy machine the recorder gets its turn less often, not with other results.
    for _ in 0..8 {
        let run = Invocation::kvm_se()?
            .patient()
            .args(["record", "-F", "1999", "--format", reader.format, "-o", "profile"])
            .arg(&program)
            .arg(rounds.to_string())
            .run()?;
        let samples = nr_samples(&run)?;
        if samples < wanted {
            rounds *= (wanted / samples.max(1)).clamp(2, 20);
            continue;
        }
        let found = (reader.read)(&run)?;
        for (function, truth) in TRUTH {
            let share = found.get(function).copied().unwrap_or(0.0);
            if (share - truth).abs() > bound || share < truth / 3.0 {
                return Err(
                    format!("{function} has {share:.1} %, not {truth} %, of {samples} samples: {found:?}").into()
                );
            }
        }
        return Ok(Completion::Completed);
    }
    Err(format!("there were never {wanted} samples").into())
}

/// The number of samples that a run reports.
fn nr_samples(run: &Finished) -> Result<usize, Failed> {
    let text = String::from_utf8_lossy(&run.stderr);
    let number = text.strip_prefix("kvm-se: ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    match number {
        Some(number) if run.ending == Ending::Code(0) => Ok(number),
        _ => Err(run.report().into()),
    }
}
