//! Programs under kvm-se, compared with what Linux does.
//!
//! One binary, which also runs where there is neither cargo nor a compiler (tests/second-kvm):
//!
//! | variable | meaning |
//! |---|---|
//! | `KVM_SE_BIN` | the kvm-se to test |
//! | `KVM_SE_TESTPROGS` | where the programs lie ready, as `suite --build DIR` leaves them |
//! | `KVM_SE_REQUIRE_KVM=1` | no /dev/kvm is a failure, not a reason to skip |
//! | `KVM_SE_REQUIRE_PROGRAMS=1` | so is a program of the machine or a compiler that is not there |
//! | `KVM_SE_STRESS=N` | how many random operations the stress tests make |
//! | `KVM_SE_TRACED=N` | how many instructions of each program are compared with what ptrace sees |
//! | `KVM_SE_RACES=N`, `=Nr` | for how many seconds, or how many rounds, each race is run; says how many rounds it were |
//! | `KVM_SE_PROFILE_SAMPLES=N` | how many samples a profile of known shares has; from 20,000 on, three points are all that one may be off |
//! | `KVM_SE_VERIFY_RUNS=N` | how often each deterministic run is made; 5 unless said |
//! | `KVM_SE_TIME_FACTOR=N` | all time limits are N times as long |

mod command_line;
mod compare;
mod determinism;
mod gdb;
mod invocation;
mod machine;
mod memory_counts;
mod models;
mod profile;
mod program;
mod programs;
mod races;
mod real_programs;
mod regions;
mod report;
mod reverse;
mod scripts;
mod stat;
mod stress;
mod trace;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let [option, dir] = &words[..]
        && option == "--build"
    {
        return exit_code(program::build_all(Path::new(dir)));
    }
    // A native program that dies is expected here, and leaves no core file.
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    heed_signals();
    match trials() {
        Ok(trials) => libtest_mimic::run(&Arguments::from_args(), trials).exit_code(),
        Err(error) => exit_code(Err(error)),
    }
}

/// nohup(1) makes all that is started here ignore SIGHUP, and a script what it starts in the background SIGINT and
/// SIGQUIT, which programs expect to die of.
#[expect(unsafe_code, reason = "signal(2)")]
fn heed_signals() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for ignored in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: the default action runs no code of ours.
        let _ = unsafe { signal(ignored, SigHandler::SigDfl) };
    }
}

fn trials() -> Result<Vec<Trial>, String> {
    let mut trials = programs::trials()?;
    trials.extend(real_programs::trials());
    trials.extend(regions::trials());
    trials.extend(scripts::trials()?);
    trials.extend(command_line::trials());
    trials.extend(memory_counts::trials());
    trials.extend(profile::trials());
    trials.extend(stat::trials());
    trials.extend(determinism::trials());
    trials.extend(models::trials());
    trials.extend(gdb::trials());
    trials.extend(reverse::trials());
    trials.extend(stress::trials());
    trials.extend(trace::trials());
    trials.extend(races::trials()?);
    Ok(trials)
}

fn exit_code(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("suite: {error}");
            ExitCode::FAILURE
        }
    }
}
