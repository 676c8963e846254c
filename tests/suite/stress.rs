//! Long runs of random operations against a model.

use libtest_mimic::{Completion, Trial};

use crate::compare::same_behaviour;
use crate::invocation::Invocation;
use crate::machine::{Outcome, kvm_trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kvm_trial("stress::random_memory_operations".into(), || random_memory_operations(1)),
        kvm_trial("stress::random_memory_operations_of_four_threads".into(), || random_memory_operations(4)),
    ]
}

/// No vCPU keeps a translation that the guest has changed: maps, protections, unmaps and touches at random.
fn random_memory_operations(threads: u32) -> Outcome {
    let operations = std::env::var("KVM_SE_STRESS").unwrap_or_else(|_| "100000".into());
    let program = Program::named("mem", "random_operations")?.executable()?;
    let args = [operations, threads.to_string()];
    let native = Invocation::native(&program)?.patient().args(&args).run()?;
    let guest = Invocation::kvm_se()?.patient().arg(&program).args(&args).run()?;
    same_behaviour(&native, &guest)?;
    Ok(Completion::Completed)
}
