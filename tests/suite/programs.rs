//! Every program of `testprogs/`: natively, then under kvm-se.

use libtest_mimic::{Completion, Trial};

use crate::compare::same_behaviour;
use crate::invocation::{Finished, Invocation};
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
    if has_line(&native, "FAIL") {
        return Err(format!("Linux itself does otherwise than the program expects\n{}", native.report()).into());
    }
    let guest = Invocation::kvm_se()?.arg(&executable).run()?;
    same_behaviour(&native, &guest)?;
    let skipped = text(&native.stdout).lines().find_map(|line| Some(line.strip_prefix("skip: ")?.to_owned()));
    Ok(skipped.map_or(Completion::Completed, Completion::ignored_with))
}

fn has_line(run: &Finished, start: &str) -> bool {
    run.stdout.split(|&byte| byte == b'\n').any(|line| line.starts_with(start.as_bytes()))
}
