//! One check: a few lines of user code in a VM of its own, watched from outside.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use nix::unistd::{Pid, gettid};

use super::report::Finding;
use super::scratch::Scratch;
use crate::vm::{Trap, VmError, kick};

/// A line of the report, and how to come by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    pub what: &'static str,
    pub need: Need,
    pub perform: fn(&mut Scratch) -> Result<Answer, Failure>,
}

/// What hangs on a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// No program can run without it.
    Must,
    /// The runner does without it.
    May,
}

/// What a check that came to its end has found.
#[derive(Debug)]
pub(super) struct Answer {
    result: String,
    meaning: String,
}

impl Answer {
    pub(super) fn yes(meaning: impl Into<String>) -> Self {
        Self::value("yes", meaning)
    }

    pub(super) fn no(meaning: impl Into<String>) -> Self {
        Self::value("no", meaning)
    }

    pub(super) fn value(result: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { result: result.into(), meaning: meaning.into() }
    }
}

/// Why a check has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// KVM refused something.
    Vm(VmError),
    /// The guest did something else.
    Wrong(String),
    /// The guest did not come back by itself.
    Hung,
}

impl Failure {
    pub(super) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(what.into())
    }

    /// The guest was to do `what` and did something else.
    pub(super) fn trap(what: &str, trap: Trap) -> Self {
        match trap {
            Trap::Kicked => Self::Hung,
            Trap::Bad(exit) => Self::Wrong(format!("{what} ended in {exit}")),
            other => Self::Wrong(format!("{what} ended in {other:x?}")),
        }
    }
}

impl From<VmError> for Failure {
    fn from(error: VmError) -> Self {
        Self::Vm(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vm(error) => error.fmt(f),
            Self::Wrong(what) => f.write_str(what),
            Self::Hung => write!(f, "the guest did not come back within {} s", PATIENCE.as_secs()),
        }
    }
}

impl Check {
    /// Performs the check in a VM of its own.
    pub(super) fn finding(self) -> Finding {
        let perform = self.perform;
        let outcome = watched(move || perform(&mut Scratch::new()?)).and_then(|outcome| outcome);
        let is_fatal = self.need == Need::Must && outcome.is_err();
        let Answer { result, meaning } = outcome.unwrap_or_else(|failure| Answer::no(failure.to_string()));
        Finding { what: self.what, result, meaning, is_fatal }
    }
}

/// How long a check may take before it is kicked.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is kicked before it is left behind, and how far apart.
const KICKS: u32 = 20;
const KICK_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `act` on a thread of its own. If it takes too long it is kicked, and left behind if that does not help.
pub(super) fn watched<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (sender, receiver) = mpsc::channel();
    let tid = Arc::new(OnceLock::new());
    let own = Arc::clone(&tid);
    thread::spawn(move || {
        let _ = own.set(gettid());
        // Nobody waits any longer if that fails.
        let _ = sender.send(act());
    });
    let mut patience = PATIENCE;
    for _ in 0..=KICKS {
        match receiver.recv_timeout(patience) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::wrong("the check itself failed")),
            Err(RecvTimeoutError::Timeout) => kick_if_alive(tid.get().copied()),
        }
        patience = KICK_INTERVAL;
    }
    Err(Failure::Hung)
}

fn kick_if_alive(tid: Option<Pid>) {
    if let Some(tid) = tid {
        // A thread that has just ended needs no kick.
        let _ = kick::kick(tid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_hangs_is_reported() {
        kick::install().unwrap();
        assert_eq!(watched(|| 5).unwrap(), 5);
        let hung = watched(|| thread::sleep(Duration::from_secs(60)));
        assert_eq!(hung.unwrap_err().to_string(), "the guest did not come back within 1 s");
    }
}
