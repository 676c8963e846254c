//! gdb going back in a deterministic run.

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, find_program, kvm_trial, package, tool_not_installed};
use crate::report::{difference, text};

/// Scripts of gdb, what they say, the program, its argument and status.
struct Case {
    name: &'static str,
    program: &'static str,
    argument: &'static str,
    script: &'static str,
    said: &'static [&'static str],
    ending: Ending,
}

const CASES: &[Case] = &[
    Case {
        name: "breakpoints",
        program: "reversed",
        argument: "",
        script: "break add\ncontinue\ncontinue\ncontinue\nprintf \"=%d\\n\", b\nreverse-continue\nprintf \"=%d\\n\", b\n\
                 reverse-continue\nprintf \"=%d %d\\n\", b, counter\nreverse-continue\ncontinue\nprintf \"=%d\\n\", b\n\
                 delete\ncontinue",
        said: &["=2", "=1", "=0 0", "No more reverse-execution history.", "=0"],
        ending: Ending::Code(3),
    },
    Case {
        name: "lines_and_functions",
        program: "reversed",
        argument: "",
        script: "break add\ncontinue\nnext\nnext\nw\nreverse-next\nw\nreverse-step\nw\nreverse-step\nw\nstep\nw\nnext\nw\n\
                 reverse-finish\nw\ndelete\nstep\nstep\nfinish\nreverse-step\nw\nfinish\nnext\nw\nnext\nw\nreverse-next\nw\n\
                 reverse-next\nw\ncontinue",
        said: &[
            "AT add 21",
            "AT add 20",
            "AT add 19",
            "AT main 82",
            "AT add 19",
            "AT add 20",
            "AT add 19",
            "AT add 22",
            "AT main 83",
            "AT main 84",
            "AT main 83",
            "AT main 82",
        ],
        ending: Ending::Code(3),
    },
    Case {
        name: "instructions_and_system_calls",
        program: "reversed",
        argument: "",
        script: "break add\ncontinue\nset $call = (long)$pc\nstepi\nreverse-stepi\nprintf \"=%d\\n\", (long)$pc == $call\n\
                 reverse-stepi\nreverse-stepi\nprintf \"=%d\\n\", (long)$pc < $call\nbreak write\ncontinue\ncontinue\n\
                 delete\npython\nwhile gdb.execute('x/i $pc', to_string=True).find('syscall') < 0:\n    \
                 gdb.execute('stepi', to_string=True)\nend\nset $call = (long)$pc\nstepi\nprintf \"=%d\\n\", $rax\n\
                 reverse-stepi\nprintf \"=%d %d\\n\", (long)$pc == $call, $rax\nfinish\nprintf \"=%d\\n\", $rax\nreverse-stepi\n\
                 printf \"=%d\\n\", *(unsigned char *)$pc == 0xc3\ncontinue",
        said: &["=1", "=1", "=4", "=1 1", "=4", "=1"],
        ending: Ending::Code(3),
    },
    Case {
        name: "a_wild_pointer_is_followed_to_its_origin",
        program: "reversed",
        argument: "crash",
        script: "continue\nw\nprintf \"=%d\\n\", (long)node\nreverse-next\nw\nwatch -location list->next->next\n\
                 reverse-continue\nw\nprintf \"=%d\\n\", (long)list->next->next == 16\nreverse-continue\nw\ndelete\n\
                 reverse-finish\nw\ncontinue\nw\ncontinue",
        said: &["AT sum 38", "=16", "AT sum 38", "AT corrupt 32", "=0", "AT push 27", "AT main 74", "AT sum 38"],
        ending: Ending::Code(139),
    },
    Case {
        name: "a_change_is_found_from_a_signal",
        program: "reversed",
        argument: "crash",
        script: "continue\nwatch -location list->next->next\nreverse-continue\nw\nreverse-continue\nw\ndelete\ncontinue\n\
                 continue",
        said: &["AT corrupt 32", "AT push 27"],
        ending: Ending::Code(139),
    },
    Case {
        name: "threads",
        program: "reversed",
        argument: "threads",
        script: "break note\ncontinue\ncontinue\ncontinue\ncontinue\nset $last = who * 10 + round\nreverse-continue\n\
                 set $before = who * 10 + round\nreverse-stepi\nreverse-stepi\nreverse-continue\ncontinue\n\
                 printf \"=%d\\n\", who * 10 + round == $before\ncontinue\n\
                 printf \"=%d\\n\", who * 10 + round == $last\nnext\nreverse-continue\n\
                 printf \"=%d\\n\", who * 10 + round == $last\nreverse-continue\nreverse-continue\nreverse-continue\n\
                 reverse-continue\nstepi\ndelete\nwatch counter\ncontinue\nprintf \"=%d\\n\", counter\ncontinue\n\
                 printf \"=%d\\n\", counter\nreverse-continue\nprintf \"=%d\\n\", counter\ndelete\ncontinue",
        said: &["=1", "=1", "=1", "No more reverse-execution history.", "=30", "=61", "=30"],
        ending: Ending::Code(0),
    },
    Case {
        name: "breakpoints_among_changes",
        program: "reversed",
        argument: "",
        script: "break write\ncontinue\ncontinue\ncontinue\nbreak add\nwatch counter\nreverse-continue\nw\n\
                 printf \"=%d\\n\", counter\nreverse-continue\nw\nprintf \"=%d\\n\", b\nreverse-continue\n\
                 reverse-continue\nw\nprintf \"=%d\\n\", counter\ndelete\ncontinue",
        said: &["AT add 19", "=2", "AT add 19", "=2", "AT add 19", "=1"],
        ending: Ending::Code(3),
    },
    Case {
        name: "out_of_a_handler",
        program: "stopped",
        argument: "signal",
        script: "handle SIGUSR1 nostop noprint\nbreak *on_signal\ncontinue\nprintf \"=%d\\n\", $pc == (long)on_signal\n\
                 reverse-stepi\nprintf \"=%d\\n\", $pc == (long)on_signal\nstepi\n\
                 printf \"=%d\\n\", $pc == (long)on_signal\nstepi\nreverse-stepi\nreverse-stepi\n\
                 printf \"=%d %d\\n\", $pc == (long)on_signal, handled\ndelete\ncontinue",
        said: &["=1", "=0", "=1", "=0 0"],
        ending: Ending::Code(0),
    },
    Case {
        name: "what_cannot_be_is_said",
        program: "reversed",
        argument: "",
        script: "break add\ncontinue\nrwatch counter\nreverse-continue\ndelete\ncatch syscall write\nreverse-continue\n\
                 delete\nset var counter = 7\nreverse-stepi\nw\ncontinue",
        said: &[
            "of watchpoints, only those for writing can be met backwards",
            "system calls cannot be caught backwards",
            "the debugger has changed registers, memory or signals of the program",
            "AT add 19",
        ],
        ending: Ending::Code(3),
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    let case = |case: &'static Case| kvm_trial(format!("reverse::{}", case.name), move || as_expected(case));
    let mut trials: Vec<Trial> = CASES.iter().map(case).collect();
    trials.push(kvm_trial("reverse::as_without_a_debugger".into(), as_without_debugger));
    trials.push(kvm_trial("reverse::as_gdb_records_it".into(), as_recorded));
    trials.push(kvm_trial("reverse::only_deterministic_runs".into(), not_deterministic));
    trials.push(kvm_trial("reverse::kill_ends_the_program".into(), killed));
    trials
}

/// `w` says where the program is.
const WHERE: &str = "set pagination off\nset confirm off\nset style enabled off\n\
    define w\npython f = gdb.selected_frame(); print('AT', f.name(), f.find_sal().line)\nend";

/// The shell's way to write the file `script`.
fn script_file(script: &str) -> String {
    format!("cat > script <<'END'\n{script}\nEND")
}

/// Builds the program by `build`, has gdb execute the script, and returns what came of it; gdb's words are in the file `log`.
/// `before` is done by the shell when the program is built.
fn debugged(build: &str, before: &str, options: &str, argument: &str, script: &str) -> Result<Finished, Failed> {
    let shell = format!(
        "{build} || exit 1\n\
         {before}\n\
         {}\n\
         \"$0\" {options} --gdb ./socket ./prog {argument} > out 2> err < /dev/null &\n\
         pid=$!\n\
         while kill -0 $pid && ! [ -S socket ]; do sleep 0.02; done\n\
         gdb -nx -batch -ex 'target remote ./socket' -x script ./prog > log 2>&1 < /dev/null\n\
         wait $pid",
        script_file(&format!("{WHERE}\n{script}"))
    );
    Ok(Invocation::shell(&shell)?.patient().run()?)
}

/// The program with `options` and `argument` in a gdb, and without one, which writes to the file `plain`.
fn reversed(program: &str, options: &str, argument: &str, script: &str) -> Result<Finished, Failed> {
    let source = package().join("testprogs/guests").join(program).with_extension("c");
    let build = format!("gcc -g -O0 -o prog {} -lpthread", source.display());
    debugged(&build, &format!("\"$0\" {options} ./prog {argument} > plain 2> /dev/null"), options, argument, script)
}

fn has_gdb() -> bool {
    find_program("gdb").is_some() && find_program("gcc").is_some()
}

/// Lines of gdb's that say where the program is, what was printed, or what cannot be.
fn said(finished: &Finished, file: &str) -> Result<String, Failed> {
    const REFUSED: &str = "E.reverse execution: ";
    let log = finished.read(file)?;
    let log = String::from_utf8_lossy(&log);
    let of_interest = log.lines().filter_map(|line| match line.split_once(REFUSED) {
        Some((_, why)) => Some(why),
        None => {
            (line.starts_with("AT ") || line.starts_with('=') && !line.starts_with("=>") || line.starts_with("No more"))
                .then_some(line)
        }
    });
    Ok(of_interest.collect::<Vec<_>>().join("\n"))
}

fn as_expected(case: &Case) -> Outcome {
    if !has_gdb() {
        return tool_not_installed("gdb");
    }
    let finished = reversed(case.program, "--deterministic", case.argument, case.script)?;
    let (said, wanted) = (said(&finished, "log")?, case.said.join("\n"));
    if said != wanted {
        let log = text(&finished.read("log")?);
        return Err(format!("{}\n{log}", difference(wanted.as_bytes(), said.as_bytes())).into());
    }
    // It writes once what it writes without a debugger, however often it is run.
    let (written, plain) = (finished.read("out")?, finished.read("plain")?);
    if written != plain || plain.is_empty() || finished.ending != case.ending {
        return Err(format!("{}{}", finished.report(), difference(&plain, &written)).into());
    }
    Ok(Completion::Completed)
}

/// Breakpoints, steps and a gdb change neither the order of threads nor the time.
fn as_without_debugger() -> Outcome {
    if !has_gdb() {
        return tool_not_installed("gdb");
    }
    for seed in [1, 2, 3] {
        let options = format!("--deterministic={seed}");
        let script = "break note\ncontinue\nstepi 30\nnext\ncontinue\ninfo threads\nnext\nnext\nfinish\nwatch counter\n\
                      continue\ndelete\ncontinue";
        let finished = reversed("reversed", &options, "threads", script)?;
        let (written, wanted) = (finished.read("out")?, finished.read("plain")?);
        if written != wanted || wanted.len() < 60 {
            return Err(difference(&wanted, &written).into());
        }
    }
    Ok(Completion::Completed)
}

/// The instructions that gdb steps back through in its own recording of a native run are those here.
fn as_recorded() -> Outcome {
    if !has_gdb() {
        return tool_not_installed("gdb");
    }
    const BACK: &str = "break copy\ncontinue\ncontinue\ncontinue\ndelete\npython\nfor _ in range(100):\n    \
        gdb.execute('reverse-stepi', to_string=True)\n    \
        print('=%d' % gdb.parse_and_eval('(long)$pc'))\nend\n";
    let source = package().join("testprogs/guests/recorded.c");
    let flags = "-g -O1 -nostdlib -static -fno-stack-protector -fno-pic -no-pie";
    let build = format!("gcc {flags} -o prog {}", source.display());
    let native = format!("{WHERE}\nbreak _start\nrun > native\ndelete\nrecord full\n{BACK}");
    let record = format!("{}\ngdb -nx -batch -x script ./prog > recorded 2>&1 < /dev/null", script_file(&native));
    let here = debugged(&build, &record, "--deterministic", "", &format!("{BACK}continue"))?;
    let (ours, output) = (said(&here, "log")?, here.read("out")?);
    let recorded = said(&here, "recorded")?;
    if recorded.lines().count() != 100 {
        return Err(format!("gdb recorded little:\n{}", text(&here.read("recorded")?)).into());
    }
    if ours != recorded {
        return Err(difference(recorded.as_bytes(), ours.as_bytes()).into());
    }
    if output != b"hi\n".repeat(6) || here.ending != Ending::Code(5) {
        return Err(here.report().into());
    }
    Ok(Completion::Completed)
}

fn not_deterministic() -> Outcome {
    if !has_gdb() {
        return tool_not_installed("gdb");
    }
    let finished = reversed(
        "reversed",
        "",
        "",
        "break add\ncontinue\npython\ntry:\n    gdb.execute('reverse-stepi')\n\
        except gdb.error as error:\n    print('=', error)\nend\ncontinue 9",
    )?;
    let said = said(&finished, "log")?;
    if said != "= Target remote does not support this command." || finished.ending != Ending::Code(3) {
        return Err(format!("{}{said}", finished.report()).into());
    }
    let finished = Invocation::kvm_se()?.args(["--deterministic", "--strace", "--gdb", "4711", "/bin/true"]).run()?;
    if !text(&finished.stderr).contains("--gdb takes no --strace in a deterministic run") {
        return Err(finished.report().into());
    }
    Ok(Completion::Completed)
}

fn killed() -> Outcome {
    if !has_gdb() {
        return tool_not_installed("gdb");
    }
    let finished =
        reversed("reversed", "--deterministic", "", "break add\ncontinue\ncontinue\nreverse-continue\nkill")?;
    if finished.read("out")? != b"0 0\n" || finished.ending != Ending::Code(128 + 9) {
        return Err(finished.report().into());
    }
    Ok(Completion::Completed)
}
