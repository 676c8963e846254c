//! Long runs of random operations against a model.

use libtest_mimic::{Completion, Trial};

use crate::compare::{as_expected, same_behaviour};
use crate::invocation::Invocation;
use crate::machine::{Outcome, kvm_trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let programs = [("mem", "random_operations"), ("threads", "random_memory_operations")];
    programs.map(|(area, name)| kvm_trial(format!("stress::{area}::{name}"), move || many_times(area, name))).into()
}

/// No vCPU keeps a translation that the guest has changed: maps, protections, unmaps and touches at random.
fn many_times(area: &str, name: &str) -> Outcome {
    let operations = std::env::var("KVM_SE_STRESS").unwrap_or_else(|_| "100000".into());
    let program = Program::named(area, name)?.executable()?;
    let native = Invocation::native(&program)?.patient().arg(&operations).run()?;
    as_expected(&native)?;
    let guest = Invocation::kvm_se()?.patient().arg(&program).arg(&operations).run()?;
    same_behaviour(&native, &guest)?;
    Ok(Completion::Completed)
}
