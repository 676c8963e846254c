//! `kvm-se doctor`: executes everything that the runner relies on and reports what came of it.
//!
//! Each check has a VM of its own on a thread of its own, so one that fails or hangs does not hide the others.

mod check;
mod control;
mod cost;
mod host;
mod memory;
mod overflow;
mod processor;
mod report;
mod routines;
mod scratch;
mod state;
mod time;

pub use cost::{ExitCosts, exit_costs, syscall_cost};
pub use overflow::exact_counter;
pub use report::{Finding, Report, Section};

use self::check::{Check, Failure, watched};
use self::scratch::Scratch;
use super::{VmError, kick};

/// Checks in the order of the report.
const CHECKS: [(&str, &[Check]); 6] = [
    ("Processor", processor::CHECKS),
    ("State", state::CHECKS),
    ("Memory", memory::CHECKS),
    ("Time", time::CHECKS),
    ("Control", control::CHECKS),
    ("Cost (medians)", cost::CHECKS),
];

/// Examines this machine.
///
/// # Errors
/// When there is no usable /dev/kvm at all: then there is nothing to report but that.
pub fn examine() -> Result<Report, VmError> {
    kick::install().map_err(|source| VmError::Ioctl { call: "sigaction", source })?;
    let mut report = Report { sections: vec![Section { title: "Host", findings: host::findings() }] };
    match watched(|| Scratch::new().map(drop)) {
        Ok(Ok(())) => {}
        Ok(Err(error @ (VmError::Open(_) | VmError::ApiVersion(_) | VmError::Capability(_)))) => return Err(error),
        Ok(Err(error)) => return Ok(without_machine(report, &error.into())),
        Err(failure) => return Ok(without_machine(report, &failure)),
    }
    let section = |(title, checks): (&'static str, &[Check])| Section {
        title,
        findings: checks.iter().map(|check| check.finding()).collect(),
    };
    report.sections.extend(CHECKS.map(section));
    Ok(report)
}

/// Nothing can be examined, but the host's part helps to find out why.
fn without_machine(mut report: Report, failure: &Failure) -> Report {
    let finding =
        Finding { what: "virtual machine", result: "no".to_owned(), meaning: failure.to_string(), is_fatal: true };
    report.sections.push(Section { title: "Processor", findings: vec![finding] });
    report
}
