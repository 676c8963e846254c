//! What the options do, and which words are options.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use libtest_mimic::Completion;

use super::{Expect, kvm_se, passed, show, tests};
use crate::invocation::Invocation;
use crate::machine::Outcome;
use crate::program::Program;

tests! {
    version Nothing;
    help_has_examples Nothing;
    no_program_named Nothing;
    unknown_option Nothing;
    env_adds_and_replaces Kvm;
    env_clear_leaves_what_is_given Kvm;
    cwd_comes_first Kvm;
    cwd_that_is_missing Nothing;
    argv0_is_only_a_name Kvm;
    program_is_looked_up_in_path Kvm;
    words_after_the_program_are_its_own Kvm;
    two_dashes_end_the_options Kvm;
    a_program_called_doctor Kvm;
    arguments_need_not_be_utf8 Kvm;
    environment_need_not_be_utf8 Kvm;
    aslr_changes_nothing_else Kvm;
    hot_calls_become_jumps Kvm;
    no_patch_leaves_calls_alone Kvm;
    not_inside_itself Kvm;
}

fn version() -> Outcome {
    let expected = concat!("kvm-se ", env!("CARGO_PKG_VERSION"), "\n");
    passed(kvm_se()?.arg("--version").run()?.status(0)?.stdout(expected)?.stderr("")?)
}

fn help_has_examples() -> Outcome {
    let run = kvm_se()?.arg("--help").run()?.status(0)?.stderr("")?;
    let help = String::from_utf8_lossy(&run.stdout).into_owned();
    let mut run = run;
    for words in ["Examples:", "kvm-se ./prog args", "--strace", "--env", "doctor", "Exit status"] {
        run = run.check(&format!("{words:?} in the help"), |_| help.contains(words))?;
    }
    passed(run)
}

fn no_program_named() -> Outcome {
    passed(kvm_se()?.run()?.status(125)?.complaint("kvm-se: ")?)
}

fn unknown_option() -> Outcome {
    let run = kvm_se()?.args(["--no-such-option", "/bin/true"]).run()?.status(125)?.stdout("")?;
    let names_it = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.starts_with("kvm-se: ") && text.contains("--no-such-option")
    };
    passed(run.check("a complaint that names the option", |run| names_it(&run.stderr))?)
}

fn env_adds_and_replaces() -> Outcome {
    let run = kvm_se()?.env("CHANGED", "old").env("KEPT", "as it was");
    let run =
        run.args(["--env", "CHANGED=new=er", "--env", "ADDED="]).arg(show()?).arg("environment").run()?.status(0)?;
    let environment = String::from_utf8_lossy(&run.stdout).into_owned();
    let has = |entry: &str| environment.lines().filter(|line| *line == entry).count() == 1;
    let run = run.check("each variable once", |_| has("CHANGED=new=er") && has("ADDED=") && has("KEPT=as it was"))?;
    passed(run.check("no old value", |_| !environment.contains("old"))?)
}

fn env_clear_leaves_what_is_given() -> Outcome {
    let run = kvm_se()?.args(["--env-clear", "--env", "B=2", "--env", "A=1"]).arg(show()?).arg("environment").run()?;
    passed(run.status(0)?.stdout("B=2\nA=1\n")?.stderr("")?)
}

fn cwd_comes_first() -> Outcome {
    let run = kvm_se()?.executable("below/prog", &fs::read(show()?)?)?;
    let expected = format!("{}\n", fs::canonicalize(run.dir().join("below"))?.display());
    passed(run.args(["--cwd", "below", "./prog", "directory"]).run()?.status(0)?.stdout(&expected)?)
}

fn cwd_that_is_missing() -> Outcome {
    let run = kvm_se()?.args(["--cwd", "no/such", "/bin/true"]).run()?;
    passed(run.status(125)?.complaint("kvm-se: cannot change to no/such: no such file or directory")?)
}

fn argv0_is_only_a_name() -> Outcome {
    let run = kvm_se()?.args(["--argv0", "another name"]).arg(show()?).args(["arguments", "x"]).run()?;
    passed(run.status(0)?.stdout("another name\narguments\nx\n")?)
}

