//! Instruction traces: compared with what ptrace(2) sees of the same program natively, and read by others.

mod differences;
mod formats;
mod native;
mod oracle;
mod qemu;
mod read;
mod rsp;

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, find_program, kvm_trial, tool_not_installed, trial};
use crate::program::Program;

/// Programs of `testprogs/`, all without libraries.
const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "cpu",
        &[
            "atomics",
            "avx2_over_syscalls",
            "avx512_over_syscalls",
            "checksum_loop",
            "fs_gs_base",
            "hello",
            "integer_arithmetic",
            "process_entry_state",
            "rflags_bits",
            "sse_rounding_mode",
            "stack_pointer_is_only_a_register",
            "string_instructions",
            "syscall_keeps_registers",
            "syscall_six_arguments",
            "thread_local_variables",
            "unaligned_access",
            "x87_state",
            "dies_dividing_by_zero",
            "dies_by_sse_exception",
            "dies_by_x87_exception",
        ],
    ),
    (
        "mem",
        &[
            "brk_grows_and_shrinks",
            "malloc_patterns",
            "mmap_anonymous_private",
            "mmap_errors",
            "mmap_fixed_replaces",
            "mmap_hints",
            "mprotect_errors",
            "mprotect_keeps_data",
            "mprotect_rewrites_code",
            "mremap_moves",
            "munmap_splits",
            "dies_reading_null",
            "dies_writing_rodata",
        ],
    ),
    (
        "signal",
        &[
            "alternate_stack",
            "fpe_codes",
            "masks_in_handlers",
            "one_shot_handlers",
            "registers_survive_handlers",
            "segv_codes",
            "segv_repaired_by_mprotect",
            "long_jumps_out_of_handlers",
        ],
    ),
    ("proc", &["exit_status_is_masked", "library_memory_and_strings", "library_numbers", "long_jumps"]),
];

/// Programs of the machine, with libraries.
const DYNAMIC: &[(&str, &[&str])] = &[
    ("true", &["true"]),
    ("busybox", &["busybox", "echo", "hello"]),
    ("sh", &["sh", "-c", "i=0; while [ $i -lt 3 ]; do i=$((i + 1)); done"]),
    ("python3", &["python3.11", "-c", "pass"]),
    ("sort", &["sort", "/dev/null"]),
    ("ls", &["ls", "/dev/null"]),
];

/// Name, whether it runs a guest, and the test.
type Test = (&'static str, bool, fn() -> Outcome);

const TESTS: &[Test] = &[
    ("a_wrong_trace_is_found_where_it_is_wrong", true, wrong_trace),
    ("programs_see_no_steps", true, programs_see_no_steps),
    ("a_region_is_entered_and_left_exactly", true, regions),
    ("effects_that_operands_do_not_tell", true, effects),
    ("instructions_are_left_out", true, skipping),
    ("threads_take_turns", true, threads),
    ("executed_programs_are_traced", true, executions),
    ("a_trace_that_cannot_be_written_ends_well", true, full_disk),
    ("a_killed_program_leaves_its_trace", true, killed),
    ("an_interrupted_trace_can_be_read", true, interrupted),
    ("iterations_are_instructions_if_asked_for", true, iterations),
    ("an_m5op_ends_the_region", true, m5_region),
    ("threads_in_turn_make_the_same_trace", true, threads_alike),
    ("a_state_is_complete", true, complete_state),
    ("runs_stop_exactly", true, stops),
    ("what_makes_no_sense_is_refused", false, refused),
];

pub(crate) fn trials() -> Vec<Trial> {
    let of_area = |&(area, names): &(&'static str, &'static [&'static str])| {
        names.iter().map(move |&name| {
            kvm_trial(format!("trace::as_natively::{area}::{name}"), move || {
                let program = Program::named(area, name)?.executable()?;
                as_natively(&[&program.display().to_string()])
            })
        })
    };
    let dynamic = DYNAMIC.iter().map(|&(name, words)| {
        kvm_trial(format!("trace::as_natively::{name}"), move || {
            let Some(program) = find_program(words[0]) else { return tool_not_installed(words[0]) };
            let program = program.display().to_string();
            as_natively(&[&[program.as_str()], &words[1..]].concat())
        })
    });
    let others = TESTS.iter().chain(formats::TESTS).map(|&(name, needs_kvm, test)| {
        let name = format!("trace::{name}");
        if needs_kvm { kvm_trial(name, test) } else { trial(name, test) }
    });
    PROGRAMS.iter().flat_map(of_area).chain(dynamic).chain(others).chain(qemu::trials()).collect()
}

fn as_natively(command: &[&str]) -> Outcome {
    let (compared, has_ended) = oracle::compare(command)?;
    if compared < oracle::instructions() && !has_ended {
        return Err(format!("only {compared} instructions were compared").into());
    }
    Ok(Completion::Completed)
}

fn expect(run: &Finished, what: &str, holds: bool) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("expected {what}\n{}", run.report()).into()) }
}

