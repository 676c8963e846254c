//! The command line, as a user and a shell see it.

mod bad_programs;
mod inherited;
mod options;
mod reports;

use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, kvm_trial, trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let groups = [
        ("options", options::TESTS),
        ("bad_programs", bad_programs::TESTS),
        ("inherited", inherited::TESTS),
        ("reports", reports::TESTS),
    ];
    let named = |group: &'static str| {
        move |&(name, needs, test): &Test| {
            let name = format!("command_line::{group}::{name}");
            match needs {
                Needs::Nothing => trial(name, test),
                Needs::Kvm => kvm_trial(name, test),
            }
        }
    };
    groups.into_iter().flat_map(|(group, tests)| tests.iter().map(named(group))).collect()
}

/// Name, what it needs, and the test itself.
type Test = (&'static str, Needs, fn() -> Outcome);

#[derive(Clone, Copy, Debug)]
enum Needs {
    Nothing,
    Kvm,
}

/// A list of tests that are called like their functions.
macro_rules! tests {
    ($($name:ident $needs:ident;)*) => {
        pub(super) const TESTS: &[super::Test] = &[$((stringify!($name), super::Needs::$needs, $name)),*];
    };
}
use tests;

/// The guest that shows how it was started.
fn show() -> Result<PathBuf, String> {
    Program::guest("show")?.executable()
}

/// What a test expects of a run; each complaint comes with all that is known about the run.
trait Expect: Sized {
    /// It ended by exit(2) with this status.
    fn status(self, status: i32) -> Result<Self, Failed>;
    /// It ended by this signal.
    fn signal(self, signal: i32) -> Result<Self, Failed>;
    /// This is what it wrote to stdout.
    fn stdout(self, expected: &str) -> Result<Self, Failed>;
    /// This is what it wrote to stderr.
    fn stderr(self, expected: &str) -> Result<Self, Failed>;
    /// One line on stderr that starts like this, with at most a remedy in a second one; nothing on stdout.
    fn complaint(self, start: &str) -> Result<Self, Failed>;
    /// Anything else that must hold.
    fn check(self, what: &str, holds: impl FnOnce(&Finished) -> bool) -> Result<Self, Failed>;
}

impl Expect for Finished {
    fn status(self, status: i32) -> Result<Self, Failed> {
        self.check(&format!("exit status {status}"), |run| run.ending == Ending::Code(status))
    }

    fn signal(self, signal: i32) -> Result<Self, Failed> {
        self.check(&format!("{}", Ending::Signal(signal)), |run| run.ending == Ending::Signal(signal))
    }

    fn stdout(self, expected: &str) -> Result<Self, Failed> {
        self.check(&format!("stdout {expected:?}"), |run| run.stdout == expected.as_bytes())
    }

    fn stderr(self, expected: &str) -> Result<Self, Failed> {
        self.check(&format!("stderr {expected:?}"), |run| run.stderr == expected.as_bytes())
    }

    fn complaint(self, start: &str) -> Result<Self, Failed> {
        let is_complaint = |run: &Finished| {
            let text = String::from_utf8_lossy(&run.stderr);
            let mut lines = text.lines();
            lines.next().is_some_and(|line| line.starts_with(start))
                && lines.next().is_none_or(|remedy| remedy.starts_with("  "))
                && lines.next().is_none()
        };
        self.check(&format!("one line on stderr that starts with {start:?}"), is_complaint)?.stdout("")
    }

    fn check(self, what: &str, holds: impl FnOnce(&Finished) -> bool) -> Result<Self, Failed> {
        if holds(&self) { Ok(self) } else { Err(format!("expected {what}\n{}", self.report()).into()) }
    }
}

fn kvm_se() -> Result<Invocation, Failed> {
    Ok(Invocation::kvm_se()?)
}

fn passed(_: Finished) -> Outcome {
    Ok(libtest_mimic::Completion::Completed)
}
