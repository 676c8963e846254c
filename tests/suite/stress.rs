//! Long runs of random operations against a model.

use libtest_mimic::{Completion, Trial};

use crate::compare::same_behaviour;
use crate::invocation::Invocation;
use crate::machine::{Outcome, kvm_trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    vec![kvm_trial("stress::random_memory_operations".into(), random_memory_operations)]
}

/// No vCPU keeps a translation that the guest has changed: maps, protections, unmaps and touches at random.
fn random_memory_operations() -> Outcome {
    let operations = std::env::var("KVM_SE_STRESS").unwrap_or_else(|_| "100000".into());
    let program = Program::named("mem", "random_operations")?.executable()?;
    let native = Invocation::native(&program)?.arg(&operations).run()?;
    let guest = Invocation::kvm_se()?.patient().arg(&program).arg(&operations).run()?;
    same_behaviour(&native, &guest)?;
    Ok(Completion::Completed)
}