/// `kvm-se trace` with these options, of a program of `testprogs/trace`.
fn traced(options: &[&str], name: &str) -> Result<Finished, Failed> {
    Ok(Invocation::kvm_se()?.patient().arg("trace").args(options).arg(Program::traced(name)?.executable()?).run()?)
}

/// All of it as text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(run: &Finished) -> Result<Vec<read::Line>, Failed> {
    lines_of(&run.read("trace")?)
}

fn lines_of(bytes: &[u8]) -> Result<Vec<read::Line>, Failed> {
    let trace = text(bytes);
    Ok(trace.lines().filter_map(|text| read::line(text).transpose()).collect::<Result<_, _>>()?)
}

/// One bit of one register, and one address.
fn wrong_trace() -> Outcome {
    let program = Program::traced("calls")?.executable()?.display().to_string();
    let command = [program.as_str()];
    let text = oracle::trace(&command, 3000)?;
    oracle::follow(&command, &text)?;
    for (number, what) in [(1234, "rsp=0x"), (2500, "rflags=0x"), (2000, "0x4")] {
        let (name, wrong) = oracle::with_wrong_digit(&text, number, what)?;
        let found = oracle::follow(&command, &wrong).err().unwrap_or_default();
        if !found.contains(&format!("at {name} ")) {
            return Err(format!("{name} is wrong, found was: {found}").into());
        }
    }
    Ok(Completion::Completed)
}

fn programs_see_no_steps() -> Outcome {
    let native = Invocation::native(Program::traced("flags")?.executable()?)?.run()?;
    expect(&native, "success", native.ending == Ending::Code(0))?;
    let alone = Invocation::kvm_se()?.arg("--deterministic").arg(Program::traced("flags")?.executable()?).run()?;
    for run in [traced(&["-q", "-o", "trace"], "flags")?, alone] {
        expect(&run, &native.report(), run.stdout == native.stdout && run.ending == native.ending)?;
    }
    Ok(Completion::Completed)
}

fn regions() -> Outcome {
    let run = traced(&["--roi", "sym=called:3", "-o", "trace"], "calls")?;
    let all = lines(&run)?;
    let first = all.iter().find(|line| line.kind == 'T');
    let argument = first.and_then(|line| line.registers.iter().find(|(name, _)| name == "rdi"));
    expect(&run, "the third call", argument.is_some_and(|(_, value)| value[0] == 2))?;
    let executed: Vec<_> = all.iter().filter(|line| line.kind == 'i').collect();
    let is_return = executed.last().is_some_and(|line| line.code == [0xc3]);
    expect(&run, "a call and no more", is_return && executed.len() < 10 && run.stdout == b"35\n")?;
    let run = traced(&["--roi", "called..syscall=write", "-o", "trace"], "calls")?;
    let all = lines(&run)?;
    let last = all.iter().rfind(|line| line.kind == 'i');
    expect(&run, "the call is the last", last.is_some_and(|line| line.code == [0x0f, 0x05]))?;
    let starts = all.iter().filter(|line| line.kind == 'T').count();
    expect(&run, "one region", starts == 1 && run.stdout == b"35\n")?;
    // From the second call on, with what it does, up to the third, without.
    let run = traced(&["--roi", "syscall=getppid:2..syscall=getppid:3", "-o", "trace"], "effects")?;
    let all = lines(&run)?;
    let kinds: String = all.iter().map(|line| line.kind).collect();
    let between = kinds.trim_start_matches('P').trim_start_matches("TS").trim_start_matches('i');
    expect(&run, "one call and what is between", kinds.starts_with("PTSi") && between == "LE")?;
    Ok(Completion::Completed)
}

/// What the operands alone do not tell.
fn effects() -> Outcome {
    let run = traced(&["-o", "trace"], "effects")?;
    let all = lines(&run)?;
    let of = |code: &[u8]| all.iter().filter(|line| line.code.starts_with(code)).collect::<Vec<_>>();
    let [bts, fninit] = [of(&[0x0f, 0xab]), of(&[0xdb, 0xe3])];
    let places: Vec<_> = bts.iter().flat_map(|line| &line.memory).map(|&(addr, ..)| addr).collect();
    let symbol = places.first().is_some_and(|place| place % 32 == 12 && places == [*place, *place]);
    expect(&run, "the word that holds the bit", symbol)?;
    let has_flags = |line: &&read::Line| line.registers.iter().any(|(name, _)| name == "rflags");
    expect(&run, "no flags of x87's", !fninit.is_empty() && !fninit.iter().any(has_flags))?;
    Ok(Completion::Completed)
}

