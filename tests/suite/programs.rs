//! Every program of `testprogs/`: natively, then under kvm-se.

use libtest_mimic::{Completion, Trial};

use crate::compare::{as_expected, same_behaviour};
use crate::invocation::Invocation;
use crate::machine::{Outcome, kvm_trial};
use crate::program::{self, Program};
use crate::report::text;

/// One test a program, called `area::name`.
pub(crate) fn trials() -> Result<Vec<Trial>, String> {
    let programs = program::all()?;
    Ok(programs.into_iter().map(|it| kvm_trial(format!("{}::{}", it.area, it.name), move || compare(&it))).collect())
}

fn compare(program: &Program) -> Outcome {
    let executable = program.executable()?;
    let native = Invocation::native(&executable)?.run()?;
    as_expected(&native)?;
    let guest = Invocation::kvm_se()?.arg(&executable).run()?;
    same_behaviour(&native, &guest)?;
    let skipped = text(&native.stdout).lines().find_map(|line| Some(line.strip_prefix("skip: ")?.to_owned()));
    Ok(skipped.map_or(Completion::Completed, Completion::ignored_with))
}
