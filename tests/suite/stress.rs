//! Long runs of random operations against a model.

use libtest_mimic::{Completion, Trial};

use crate::compare::{as_expected, same_behaviour};
use crate::invocation::Invocation;
use crate::machine::{Outcome, kvm_trial};
use crate::program::Program;

/// Area and name of a program, and how many threads it is told to use.
const PROGRAMS: [(&str, &str, &str); 3] =
    [("mem", "random_operations", "1"), ("mem", "random_operations", "4"), ("threads", "random_memory_operations", "")];

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(area, name, threads)| {
        let title = format!("stress::{area}::{name}{threads}");
        kvm_trial(title, move || many_times(area, name, threads))
    };
    PROGRAMS.map(trial).into()
}

/// No vCPU keeps a translation that the guest has changed: maps, protections, unmaps and touches at random.
fn many_times(area: &str, name: &str, threads: &str) -> Outcome {
    let operations = std::env::var("KVM_SE_STRESS").unwrap_or_else(|_| "100000".into());
    let program = Program::named(area, name)?.executable()?;
    let args: Vec<&str> = [operations.as_str(), threads].into_iter().filter(|arg| !arg.is_empty()).collect();
    let native = Invocation::native(&program)?.patient().args(&args).run()?;
    as_expected(&native)?;
    let guest = Invocation::kvm_se()?.patient().arg(&program).args(&args).run()?;
    same_behaviour(&native, &guest)?;
    Ok(Completion::Completed)
}