fn skipping() -> Outcome {
    let whole = traced(&["--deterministic", "--limit", "2010", "-o", "trace"], "calls")?;
    let part = traced(&["--deterministic", "--skip", "2000", "--limit", "10", "-o", "trace"], "calls")?;
    let [whole, part_lines] = [lines(&whole)?, lines(&part)?];
    let executed = |lines: &[read::Line]| -> Vec<_> {
        let lines = lines.iter().filter(|line| line.kind == 'i');
        lines.map(|line| (line.pc, line.registers.clone(), line.memory.clone())).collect()
    };
    let (whole, found) = (executed(&whole), executed(&part_lines));
    expect(&part, "the same ten", found.len() == 10 && whole[2000..] == found[..])?;
    Ok(Completion::Completed)
}

fn threads() -> Outcome {
    let program = Program::named("threads", "create_and_join")?.executable()?;
    let native = Invocation::native(&program)?.run()?;
    let run =
        Invocation::kvm_se()?.patient().args(["trace", "-q", "--limit", "30000", "-o", "trace"]).arg(&program).run()?;
    expect(&run, &native.report(), run.stdout == native.stdout && run.ending == native.ending)?;
    let threads: std::collections::BTreeSet<_> = lines(&run)?.into_iter().map(|line| line.thread).collect();
    expect(&run, &format!("more than one thread: {threads:?}"), threads.len() > 1)?;
    Ok(Completion::Completed)
}

fn executions() -> Outcome {
    let calls = Program::traced("calls")?.executable()?;
    let run = Invocation::kvm_se()?.patient().args(["trace", "-q", "-o", "trace", "/bin/sh", "-c"]);
    let run = run.arg(format!("exec {}", calls.display())).run()?;
    let all = lines(&run)?;
    let programs = all.iter().filter(|line| line.kind == 'P').count();
    let has_ended = all.last().is_some_and(|line| line.kind == 'E');
    expect(&run, "two programs", programs == 2 && has_ended && run.stdout == b"35\n")?;
    Ok(Completion::Completed)
}

fn full_disk() -> Outcome {
    let run = traced(&["-o", "/dev/full"], "calls")?;
    let message = "kvm-se: cannot write /dev/full: no space left on device\n";
    let is_right = run.ending == Ending::Code(125) && run.stdout == b"35\n" && text(&run.stderr) == message;
    expect(&run, message, is_right)?;
    Ok(Completion::Completed)
}

fn killed() -> Outcome {
    let program = Program::named("proc", "dies_by_sigkill")?.executable()?;
    let run = Invocation::kvm_se()?.patient().args(["trace", "-q", "-o", "trace"]).arg(program).run()?;
    let all = lines(&run)?;
    let last = all.iter().rfind(|line| line.kind == 'S');
    let is_there = last.is_some_and(|line| line.name == "kill" && line.result.is_none());
    expect(&run, "the deadly call", run.ending == Ending::Signal(libc::SIGKILL) && is_there)?;
    Ok(Completion::Completed)
}

/// As by the key on the terminal, which the command gets as well as the program that is computing.
fn interrupted() -> Outcome {
    const SCRIPT: &str = "kill -0 $$; (sleep 1; kill -INT 0) & while :; do :; done";
    for format in ["text", "binary"] {
        let options = ["trace", "--roi", "syscall=kill..", "--format", format, "-o", "trace", "/bin/sh", "-c", SCRIPT];
        let run = Invocation::kvm_se()?.patient().args(options).run()?;
        expect(&run, "its death by SIGINT", run.ending == Ending::Signal(libc::SIGINT))?;
        let read = match format {
            "text" => run.read("trace")?,
            _ => {
                let dump = Invocation::kvm_se()?.arg("dump").arg(run.path("trace")).run()?;
                expect(&dump, "all of it", dump.ending == Ending::Code(0) && dump.stderr.is_empty())?;
                dump.stdout
            }
        };
        let lines = lines_of(&read)?;
        let last = lines.iter().rfind(|line| line.kind == 'i').map_or(0, |line| line.number);
        let said = format!("kvm-se: {last} instructions in trace\n");
        expect(&run, &said, read.ends_with(b"\n") && last > 100 && text(&run.stderr).ends_with(&said))?;
    }
    Ok(Completion::Completed)
}

