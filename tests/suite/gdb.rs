//! gdb by `--gdb`: the same script says the same of a program natively and under kvm-se.

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::Invocation;
use crate::machine::{Outcome, find_program, kvm_trial, package, tool_not_installed, trial};
use crate::report::{difference, text};

/// Scripts by what they show, each after the program's start.
const SCRIPTS: &[(&str, &str)] = &[
    (
        "breakpoints_and_steps",
        "break add\ncontinue\nbacktrace\ninfo args\nup\nprint argc\ndown\nfinish\nstepi\nnexti\nnext\nstep\ninfo breakpoints\n\
         tbreak worker\ndelete 1\ncontinue\nbacktrace 1\ncontinue\ncontinue",
    ),
    (
        "registers",
        "break add\ncontinue\nprint $edi\nprint $esi\nprint $eflags\nprint $cs\nprint $st0\nprint $mxcsr\n\
         set $xmm1.v2_int64[0] = 6\nset $xmm1.v2_int64[1] = 77\nprint $xmm1.v4_int32\nset $ymm3.v4_int64[0] = 1\n\
         set $ymm3.v4_int64[1] = 2\nset $ymm3.v4_int64[2] = 3\nset $ymm3.v4_int64[3] = 5\nprint $ymm3.v8_int32\nset $rdi = 9\nset $r15 = 12\nstepi\nprint $r15\n\
         print $xmm1.v4_int32\nprint $ymm3.v8_int32\nprint $fs_base != 0\nprint $gs_base\nprint $orig_rax\ndelete\ncontinue",
    ),
    (
        "watchpoints",
        "break main\ncontinue\nwatch counter\ncontinue\ncontinue\nbacktrace 1\ndelete\nbreak worker\ncontinue\nrwatch counter\ncontinue\n\
         delete\ncontinue",
    ),
    (
        "code_is_changed_at_a_breakpoint",
        "set breakpoint always-inserted on\nbreak add\nbreak 19\ncontinue\nset var $at = (char *)$pc\n\
         print *$at@4 = {0x90, 0x90, 0x90, 0x90}\nx/4xb $at\ncontinue\ndelete\nx/4xb $at",
    ),
    (
        "signals",
        "handle SIGUSR1 stop print\ncontinue\nbreak on_signal\ncontinue\nbacktrace -frame-info location-and-address\nfinish\n\
         print counter\ncontinue",
    ),
    ("signals_taken_away", "handle SIGUSR1 stop print\nbreak on_signal\ncontinue\nsignal 0"),
    ("signals_of_its_own", "break add\ncontinue\ndelete\nhandle SIGUSR1 stop print\nsignal SIGUSR1\ncontinue"),
    ("system_calls", "break 66\ncontinue\ncatch syscall write\ncontinue\ncontinue\nstepi\ndelete\nnext\ncontinue"),
    (
        "threads",
        "break worker\ncontinue\ninfo threads\nprint $_thread\nbreak add\ncontinue\ncontinue\ndelete\nnext\nnext\nfinish\n\
         continue",
    ),
    (
        "one_thread_alone",
        "break worker\ncontinue\nset scheduler-locking on\nnext\nnext\nnext\nset scheduler-locking off\ncontinue",
    ),
    (
        "changes",
        "break add\ncontinue\nreturn 40\nset var counter = 7\nprint add(20, 22)\ndelete\nbreak 45\ncontinue\nset var ratio = 2.5\n\
         print text\nset var text[0] = 'j'\ndetach",
    ),
    ("ends_by_a_signal", "break add\ncontinue\ndelete\nsignal SIGKILL"),
];

/// It is told of what would end the program, and may prevent it.
const ENDED: &str = "set print frame-arguments none\nhandle SIGUSR1 stop print\ncontinue\nbacktrace -frame-info location-and-address -1\nsignal 0\nup 1\ncontinue";

/// The same for a program that makes processes.
const FORKED: &[(&str, &str)] = &[
    (
        "goes_over_to_children",
        "set follow-fork-mode child\nbreak work\nbreak in_parent\ncontinue\nbacktrace\nwatch depth\ncontinue\ninfo breakpoints\n\
         delete 3\nset var depth = 7\ncontinue\nprint who\nprint depth\nfinish\ncontinue",
    ),
    ("stays_with_the_parent", "break work\nbreak in_parent\ncontinue\nbacktrace\nprint depth\ncontinue"),
    (
        "catches_forks",
        "catch fork\ncontinue\nbacktrace -frame-info location-and-address\nset follow-fork-mode child\ncontinue\ndelete\n\
         set follow-fork-mode parent\nbreak 29\ncontinue\nprint status >> 8\ncontinue",
    ),
    ("leaves_a_child", "set follow-fork-mode child\nbreak work\ncontinue\nprint who\nprint depth\ndetach"),
];

