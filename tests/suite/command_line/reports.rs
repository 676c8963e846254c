//! What kvm-se itself has to say: where it goes and what is in it.

use libtest_mimic::{Completion, Failed};

use super::{Expect, kvm_se, passed, show, tests};
use crate::invocation::{Finished, Invocation};
use crate::machine::Outcome;
use crate::program::Program;

tests! {
    strace_into_a_file Kvm;
    strace_on_stderr Kvm;
    strace_file_that_cannot_be_written Nothing;
    strace_survives_a_guest_without_stderr Kvm;
    stats_on_stderr Kvm;
    missing_names_what_was_refused Kvm;
    missing_says_when_there_was_nothing Kvm;
    verbose_on_stderr Kvm;
    list_of_syscalls Nothing;
    list_into_a_closed_pipe Nothing;
    list_onto_a_full_disk Nothing;
}

fn strace_into_a_file() -> Outcome {
    let run = kvm_se()?.arg("--strace=trace").arg(show()?).args(["directory"]).run()?.status(0)?.stderr("")?;
    let trace = String::from_utf8_lossy(&run.read("trace")?).into_owned();
    passed(is_trace(run, &trace)?)
}

fn strace_on_stderr() -> Outcome {
    let run = kvm_se()?.arg("--strace").arg(show()?).args(["directory"]).run()?.status(0)?;
    let trace = String::from_utf8_lossy(&run.stderr).into_owned();
    let run = run.check("one line on stdout", |run| run.stdout.iter().filter(|&&byte| byte == b'\n').count() == 1)?;
    passed(is_trace(run, &trace)?)
}

/// Reads like strace(1): `name(arguments) = result`, a line a call, and how the process ended.
fn is_trace(run: Finished, trace: &str) -> Result<Finished, Failed> {
    let calls: Vec<&str> = trace.lines().filter(|line| !line.starts_with("+++ ")).collect();
    let is_call = |line: &&str| {
        let name = line.split('(').next().unwrap_or_default();
        let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        is_name && line.contains(')') && line.contains(" = ")
    };
    let path = String::from_utf8_lossy(&run.stdout).trim_end().to_owned();
    let written = format!("write(1, \"{}", path.chars().take(16).collect::<String>());
    run.check("a line a call", |_| calls.len() >= 5 && calls.iter().all(is_call))?
        .check(&format!("{written:?} in the trace"), |_| trace.contains(&written))?
        .check("exit_group as the last call", |_| calls.last().is_some_and(|call| call.starts_with("exit_group(0)")))?
        .check("the end of the process", |_| trace.ends_with("\n+++ exited with 0 +++\n"))
}

fn strace_file_that_cannot_be_written() -> Outcome {
    let run = kvm_se()?.arg("--strace=no/such/folder").arg(show()?).run()?;
    passed(run.status(125)?.complaint("kvm-se: cannot write no/such/folder: no such file or directory")?)
}

fn strace_survives_a_guest_without_stderr() -> Outcome {
    let script = "exec \"$0\" --strace=trace \"$@\" descriptors list 2>&-";
    let run = Invocation::shell(script)?.arg(show()?).run()?.status(0)?;
    let (list, trace) = (run.read("list")?, run.read("trace")?);
    passed(
        run.check("stderr closed in the guest", |_| list.starts_with(b"oo-------"))?
            .check("a trace", |_| trace.windows(10).any(|bytes| bytes == b"exit_group"))?,
    )
}

fn stats_on_stderr() -> Outcome {
    // It uses more memory than has its entries from the start.
    let run = kvm_se()?.arg("--stats").arg(Program::guest("dense_memory")?.executable()?).run()?.status(0)?;
    let report = String::from_utf8_lossy(&run.stderr).into_owned();
    let mut run = run;
    for words in ["exits", "system calls", "page faults", "peak memory", "wall", "exit_group"] {
        run = run.check(&format!("{words:?} in the report"), |_| report.contains(words))?;
    }
    passed(run)
}

fn missing_names_what_was_refused() -> Outcome {
    let run = kvm_se()?.arg("--missing").arg(show()?).arg("missing").run()?.status(0)?.stdout("-1\n")?;
    passed(run.check("the number of the call", |run| String::from_utf8_lossy(&run.stderr).contains("syscall 0x3e8"))?)
}

fn missing_says_when_there_was_nothing() -> Outcome {
    let run = kvm_se()?.arg("--missing").arg(Program::named("cpu", "hello")?.executable()?).run()?.status(0)?;
    passed(run.stderr("kvm-se: nothing was missing\n")?)
}

fn verbose_on_stderr() -> Outcome {
    passed(
        kvm_se()?
            .arg("-vv")
            .arg(show()?)
            .args(["arguments"])
            .run()?
            .status(0)?
            .check("only the guest on stdout", |run| run.stdout.ends_with(b"show\narguments\n"))?,
    )
}

fn list_of_syscalls() -> Outcome {
    let run = kvm_se()?.arg("--list-syscalls").run()?.status(0)?.stderr("")?;
    let list = String::from_utf8_lossy(&run.stdout).into_owned();
    let numbers: Vec<u64> = list.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    run.check("a number a line, in order", |_| {
        numbers.len() == list.lines().count() && numbers.is_sorted_by(|one, next| one < next)
    })?
    .check("all of Linux's table", |_| numbers.len() > 360 && numbers.starts_with(&[0, 1, 2, 3]))?
    .check("write(2) as passthrough", |_| {
        list.lines().any(|line| line.split_whitespace().eq(["1", "write", "passthrough"]))
    })?;
    Ok(Completion::Completed)
}

fn list_into_a_closed_pipe() -> Outcome {
    let script = "{ \"$0\" --list-syscalls; \"$0\" --help; } | head -n 1";
    passed(Invocation::shell(script)?.run()?.status(0)?.stderr("")?)
}

fn list_onto_a_full_disk() -> Outcome {
    passed(Invocation::shell("exec \"$0\" --list-syscalls >/dev/full")?.run()?.status(125)?.complaint("kvm-se: ")?)
}