/// Of `rep stosq` and `rep movsb` in the first round, the second of which is once made for nothing; each is a step of ptrace(2).
fn iterations() -> Outcome {
    let program = Program::traced("instruction_mix")?.executable()?.display().to_string();
    for (rule, limit, wanted) in [("one", 1200, (1, 2)), ("iter", 1550, (16, 101 + 1))] {
        let trace = oracle::trace_with(&["--rep", rule], &[&program], limit)?;
        let count = |code: &str| trace.lines().filter(|line| line.contains(code) && line.starts_with('i')).count();
        let found = (count(" (f348ab)"), count(" (f3a4)"));
        if found != wanted {
            return Err(format!("--rep={rule}: {found:?}").into());
        }
        oracle::follow(&[&program], &trace)?;
    }
    Ok(Completion::Completed)
}

fn m5_region() -> Outcome {
    const WORK_BEGIN: [u8; 4] = [0x0f, 0x04, 0x5a, 0x00];
    const WORK_END: [u8; 4] = [0x0f, 0x04, 0x5b, 0x00];
    let program = Program::profiled("regions")?.executable()?;
    let options = ["trace", "-q", "-o", "trace", "--roi", "m5=work_begin:7..m5=work_end"];
    let run = Invocation::kvm_se()?.patient().args(options).arg(&program).args(["2", "1", "m5"]).run()?;
    let all = lines(&run)?;
    let executed: Vec<_> = all.iter().filter(|line| line.kind == 'i').collect();
    let (first, last) = (executed.first().ok_or("no instruction")?, executed.last().ok_or("no instruction")?);
    let is_right = first.code != WORK_END && last.code == WORK_END && !executed.iter().any(|it| it.code == WORK_BEGIN);
    let ends = all.iter().filter(|line| line.kind == 'L').count();
    expect(&run, &format!("from {:x?} to {:x?}, {ends} ends", first.code, last.code), is_right && ends > 0)?;
    Ok(Completion::Completed)
}

fn threads_alike() -> Outcome {
    let program = Program::named("threads", "create_and_join")?.executable()?;
    let script = "\
        for name in one two; do $0 trace -q --deterministic=3 --limit 30000 -o $name \"$1\" > /dev/null; done
        cmp one two && grep -c '^T t' one";
    let run = Invocation::shell(script)?.patient().arg(program).run()?;
    let threads: u64 = text(&run.stdout).trim().parse().unwrap_or(0);
    expect(&run, "the same, of several threads", threads > 1)?;
    Ok(Completion::Completed)
}

/// As text and as JSON.
fn complete_state() -> Outcome {
    let script = "for name in state state.json; do $0 --stop-at icount=100 --dump-state $name /bin/true; done";
    let run = Invocation::shell(script)?.patient().run()?;
    let state = text(&run.read("state")?);
    let of_text: std::collections::BTreeSet<&str> = state.lines().filter_map(|line| line.split(' ').next()).collect();
    let json: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&run.read("state.json")?).map_err(|error| error.to_string())?;
    let of_json = json.keys().map(String::as_str).collect();
    expect(&run, "the same names", of_text == of_json)?;
    let numbered = |name: &'static str, count| (0..count).map(move |number| format!("{name}{number}"));
    let others = [
        "reg.rax",
        "reg.r15",
        "reg.rip",
        "reg.rflags",
        "reg.fs_base",
        "reg.gs_base",
        "reg.mxcsr",
        "reg.fcw",
        "reg.fsw",
        "reg.ftw",
        "x87.fop",
        "x87.fip",
        "x87.fdp",
        "cs.selector",
        "gs.base",
        "efer",
        "cr0",
        "cr2",
        "cr3",
        "cr4",
        "dr0",
        "dr1",
        "dr2",
        "dr3",
        "dr6",
        "dr7",
        "msr.star",
        "msr.lstar",
        "msr.kernel_gs_base",
        "msr.sysenter_eip",
        "xcr0",
        "event.exception.pending",
        "event.interrupt.shadow",
        "event.nmi.masked",
        "event.triple_fault.pending",
    ];
    let wanted = numbered("reg.fp", 8).chain(numbered("reg.zmm", 32)).chain(numbered("reg.k", 8));
    let wanted = wanted.chain(others.map(str::to_owned));
    let missing: Vec<_> = wanted.filter(|name| !of_text.contains(name.as_str())).collect();
    expect(&run, &format!("{missing:?}"), missing.is_empty())?;
    let vmas: Vec<_> = state.lines().filter(|line| line.starts_with("vma.0x")).collect();
    let has_digest = |line: &&str| line.rsplit(' ').next().is_some_and(|digest| digest.len() == 16 || digest == "-");
    expect(&run, "digests of mappings", vmas.len() > 3 && vmas.iter().all(has_digest))?;
    Ok(Completion::Completed)
}