/// The same with an argument, for what is changed while a program is stopped.
const STOPPED: &[(&str, &str, &str)] = &[
    (
        "goes_on_elsewhere",
        "break *first_nop\ncontinue\nset $pc = $pc + 1\nstepi\nstepi\nprint (long)$pc - (long)&first_nop\n\
         set var place = &value\ncontinue",
        "",
    ),
    ("goes_on_after_a_call", "break nops\ncontinue\nprint (int)getppid() > 0\ncontinue\nsignal 0", ""),
    ("another_signal_than_a_fault", "continue\nprint place\nsignal SIGUSR1", ""),
    ("calls_at_a_fault", "continue\nprint (int)getppid() > 0\nset var place = &value\nset $rax = place\nsignal 0", ""),
    (
        "signals_of_threads_that_stop",
        "handle SIGUSR2 nostop noprint pass\nbreak send\ncommands\nsilent\ncontinue\nend\ncontinue\ninfo breakpoints",
        "threads",
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let script = |&(name, script): &(&'static str, &'static str)| {
        kvm_trial(format!("gdb::{name}"), move || as_natively("debugged", script, ""))
    };
    let mut trials: Vec<Trial> = SCRIPTS.iter().map(script).collect();
    trials.push(kvm_trial("gdb::interrupts".into(), || as_natively("debugged", INTERRUPTED, "spin")));
    trials.push(kvm_trial("gdb::stops_do_not_end_waiting".into(), || as_natively("debugged", BESIDE_SLEEP, "sleep")));
    for &(name, script) in FORKED {
        trials.push(kvm_trial(format!("gdb::{name}"), move || as_natively("forked", script, "")));
    }
    for (name, argument) in [("its_own_signals_that_end_it", ""), ("signals_of_others_that_end_it", "child")] {
        trials.push(kvm_trial(format!("gdb::{name}"), move || as_natively("dies", ENDED, argument)));
    }
    for &(name, script, argument) in STOPPED {
        trials.push(kvm_trial(format!("gdb::{name}"), move || as_natively("stopped", script, argument)));
    }
    for options in ["", "--deterministic"] {
        trials.push(kvm_trial(format!("gdb::shows_the_memory_map{options}"), move || memory_map(options)));
    }
    trials.push(kvm_trial("gdb::a_child_that_waits_outlives_it".into(), dies_at_fork));
    trials.push(kvm_trial("gdb::one_that_dies_leaves_the_program".into(), dies));
    trials.push(kvm_trial("gdb::kill_ends_the_program".into(), killed));
    trials.push(kvm_trial("gdb::nonsense_leaves_the_program".into(), nonsense));
    trials.push(trial("gdb::a_place_that_is_taken_is_refused".into(), taken));
    trials
}

/// Stops at a breakpoint ten times while another thread waits.
const BESIDE_SLEEP: &str = "break add\ncommands\nsilent\nprint a\ncontinue\nend\ncontinue";

/// gdb itself is interrupted, as by a key.
const INTERRUPTED: &str = "break 76\ncontinue\n\
    python import threading, os, time; threading.Thread(target=lambda: (time.sleep(0.5), os.kill(os.getpid(), 2))).start()\n\
    continue\nprint spins > 0\nthread apply all print goes_on\nset var goes_on = 0\ncontinue";

/// Builds the program, and has gdb execute the script natively and under kvm-se.
fn as_natively(program: &str, script: &str, arguments: &str) -> Outcome {
    if find_program("gdb").is_none() || find_program("gcc").is_none() {
        return tool_not_installed("gdb");
    }
    let source = package().join("testprogs/guests").join(program).with_extension("c");
    let shell = format!(
        "gcc -g -O0 -o debugged {} -lpthread || exit 1\n\
         printf '%s\\n' 'set pagination off' 'set confirm off' 'set style enabled off' 'handle SIGUSR1 nostop noprint' \"$SCRIPT\" > script\n\
         gdb -nx -batch -ex 'starti {arguments} > native.out' -x script ./debugged > native.log 2>&1 < /dev/null\n\
         \"$0\" --gdb ./socket ./debugged {arguments} > guest.out 2> guest.err &\n\
         while kill -0 $! && ! [ -S socket ]; do sleep 0.02; done\n\
         gdb -nx -batch -ex 'target remote ./socket' -x script ./debugged > guest.log 2>&1 < /dev/null\n\
         wait\ncat guest.err >&2",
        source.display()
    );
    let finished = Invocation::shell(&shell)?.env("SCRIPT", script).patient().run()?;
    let read = |name: &str| finished.read(name).map(|content| String::from_utf8_lossy(&content).into_owned());
    let (native, guest) = (normalised(&read("native.log")?), normalised(&read("guest.log")?));
    if native.contains("Couldn't write extended state") {
        return Ok(Completion::ignored_with("this gdb cannot set registers of this processor natively"));
    }
    if native.lines().count() < 4 {
        return Err(format!("gdb says little of the native program:\n{native}").into());
    }
    if native != guest {
        return Err(difference(native.as_bytes(), guest.as_bytes()).into());
    }
    let (native, guest) = (finished.read("native.out")?, finished.read("guest.out")?);
    if native != guest {
        return Err(difference(&native, &guest).into());
    }
    Ok(Completion::Completed)
}

/// What is neither the same natively nor of interest: addresses, ids and names of threads, where the start is.
fn normalised(log: &str) -> String {
    const NOISE: [&str; 15] = [
        "warning:",
        "[New ",
        "[Switching to",
        "[Thread ",
        "[Attaching after ",
        "[Detaching after ",
        "Using host libthread_db",
        "Program stopped.",
        "_start () from",
        "No such file or directory",
        "detached]",
        "Target Id",
        // Where another thread waits.
        "futex",
        "clone3 ()",
        "):",
    ];
    let lines = log.lines().filter(|line| !line.is_empty() && !NOISE.iter().any(|noise| line.contains(noise)));
    lines.map(without_names).collect::<Vec<_>>().join("\n")
}

/// A line without addresses, and without what names threads and processes.
fn without_names(line: &str) -> String {
    let line = replaced(line, "0x", |rest| rest.find(|c: char| !c.is_ascii_hexdigit()).filter(|len| *len > 8));
    let line = replaced(&line, "process ", |rest| rest.find(|c: char| !c.is_ascii_digit()));
    let line = replaced(&line, "Thread 1.", |rest| rest.find(|c: char| !c.is_ascii_digit()));
    let line = replaced(&line, "Thread N (LWP ", |rest| rest.find(')').map(|len| len + 1));
    let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "\"debugged\"").collect();
    let line = words.join(" ").replace("Thread N (LWP N", "Thread 1.N");
    line.replace("Program received", "Thread 1 received").replace("Thread 1 hit ", "")
}

