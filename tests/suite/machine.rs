//! What the tests find on this machine, and what they make of its absence.

use std::env;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};

/// What a test returns.
pub(crate) type Outcome = Result<Completion, Failed>;

/// A test that needs no virtual machine.
pub(crate) fn trial(name: String, test: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::ignorable_test(name, test)
}

/// A test that runs guests.
pub(crate) fn kvm_trial(name: String, test: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::ignorable_test(name, || match kvm() {
        Ok(()) => test(),
        Err(reason) if is_set("KVM_SE_REQUIRE_KVM") => Err(reason.into()),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

/// The outcome of a test whose program or tool is not there.
pub(crate) fn not_installed(what: &str) -> Outcome {
    let reason = format!("{what} is not installed");
    if is_set("KVM_SE_REQUIRE_PROGRAMS") { Err(reason.into()) } else { Ok(Completion::ignored_with(reason)) }
}

/// The same for a tool that is nothing to where the test programs came ready: there is nothing else, by intention.
pub(crate) fn tool_not_installed(what: &str) -> Outcome {
    match crate::program::prebuilt() {
        Some(_) => Ok(Completion::ignored_with(format!("{what} is not installed"))),
        None => not_installed(what),
    }
}

/// Why guests cannot be run.
pub(crate) fn kvm() -> Result<(), String> {
    match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("/dev/kvm: {error}")),
    }
}

/// The kvm-se under test.
pub(crate) fn kvm_se() -> PathBuf {
    env::var_os("KVM_SE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_kvm-se").into(), PathBuf::from)
}

/// The folder of the package, which need not exist where the suite runs.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Is this machine known to be slow, as an emulated one is?
pub(crate) fn is_emulated() -> bool {
    env::var_os("KVM_SE_TIME_FACTOR").is_some()
}

/// A test of samples, which a busy machine may spread so that they show nothing: the first of some that succeeds.
pub(crate) fn sampled(test: impl Fn() -> Outcome) -> Outcome {
    (0..3).fold(test(), |outcome, _| outcome.or_else(|_| test()))
}

/// `seconds`, or more on a machine that is known to be slow.
pub(crate) fn time_limit(seconds: u64) -> Duration {
    let factor = env::var("KVM_SE_TIME_FACTOR").ok().and_then(|factor| factor.parse().ok());
    Duration::from_secs(seconds * factor.unwrap_or(1))
}

/// A program of the machine, from the folders where Debian has them.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    ["/usr/local/bin", "/bin", "/usr/bin", "/sbin", "/usr/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| value != "0")
}