/// The value of a register in a state.
fn register(state: &str, name: &str) -> Option<u64> {
    let value = state.lines().find_map(|line| line.strip_prefix(&format!("reg.{name} 0x")))?;
    u64::from_str_radix(value, 16).ok()
}

fn stops() -> Outcome {
    let program = Program::traced("calls")?.executable()?;
    let stop = |point: &str, to: &str| -> Result<Finished, Failed> {
        let options = ["--stop-at", point, "--dump-state", to];
        Ok(Invocation::kvm_se()?.patient().args(options).arg(&program).run()?)
    };
    let run = stop("sym=called:4", "state")?;
    let state = text(&run.read("state")?);
    let is_there = register(&state, "rdi") == Some(3) && run.ending == Ending::Code(0) && run.stdout.is_empty();
    expect(&run, &format!("the fourth call: {state}"), is_there)?;
    let place = register(&state, "rip").ok_or("no rip")?;
    let run = stop(&format!("pc={place:#x}:2"), "state")?;
    expect(&run, "the second call", register(&text(&run.read("state")?), "rdi") == Some(1))?;
    let run = stop("syscall=write", "state.json")?;
    let json: serde_json::Value =
        serde_json::from_slice(&run.read("state.json")?).map_err(|error| error.to_string())?;
    expect(&run, "a call of write", json["reg.rax"] == "0x0000000000000001" && run.stdout.is_empty())?;
    // As the trace has it.
    let options = ["--deterministic", "--stop-at", "icount=2000", "--dump-state", "state"];
    let run = Invocation::kvm_se()?.patient().args(options).arg(&program).run()?;
    let state = text(&run.read("state")?);
    let trace = traced(&["--deterministic", "--limit", "2001", "-o", "trace"], "calls")?;
    let next = lines(&trace)?.last().map(|line| line.pc);
    expect(&run, &format!("rip is {next:x?}"), register(&state, "rip") == next && next.is_some())?;
    let run = stop("nonesuch", "state")?;
    let message = "kvm-se: the run never came to sym=nonesuch\n";
    expect(&run, message, text(&run.stderr) == message && run.stdout == b"35\n")?;
    differences(&program)
}

/// Two states of one run, and one of them with itself.
fn differences(program: &std::path::Path) -> Outcome {
    let script = "\
        $0 --deterministic --stop-at icount=2000 --dump-state a \"$1\" 2>/dev/null
        $0 --deterministic --stop-at icount=2000 --dump-state b.json \"$1\" 2>/dev/null
        $0 --deterministic --stop-at icount=2001 --dump-state c \"$1\" 2>/dev/null
        $0 dump --diff a b.json && echo same; $0 dump --diff a c | grep -c '^reg.rip 0x.* 0x'; $0 dump --diff a $0";
    let run = Invocation::shell(script)?.patient().arg(program).run()?;
    let is_right = run.stdout == b"same\n1\n" && text(&run.stderr).contains("this is no state of kvm-se");
    expect(&run, "one difference", is_right)?;
    Ok(Completion::Completed)
}

fn refused() -> Outcome {
    for (words, why) in [
        (&["trace", "--format=champsim", "/bin/true"][..], "--format=champsim needs -o FILE"),
        (&["trace", "--strace", "/bin/true"], "takes no --strace"),
        (&["trace", "--stats", "/bin/true"], "--stats is of no use with trace"),
        (&["trace", "--stop-at", "main", "/bin/true"], "trace takes no --stop-at"),
        (&["trace", "-o", "/no/such/folder/t", "/bin/true"], "cannot write /no/such/folder/t"),
        (&["trace", "--nativetrace", "127.0.0.1:1", "/bin/true"], "cannot connect to 127.0.0.1:1"),
        (&["--stop-at", "icount=x", "/bin/true"], "no number from 1 on"),
        (&["--stop-at", "m5=work_begin", "/bin/true"], "nowhere at m5ops"),
        (&["--dump-state", "s", "/bin/true"], "required arguments were not provided"),
        (&["dump", "/etc/passwd"], "this is no trace of kvm-se"),
        (&["dump", "/no/such/file"], "cannot read /no/such/file"),
    ] {
        let run = Invocation::kvm_se()?.args(words).run()?;
        expect(&run, why, run.ending == Ending::Code(125) && text(&run.stderr).contains(why))?;
    }
    Ok(Completion::Completed)
}
