//! What a program gets from whoever started kvm-se, and what its end looks like to them.

use libtest_mimic::{Completion, Failed};

use super::{Expect, kvm_se, passed, show, tests};
use crate::compare::{same_behaviour, same_files};
use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::Outcome;

tests! {
    standard_input Kvm;
    exit_statuses Kvm;
    deaths_by_signal Kvm;
    deaths_as_a_shell_sees_them Kvm;
    descriptors_that_are_closed_stay_closed Kvm;
    descriptors_that_are_open_stay_open Kvm;
    signal_dispositions Kvm;
    reader_that_goes_away Kvm;
    full_disk Kvm;
    file_creation_mask Kvm;
    limit_of_address_space Kvm;
    limit_of_address_space_for_good Kvm;
    limit_of_descriptors Kvm;
    low_limit_of_descriptors_for_good Kvm;
    limit_of_stack Kvm;
    limit_of_core_files Kvm;
    complaint_into_closed_stderr Nothing;
}

fn standard_input() -> Outcome {
    let input: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let run = kvm_se()?.arg(show()?).arg("input").stdin(&input)?.run()?.status(0)?.stderr("")?;
    passed(run.check("stdin on stdout", |run| run.stdout == input)?)
}

fn exit_statuses() -> Outcome {
    for (status, seen) in [("0", 0), ("1", 1), ("125", 125), ("255", 255), ("256", 0), ("-1", 255)] {
        kvm_se()?.arg(show()?).args(["status", status]).run()?.status(seen)?.stderr("")?;
    }
    Ok(Completion::Completed)
}

fn deaths_by_signal() -> Outcome {
    for signal in [libc::SIGHUP, libc::SIGABRT, libc::SIGFPE, libc::SIGKILL, libc::SIGPIPE, libc::SIGTERM] {
        kvm_se()?.arg(show()?).args(["signal", &signal.to_string()]).run()?.signal(signal)?.stderr("")?;
    }
    passed(kvm_se()?.arg(show()?).arg("crash").run()?.signal(libc::SIGSEGV)?.stderr("")?)
}

fn deaths_as_a_shell_sees_them() -> Outcome {
    same("\"$@\" crash 2>/dev/null; echo $?; \"$@\" signal 9 2>/dev/null; echo $?; \"$@\" status 77; echo $?")
}

fn descriptors_that_are_closed_stay_closed() -> Outcome {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        same(&format!("\"$@\" descriptors list {closed}"))?;
    }
    Ok(Completion::Completed)
}

fn descriptors_that_are_open_stay_open() -> Outcome {
    same("exec 3</dev/null 5>file 7<&0; \"$@\" descriptors list")
}

fn signal_dispositions() -> Outcome {
    same("\"$@\" signals")?;
    same("trap '' PIPE INT; exec \"$@\" signals")
}

/// A writer into a pipe without reader dies by SIGPIPE, and kvm-se has nothing to add.
fn reader_that_goes_away() -> Outcome {
    same("{ \"$@\" flood; echo $? >&2; } | head -n 1")
}

fn full_disk() -> Outcome {
    same("\"$@\" flood >/dev/full; echo $?")
}

fn file_creation_mask() -> Outcome {
    same("umask 027; \"$@\" descriptors list; ls -l list | cut -c 1-10")
}

/// The soft limit is the guest's to feel, and not the runner's.
fn limit_of_address_space() -> Outcome {
    same("ulimit -S -v 4000000; \"$@\" limits")
}

/// A hard limit that the runner may not lift ends it with its own status and one line.
fn limit_of_address_space_for_good() -> Outcome {
    let script = "ulimit -v 1000000; exec \"$0\" \"$@\"";
    let run = Invocation::shell(script)?.arg(show()?).args(["status", "0"]).run()?;
    if run.ending == Ending::Code(0) {
        return passed(run.stderr("")?);
    }
    passed(run.status(125)?.complaint("kvm-se: cannot reserve ")?)
}

/// The guest has all that its soft limit grants.
fn limit_of_descriptors() -> Outcome {
    same("ulimit -S -n 16; \"$@\" exhaustion; ulimit -S -n 200; \"$@\" exhaustion")
}

/// The runner takes its own from the top of a low hard limit, and says so when nothing is left.
fn low_limit_of_descriptors_for_good() -> Outcome {
    let exhaust = |limit: u32| Invocation::shell(&format!("ulimit -n {limit}; exec \"$0\" \"$@\" exhaustion"));
    let run = exhaust(64)?.arg(show()?).run()?.status(0)?;
    run.check("most of 64 descriptors", |run| {
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let last = text.strip_prefix("last ").and_then(|rest| rest.split(',').next()?.parse().ok());
        last.is_some_and(|last: u32| (32..64).contains(&last))
    })?;
    passed(exhaust(8)?.arg(show()?).run()?.status(125)?.complaint("kvm-se: ")?)
}

fn limit_of_stack() -> Outcome {
    same("ulimit -S -s 256; \"$@\" limits")
}

fn limit_of_core_files() -> Outcome {
    same("\"$@\" limits; \"$@\" crash; ls")
}

fn complaint_into_closed_stderr() -> Outcome {
    let run = Invocation::shell("exec \"$0\" ./nothing 2>&-")?.run()?;
    passed(run.status(127)?.stdout("")?.stderr("")?)
}

/// A script does the same, and leaves the same files, whether `"$@"` is the program or kvm-se with the program.
fn same(script: &str) -> Outcome {
    let native = run(Invocation::native("/bin/sh")?.args(["-c", script, "sh"]))?;
    let guest = run(Invocation::native("/bin/sh")?.args(["-c", script, "sh"]).arg(crate::machine::kvm_se()))?;
    same_behaviour(&native, &guest)?;
    same_files(&native, &guest)?;
    Ok(Completion::Completed)
}

fn run(invocation: Invocation) -> Result<Finished, Failed> {
    Ok(invocation.arg(show()?).run()?)
}