fn program_is_looked_up_in_path() -> Outcome {
    let run = kvm_se()?.executable("second/prog", &fs::read(show()?)?)?.executable("first/other", b"")?;
    fs::write(run.dir().join("first/prog"), "not executable")?;
    let path = format!("{0}/none:{0}/first:{0}/second:/bin", run.dir().display());
    let run = run.env("PATH", &path).args(["prog", "arguments"]).run()?;
    passed(run.status(0)?.stdout("prog\narguments\n")?)
}

fn words_after_the_program_are_its_own() -> Outcome {
    let words = ["--strace", "-v", "--", "--env", "--version", "-"];
    let run = kvm_se()?.arg(show()?).arg("arguments").args(words).run()?.status(0)?.stderr("")?;
    let expected = format!("{}\narguments\n{}\n", show()?.display(), words.join("\n"));
    passed(run.stdout(&expected)?)
}

fn two_dashes_end_the_options() -> Outcome {
    let run = kvm_se()?.executable("--stats", &fs::read(show()?)?)?;
    let path = run.dir().to_owned();
    passed(run.env("PATH", path).args(["--", "--stats", "status", "3"]).run()?.status(3)?.stderr("")?)
}

fn a_program_called_doctor() -> Outcome {
    for words in [&["--", "doctor"][..], &["./doctor"]] {
        let run = kvm_se()?.executable("doctor", &fs::read(show()?)?)?;
        let path = run.dir().to_owned();
        run.env("PATH", path).args(words).args(["status", "9"]).run()?.status(9)?;
    }
    let run = kvm_se()?.executable("doctor", &fs::read(show()?)?)?;
    let path = run.dir().to_owned();
    passed(run.env("PATH", path).arg("doctor").run()?.check("kvm-se's own report", |run| !run.stdout.is_empty())?)
}

fn arguments_need_not_be_utf8() -> Outcome {
    let name = OsStr::from_bytes(b"./\xfename");
    let run = kvm_se()?;
    fs::copy(show()?, run.dir().join(name))?;
    let run = run.arg(name).arg("arguments").arg(OsStr::from_bytes(b"\xff\xc3")).arg("").run()?;
    passed(run.status(0)?.stdout("./\\xfename\narguments\n\\xff\\xc3\n\n")?)
}

fn environment_need_not_be_utf8() -> Outcome {
    let run = kvm_se()?.arg("--env-clear").arg("--env").arg(OsStr::from_bytes(b"\xe4=\xff")).arg(show()?);
    passed(run.arg("environment").run()?.status(0)?.stdout("\\xe4=\\xff\n")?)
}

fn aslr_changes_nothing_else() -> Outcome {
    let run = kvm_se()?.arg("--aslr").arg(show()?).args(["status", "5"]).run()?;
    passed(run.status(5)?.stdout("")?.stderr("")?)
}

/// The program waits until its code shows that, so what it does afterwards is done by jumps.
fn hot_calls_become_jumps() -> Outcome {
    const SECONDS: &str = "60";
    let doctor = kvm_se()?.arg("doctor").run()?;
    if !String::from_utf8_lossy(&doctor.stdout)
        .lines()
        .any(|line| line.contains("system calls") && line.contains("ring 3"))
    {
        return Ok(Completion::ignored_with("calls become jumps where they land in ring 3"));
    }
    let program = Program::guest("hot_calls")?.executable()?;
    let native = Invocation::native(&program)?.run()?.status(0)?;
    let run = kvm_se()?.patient().arg(&program).arg(SECONDS).run()?.status(0)?;
    passed(run.stdout(&String::from_utf8_lossy(&native.stdout))?.stderr("")?)
}

fn no_patch_leaves_calls_alone() -> Outcome {
    let run = kvm_se()?.patient().arg("--no-patch").arg(Program::guest("hot_calls")?.executable()?).arg("1").run()?;
    passed(run.status(2)?.check("no jumps", |run| run.stdout.ends_with(b"no jumps after 1 seconds\n"))?)
}

fn not_inside_itself() -> Outcome {
    let run = kvm_se()?.arg(crate::machine::kvm_se()).arg("/bin/true").run()?;
    passed(run.status(125)?.complaint("kvm-se: ")?)
}