/// Puts N to what follows `mark`, as long as `len` says, wherever it says so.
fn replaced(line: &str, mark: &str, len: impl Fn(&str) -> Option<usize>) -> String {
    let mut parts = line.split(mark);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let padded = format!("{part} ");
        match len(&padded).filter(|len| *len <= part.len()) {
            Some(len) if mark == "0x" => all += &format!("N{}", &part[len..]),
            Some(len) => all += &format!("{mark}N{}", &part[len..]),
            None => all += &format!("{mark}{part}"),
        }
    }
    all
}

/// The gdb is killed; the program goes on.
fn dies() -> Outcome {
    let Some(gdb) = find_program("gdb") else { return tool_not_installed("gdb") };
    let shell = format!(
        "\"$0\" --gdb ./socket /bin/sh -c 'echo goes on; exit 5' &\npid=$!\n\
         while kill -0 $pid && ! [ -S socket ]; do sleep 0.02; done\n\
         {} -nx -batch -ex 'target remote ./socket' -ex 'python import os; os.kill(os.getpid(), 9)' > /dev/null 2>&1\n\
         wait $pid",
        gdb.display()
    );
    goes_on(&shell)
}

/// As the program sees it, but for the numbers of devices and files, which a deterministic run gives out itself.
fn memory_map(options: &str) -> Outcome {
    let Some(gdb) = find_program("gdb") else { return tool_not_installed("gdb") };
    let shell = format!(
        "\"$0\" {options} --gdb ./socket /bin/cat /proc/self/maps > maps &\npid=$!\n\
         while kill -0 $pid && ! [ -S socket ]; do sleep 0.02; done\n\
         {} -nx -batch -ex 'target remote ./socket' -ex 'catch syscall exit_group' -ex continue -ex 'monitor maps' \
         -ex 'monitor state' -ex continue > log 2>&1\nwait $pid",
        gdb.display()
    );
    let finished = Invocation::shell(&shell)?.patient().run()?;
    let lines = |name: &str| -> Result<Vec<String>, Failed> {
        let text = String::from_utf8(finished.read(name)?).map_err(|error| error.to_string())?;
        let is_stable =
            |line: &&str| line.ends_with("/cat") || line.ends_with("/libc.so.6") || line.ends_with("[stack]");
        let without_file = |line: &str| -> String {
            let fields: Vec<&str> = line.split_whitespace().collect();
            [&fields[..3], &fields[5..]].concat().join(" ")
        };
        Ok(text.lines().filter(is_stable).map(without_file).collect())
    };
    let (shown, own) = (lines("log")?, lines("maps")?);
    let log = String::from_utf8_lossy(&finished.read("log")?).into_owned();
    if shown != own || own.len() < 5 || log.contains("position ") || !log.contains("maps: show") {
        return Err(format!("{shown:#?}\n{own:#?}\n{log}").into());
    }
    Ok(Completion::Completed)
}

