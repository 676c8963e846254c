//! Deterministic runs: the same each time, and another with another seed.

use std::path::PathBuf;

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, find_program, kvm_trial, tool_not_installed, trial};
use crate::program::Program;
use crate::report::text;

/// A program that a test names, and the test.
type Named = (&'static str, fn() -> Outcome);

pub(crate) fn trials() -> Vec<Trial> {
    const TESTS: [Named; 26] = [
        ("threads", threads),
        ("signals_timers_and_processes", || alike(&[program("signals")?])),
        ("instructions_that_tell", || alike(&[program("tells")?])),
        ("what_cannot_be_replaced_is_reported", reported),
        ("instructions_that_tell_brought_by_calls", || alike(&[program("tells_after_a_call")?])),
        ("code_that_changes_itself", changing),
        ("descriptors", descriptors),
        ("files", files),
        ("directories", || as_natively("directory")),
        ("calls_that_wait_and_others", || as_natively("as_natively")),
        ("calls_that_are_refused", || as_natively("refused")),
        ("alarms_go_on_over_execve", || as_natively("alarm_over_execve")),
        ("random_bytes", random),
        ("others_write_to_the_same_pipe", shared_pipe),
        ("files_that_were_just_changed", just_changed),
        ("files_that_the_run_was_given", given),
        ("a_thread_that_spins_is_named", spin),
        ("threads_that_wait_without_calls_are_stepped", stepped),
        ("a_difference_is_named", difference),
        ("a_vector_register_is_named", vector),
        ("stat_counts_it", counted),
        ("input_is_the_same_for_all", input),
        ("programs_execute_others", || alike(&["/bin/sh".into(), "-c".into(), "echo $$; (ls / | wc -l); cat".into()])),
        ("python", python),
        ("go", go),
        ("node", node),
    ];
    let named = |(name, test): Named| kvm_trial(format!("determinism::{name}"), test);
    let mut trials: Vec<Trial> = TESTS.into_iter().map(named).collect();
    trials.push(trial("determinism::what_makes_no_sense_is_refused".into(), refused));
    trials
}

/// How often a program is run.
fn runs() -> String {
    std::env::var("KVM_SE_VERIFY_RUNS").unwrap_or_else(|_| "5".into())
}

fn program(name: &str) -> Result<PathBuf, String> {
    Program::determinism(name)?.executable()
}

fn verify(command: &[PathBuf]) -> Result<Finished, Failed> {
    Ok(Invocation::kvm_se()?.patient().args(["verify", "-n", &runs()]).args(command).run()?)
}

/// All runs are alike.
fn alike(command: &[PathBuf]) -> Outcome {
    let finished = verify(command)?;
    let expected = format!("{} runs alike: digest ", runs());
    expect(&finished, finished.ending == Ending::Code(0) && text(&finished.stdout).starts_with(&expected))
}

fn expect(finished: &Finished, is_right: bool) -> Outcome {
    let (stdout, stderr) = (text(&finished.stdout), text(&finished.stderr));
    if is_right {
        return Ok(Completion::Completed);
    }
    Err(format!("{}: {:?}\n{stdout}\n{stderr}", finished.command, finished.ending).into())
}

fn with_seed(seed: u32, name: &str) -> Result<Finished, Failed> {
    Ok(Invocation::kvm_se()?.arg(format!("--deterministic={seed}")).arg(program(name)?).run()?)
}

/// Instructions that write to their own pages get on where code is looked at, too.
fn changing() -> Outcome {
    let program = Program::named("cpu", "self_modifying_code")?.executable()?;
    let native = Invocation::native(&program)?.run()?;
    for options in [&["--deterministic"][..], &["--cpu", "x86-64"]] {
        let run = Invocation::kvm_se()?.patient().args(options).arg(&program).run()?;
        expect(&run, run.ending == native.ending && run.stdout == native.stdout)?;
    }
    alike(&[program])
}

fn threads() -> Outcome {
    alike(&[program("threads")?])?;
    let [one, again, other] = [1, 1, 2].map(|seed| with_seed(seed, "threads"));
    let (one, again, other) = (one?, again?, other?);
    let line = |run: &Finished, number: usize| text(&run.stdout).lines().nth(number).map(str::to_owned);
    // Random bytes, and the order of the threads.
    let differs = |number| line(&one, number) != line(&other, number) && line(&one, number).is_some();
    expect(&one, one.ending == Ending::Code(0) && one.stdout == again.stdout && differs(0) && differs(4))
}

/// What can be neither trapped nor replaced is named, whether it told something or not.
fn reported() -> Outcome {
    let finished = verify(&[program("tells_by_a_jump")?])?;
    expect(&finished, text(&finished.stdout).contains("would be such if they were jumped into"))?;
    let shared = verify(&[program("tells_by_a_second_mapping")?])?;
    expect(&shared, text(&shared.stdout).contains("may be instructions that tell"))
}

fn files() -> Outcome {
    let [one, again] = [with_seed(3, "files")?, with_seed(3, "files")?];
    let shown = text(&one.stdout);
    let names: Vec<&str> = shown.lines().take(6).filter_map(|line| line.split(' ').next()).collect();
    let is_sorted = names == [".", "..", "a", "b", "c", "d"];
    let has_times = shown.contains("\n1000000007.000000005 2000000000.000000000\nkvm-se ");
    expect(&one, one.stdout == again.stdout && is_sorted && has_times)
}

fn as_natively(name: &str) -> Outcome {
    let program = program(name)?;
    let native = Invocation::native(&program)?.run()?;
    let run = Invocation::kvm_se()?.arg("--deterministic").arg(&program).run()?;
    expect(&native, native.ending == Ending::Code(0) && !native.stdout.is_empty())?;
    expect(&run, run.ending == native.ending && run.stdout == native.stdout)
}

/// Who is not of the run finds the pipe as it was.
fn shared_pipe() -> Outcome {
    let script = "{ \"$0\" --deterministic dd if=/dev/zero bs=4k count=500 & dd if=/dev/zero bs=4k count=3000; wait; } | \
                  { sleep 0.2; dd bs=700 | wc -c; }";
    let finished = Invocation::shell(script)?.patient().run()?;
    expect(&finished, text(&finished.stdout) == format!("{}\n", 3500 * 4096))
}

fn random() -> Outcome {
    let run = with_seed(1, "random")?;
    let lens: Vec<String> =
        text(&run.stdout).lines().filter_map(|line| line.rsplit_once(' ')).map(|line| line.0.to_owned()).collect();
    expect(&run, lens == ["read 8", "pread 8", "readv 16", "preadv 16", "preadv2 16", "getrandom 8"])?;
    alike(&[program("random")?])
}

/// A file that was changed a moment before the run shows that time, and one that the run changes at once shows the run's.
fn just_changed() -> Outcome {
    let script = "for round in 1 2 3 4 5 6 7 8 9 10; do echo > f; \"$0\" --deterministic /bin/sh -c \
                  'echo > g; stat -c %Y f g'; done";
    let finished = Invocation::shell(script)?.patient().run()?;
    let stdout = text(&finished.stdout);
    let (of_run, before): (Vec<_>, Vec<_>) = stdout.lines().partition(|time| *time == "2000000000");
    expect(&finished, of_run.len() == 10 && before.len() == 10)
}

/// What the run writes to was made at some time before it, of which it sees nothing.
fn given() -> Outcome {
    let script = "for round in 1 2; do echo | (sleep 0.1; exec \"$0\" --deterministic /bin/sh -c \
                  'stat -L -c %Y /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2') >out 2>err; cat out; done";
    let finished = Invocation::shell(script)?.patient().run()?;
    expect(&finished, text(&finished.stdout) == "2000000000\n".repeat(6))
}

/// The runner's waiting threads take none, not even for a moment.
fn descriptors() -> Outcome {
    let program = program("descriptors")?;
    let native = Invocation::native(&program)?.arg("30000").run()?;
    let finished = Invocation::kvm_se()?.patient().arg("--deterministic").arg(&program).arg("30000").run()?;
    expect(&finished, finished.stdout == native.stdout && native.stdout.ends_with(b"others 0\n"))
}

/// The whole run ends, with a child that spins too; that is no result that could be compared.
fn spin() -> Outcome {
    let program = program("spins")?;
    for (how, args) in [("--deterministic", &[][..]), ("--deterministic", &["child"]), ("verify", &["child"])] {
        let finished = Invocation::kvm_se()?.arg(how).arg(&program).args(args).run()?;
        let is_named = text(&finished.stderr).contains("a thread has run for 5 s at 0x40");
        expect(&finished, finished.ending == Ending::Code(125) && is_named && finished.stdout.is_empty())?;
    }
    Ok(Completion::Completed)
}

/// The same each time, wherever the thread was that waits in a loop.
fn stepped() -> Outcome {
    for name in ["spins", "spinlock"] {
        let run =
            Invocation::kvm_se()?.patient().args(["verify", "-n", "3", "--deterministic-step"]).arg(program(name)?);
        let finished = run.run()?;
        expect(&finished, text(&finished.stdout).starts_with("3 runs alike: digest "))?;
    }
    let alone = Invocation::kvm_se()?.args(["--deterministic-step", "/bin/true"]).run()?;
    expect(&alone, alone.ending == Ending::Code(125) && text(&alone.stderr).contains("of no use without"))
}

/// A program that finds what the run before it has left.
fn difference() -> Outcome {
    let script = "echo x >> left; cat left";
    let finished = verify(&["/bin/sh".into(), "-c".into(), script.into()])?;
    let stdout = text(&finished.stdout);
    expect(
        &finished,
        finished.ending == Ending::Code(1)
            && stdout.starts_with("run 2 differs: in run 1 system call ")
            && stdout.contains(", in run 2 system call "),
    )
}

/// A register of vectors that differs at the end, and nothing else.
fn vector() -> Outcome {
    let finished = verify(&[program("vectors")?])?;
    let stdout = text(&finished.stdout);
    let is_named = stdout.starts_with("run 2 differs: in run 1 zmm7 is 0x") && stdout.contains(", in run 2 zmm7 is 0x");
    expect(&finished, finished.ending == Ending::Code(1) && is_named)
}

/// `kvm-se stat` counts a deterministic run, which does what it does without.
fn counted() -> Outcome {
    let program = program("threads")?;
    let run = |words: &[&str]| Invocation::kvm_se()?.args(words).arg("--deterministic=1").arg(&program).run();
    let (alone, counted) = (run(&[])?, run(&["stat"])?);
    let is_reported = text(&counted.stderr).contains("system call (p99 within");
    expect(&counted, counted.ending == Ending::Code(0) && counted.stdout == alone.stdout && is_reported)
}

/// Each run reads all of it.
fn input() -> Outcome {
    const SCRIPT: &str = "for word in one two; do echo $word | \"$0\" verify -n 2 cat; done";
    let finished = Invocation::shell(SCRIPT)?.run()?;
    let stdout = text(&finished.stdout);
    let digests: Vec<&str> = stdout.lines().filter(|line| line.starts_with("2 runs alike: digest ")).collect();
    expect(&finished, matches!(digests[..], [one, two] if one != two))
}

fn python() -> Outcome {
    const SCRIPT: &str = "
import os, queue, random, threading, time
done = queue.Queue()
def work(number):
    for step in range(10):
        time.sleep(random.random() / 1000)
        done.put((number, step, time.time()))
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(hash('text'), os.getpid(), time.perf_counter(), random.random(), id(done))
while not done.empty():
    print(done.get())
";
    let Some(python) = find_program("python3") else { return tool_not_installed("python3") };
    // It keeps compiled modules, so its first run is another than the next.
    Invocation::native(&python)?.args(["-c", SCRIPT]).run()?;
    alike(&[python, "-c".into(), SCRIPT.into()])
}

fn node() -> Outcome {
    const SCRIPT: &str = "
const crypto = require('crypto');
console.log(Math.random(), Date.now(), process.pid, crypto.randomBytes(8).toString('hex'), process.hrtime.bigint());
setTimeout(() => console.log('timer', performance.now()), 10);
require('fs').readdir('/usr', (error, names) => console.log(names.length));
for (const salt of ['a', 'b', 'c'])
    crypto.pbkdf2('word', salt, 1000, 16, 'sha1', (error, key) => console.log(key.toString('hex'), performance.now()));
";
    let Some(node) = find_program("node") else { return tool_not_installed("node") };
    alike(&[node, "-e".into(), SCRIPT.into()])
}

fn go() -> Outcome {
    const PROGRAM: &str = r#"
package main

import (
	crand "crypto/rand"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	var order []int
	rand.Seed(time.Now().UnixNano())
	for number := 0; number < 8; number++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			for step := 0; step < 10; step++ {
				time.Sleep(time.Duration(rand.Intn(1000)) * time.Microsecond)
				lock.Lock()
				order = append(order, number)
				lock.Unlock()
				runtime.Gosched()
			}
		}(number)
	}
	group.Wait()
	bytes := make([]byte, 8)
	crand.Read(bytes)
	runtime.GC()
	fmt.Println(order, bytes, time.Now(), os.Getpid())
	for key := range map[int]int{1: 1, 2: 2, 3: 3, 4: 4} {
		fmt.Print(key, " ")
	}
}
"#;
    if find_program("go").is_none() {
        return tool_not_installed("go");
    }
    let script = format!(
        "cat > main.go <<'END'\n{PROGRAM}\nEND\nHOME=$PWD GOCACHE=$PWD/cache go build -o program main.go && \
         exec \"$0\" verify -n {} ./program",
        runs()
    );
    let finished = Invocation::shell(&script)?.patient().run()?;
    expect(&finished, finished.ending == Ending::Code(0) && text(&finished.stdout).contains(" runs alike: "))
}

