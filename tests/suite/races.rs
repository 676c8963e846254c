//! What goes wrong only now and then: the programs of `testprogs/races`, round after round.

use std::io::Write;

use libtest_mimic::{Completion, Trial};

use crate::compare::{as_expected, same_behaviour};
use crate::invocation::Invocation;
use crate::machine::{Outcome, kvm_trial};
use crate::program::{self, Program};
use crate::report::text;

/// One test a race.
pub(crate) fn trials() -> Result<Vec<Trial>, String> {
    let races = program::races()?;
    Ok(races.into_iter().map(|race| kvm_trial(format!("races::{}", race.name), move || run(&race))).collect())
}

/// Without a number that was asked for, a few rounds, natively too.
fn run(race: &Program) -> Outcome {
    const FEW: &str = "2r";
    let wanted = std::env::var("KVM_SE_RACES").ok();
    let often = wanted.as_deref().unwrap_or(FEW);
    // That it holds natively takes no long time to see.
    let natively = if often.ends_with('r') { often } else { FEW };
    let executable = race.executable()?;
    let native = Invocation::native(&executable)?.patient().arg(natively).run()?;
    as_expected(&native)?;
    let guest = Invocation::kvm_se()?.patient().arg(&executable).arg(often).run()?;
    same_behaviour(&native, &guest)?;
    if wanted.is_some() {
        let mut stdout = std::io::stdout();
        write!(stdout, "{} rounds, ", text(&guest.read("rounds")?).trim_end())?;
        stdout.flush()?;
    }
    Ok(Completion::Completed)
}