/// The gdb is killed when a child waits for its word; both processes go on.
fn dies_at_fork() -> Outcome {
    let Some(gdb) = find_program("gdb") else { return tool_not_installed("gdb") };
    let shell = format!(
        "\"$0\" --gdb ./socket /bin/sh -c '(exit 3); [ $? = 3 ] && echo goes on; exit 5' &\npid=$!\n\
         while kill -0 $pid && ! [ -S socket ]; do sleep 0.02; done\n\
         {} -nx -batch -ex 'target remote ./socket' -ex 'catch fork' -ex continue \
         -ex 'python import os; os.kill(os.getpid(), 9)' > log 2>&1\n\
         wait $pid; status=$?\ngrep -q 'forked process' log || exit 1; exit $status",
        gdb.display()
    );
    goes_on(&shell)
}

fn killed() -> Outcome {
    let Some(gdb) = find_program("gdb") else { return tool_not_installed("gdb") };
    let shell = format!(
        "\"$0\" --gdb ./socket /bin/sh -c 'echo goes on' &\npid=$!\n\
         while kill -0 $pid && ! [ -S socket ]; do sleep 0.02; done\n\
         {} -nx -batch -ex 'set confirm off' -ex 'target remote ./socket' -ex kill > /dev/null 2>&1\n\
         wait $pid",
        gdb.display()
    );
    let finished = Invocation::shell(&shell)?.patient().run()?;
    if !finished.stdout.is_empty() || finished.ending != crate::invocation::Ending::Code(128 + 9) {
        return Err(finished.report().into());
    }
    Ok(Completion::Completed)
}

/// Something else than gdb connects, says what no gdb says, and leaves.
fn nonsense() -> Outcome {
    if find_program("python3").is_none() {
        return tool_not_installed("python3");
    }
    goes_on(
        "\"$0\" --gdb ./socket /bin/sh -c 'echo goes on; exit 5' &\npid=$!\n\
         while kill -0 $pid && ! [ -S socket ]; do sleep 0.02; done\n\
         python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"socket\"); \
         s.send(b\"$vCont;zzz#00+++$g#67$X1,ffffffffffff:#99\\x03garbage\"); s.close()'\n\
         wait $pid",
    )
}

fn goes_on(shell: &str) -> Outcome {
    let finished = Invocation::shell(shell)?.patient().run()?;
    if finished.stdout != b"goes on\n" || finished.ending != crate::invocation::Ending::Code(5) {
        return Err(finished.report().into());
    }
    Ok(Completion::Completed)
}

fn taken() -> Outcome {
    let finished = Invocation::kvm_se()?.file("place", b"")?.args(["--gdb", "./place", "/bin/true"]).run()?;
    let said = text(&finished.stderr);
    if !said.contains("cannot wait for gdb at ./place: address already in use") {
        return Err(finished.report().into());
    }
    let finished = Invocation::kvm_se()?.args(["stat", "--gdb", "4711", "/bin/true"]).run()?;
    if !text(&finished.stderr).contains("--gdb is for programs that are run") {
        return Err(finished.report().into());
    }
    Ok(Completion::Completed)
}