fn refused() -> Outcome {
    let refusals: [(&[&str], &str); 12] = [
        (&["--deterministic=x", "/bin/true"], "invalid value 'x'"),
        (&["--deterministic", "--aslr", "/bin/true"], "cannot be used with"),
        (&["record", "--deterministic", "/bin/true"], "a deterministic run cannot be recorded"),
        (&["record", "--deterministic", "--wall", "/bin/true"], "a deterministic run cannot be recorded"),
        (&["--deterministic", "--roi", "main", "/bin/true"], "cannot be used with"),
        (&["--deterministic", "--m5ops", "/bin/true"], "cannot be used with"),
        (&["--deterministic", "--m5-output", ".", "/bin/true"], "cannot be used with"),
        (&["stat", "--deterministic", "--roi", "main", "/bin/true"], "cannot be used with"),
        (&["verify"], "no program was named"),
        (&["verify", "-n", "1", "/bin/true"], "invalid value '1'"),
        (&["verify", "--strace", "/bin/true"], "verify shows no system calls"),
        (&["verify", "--aslr", "/bin/true"], "verify takes no --aslr"),
    ];
    for (args, expected) in refusals {
        let finished = Invocation::kvm_se()?.args(args).run()?;
        expect(&finished, finished.ending == Ending::Code(125) && text(&finished.stderr).contains(expected))?;
    }
    let finished = Invocation::kvm_se()?.args(["verify", "/no/such/program"]).run()?;
    expect(&finished, finished.ending == Ending::Code(127))
}
