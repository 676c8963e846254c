//! Formats of traces, each read by somebody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed};

use super::read::{Line, Registers, apply};
use super::{Test, expect, lines, text, traced};
use crate::invocation::Invocation;
use crate::machine::{Outcome, find_program, tool_not_installed};
use crate::program::Program;

pub(super) const TESTS: &[Test] = &[
    ("binary_is_what_text_is", true, binary),
    ("champsim_reads_its_format", true, champsim),
    ("tenet_gets_what_changed", true, tenet),
    ("protoc_reads_gem5s_format", true, gem5),
    ("gem5_gets_registers", true, native_trace),
];

/// The same run as text, and by another format.
fn both(format: &str) -> Result<(Vec<Line>, Vec<u8>), Failed> {
    let of = |format: &str| traced(&["--deterministic", "--limit", "4000", "--format", format, "-o", "trace"], "calls");
    Ok((lines(&of("text")?)?, of(format)?.read("trace")?))
}

fn executed(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.kind == 'i')
}

fn holds(what: &str, holds: bool) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}

fn binary() -> Outcome {
    let script = "\
        $0 trace -q --deterministic --limit 4000 -o text $1
        $0 trace -q --deterministic --limit 4000 --format binary -o binary $1
        $0 dump binary | cmp - text && $0 dump -o again binary && cmp again text && echo same
        head -c -5 binary > part; $0 dump part > part.text";
    let run = Invocation::shell(script)?.patient().arg(Program::traced("calls")?.executable()?).run()?;
    let is_same = run.stdout.ends_with(b"same\n");
    expect(&run, "the same", is_same && text(&run.stderr).contains("kvm-se: part: the trace is damaged"))?;
    Ok(Completion::Completed)
}

fn champsim() -> Outcome {
    let reader = Program::traced("champsim_layout")?.executable()?;
    let (lines, bytes) = both("champsim")?;
    let run = Invocation::native(reader)?.file("trace", &bytes)?.arg("trace").run()?;
    let counts = text(&run.stdout);
    let count = |name: &str| -> Option<u64> {
        let mut words = counts.split_whitespace().skip_while(|word| *word != name);
        words.nth(1)?.parse().ok()
    };
    let with = |is_it: &dyn Fn(&Line) -> bool| Some(executed(&lines).filter(|line| is_it(line)).count() as u64);
    let opcode =
        |line: &Line, code: u8| line.code.iter().find(|byte| !matches!(byte, 0xf2 | 0xf3 | 0x67)) == Some(&code);
    let used = |wanted: bool, most: usize| {
        let of_line = |line: &Line| line.memory.iter().filter(|(_, is_write, _)| *is_write == wanted).count().min(most);
        Some(executed(&lines).map(of_line).sum::<usize>() as u64)
    };
    for (what, found, wanted) in [
        ("all", count("all"), with(&|_| true)),
        ("unlike", count("unlike"), Some(0)),
        ("other", count("other"), Some(0)),
        ("taken", count("taken"), with(&|line| line.registers.iter().any(|(name, _)| name == "rip"))),
        ("return", count("return"), with(&|line| opcode(line, 0xc3))),
        ("call", count("call"), with(&|line| opcode(line, 0xe8))),
        ("jump", count("jump"), with(&|line| opcode(line, 0xeb) || opcode(line, 0xe9))),
        ("reads", count("reads"), used(false, 4)),
        ("writes", count("writes"), used(true, 2)),
    ] {
        expect(&run, &format!("{what} {wanted:?}"), found == wanted)?;
    }
    Ok(Completion::Completed)
}

/// Registers that Tenet knows, as both have them.
fn tenet() -> Outcome {
    let (lines, bytes) = both("tenet")?;
    let (mut known, mut state, mut written) = (Registers::new(), Registers::new(), 0);
    let text = text(&bytes);
    let mut steps = text.lines();
    let mut all = lines.iter().filter(|line| matches!(line.kind, 'T' | 'i' | 'S')).peekable();
    while let Some(line) = all.next() {
        apply(&mut state, &line.registers);
        if line.kind == 'i' && !line.registers.iter().any(|(name, _)| name == "rip") {
            state.insert("rip".into(), (line.pc + line.code.len() as u64).to_le_bytes().to_vec());
        }
        written += line.memory.len();
        if all.peek().is_some_and(|next| next.kind == 'S') {
            continue;
        }
        let step = steps.next().ok_or("too few lines")?;
        for (name, value) in step.split(',').filter_map(|word| word.split_once("=0x")) {
            if let Some(bytes) = value.split_once(':').map(|(_, bytes)| bytes.len() / 2) {
                written = written.checked_sub(1).ok_or_else(|| format!("{step}: {bytes} bytes more"))?;
                continue;
            }
            let value = u64::from_str_radix(value, 16).map_err(|error| format!("{step}: {error}"))?;
            known.insert(name.to_owned(), value.to_le_bytes().to_vec());
        }
        for (name, value) in &known {
            holds(&format!("{name} in {step} after {}", line.text), state.get(name) == Some(value))?;
        }
    }
    holds("17 registers, all lines, all memory", known.len() == 17 && steps.next().is_none() && written == 0)?;
    Ok(Completion::Completed)
}

/// What `protoc --decode` says of a message.
fn decoded(proto: &std::path::Path, message: &str, bytes: &[u8]) -> Result<String, Failed> {
    let folder = proto.parent().unwrap_or(proto);
    let mut command = Command::new("protoc");
    command.arg(format!("--decode=ProtoMessage.{message}")).arg("-I").arg(folder).arg(proto);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no pipe")?.write_all(bytes)?;
    let output = child.wait_with_output()?;
    holds(&format!("protoc reads a message {message}: {bytes:02x?}"), output.status.success())?;
    Ok(text(&output.stdout))
}

/// As gem5 describes it, without comments.
const PROTO: &str = r#"
syntax = "proto2";
package ProtoMessage;
message InstHeader {
  optional string obj_id = 1;
  optional uint32 ver = 2 [default = 0];
  optional uint64 tick_freq = 3;
  optional bool has_mem = 4;
}
message Inst {
  optional uint64 pc = 1;
  optional fixed32 inst = 2;
  optional bytes inst_bytes = 9;
  optional uint32 nodeid = 3;
  optional uint32 cpuid = 4;
  optional fixed64 tick = 5;
  optional uint32 type = 6;
  optional uint32 inst_flags = 7;
  message MemAccess {
    optional uint64 addr = 1;
    optional uint32 size = 2;
    optional uint32 mem_flags = 3;
  }
  repeated MemAccess mem_access = 8;
}
"#;

fn gem5() -> Outcome {
    if find_program("protoc").is_none() {
        return tool_not_installed("protoc");
    }
    let (lines, bytes) = both("gem5")?;
    let folder = tempfile::tempdir()?;
    let proto = folder.path().join("inst.proto");
    std::fs::write(&proto, PROTO)?;
    let mut rest = bytes.strip_prefix(b"gem5").ok_or("no magic number")?;
    let mut next = || -> Option<&[u8]> {
        let (mut len, mut shift) = (0, 0);
        loop {
            let (byte, tail) = rest.split_first()?;
            rest = tail;
            len |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (message, tail) = rest.split_at_checked(len)?;
        rest = tail;
        Some(message)
    };
    let header = decoded(&proto, "InstHeader", next().ok_or("no header")?)?;
    holds(&header, header.contains("obj_id: \"kvm-se\"") && header.contains("has_mem: true"))?;
    let mut messages = Vec::new();
    while let Some(message) = next() {
        messages.push(message.to_vec());
    }
    holds("a message an instruction", messages.len() == executed(&lines).count())?;
    for (number, (line, message)) in executed(&lines).zip(&messages).enumerate().step_by(251) {
        let text = decoded(&proto, "Inst", message)?;
        let word = |name: &str, value: u64| text.lines().any(|it| it.trim() == format!("{name}: {value}"));
        let has_memory = line.memory.iter().all(|(addr, ..)| word("addr", *addr));
        let is_right = word("pc", line.pc) && word("tick", number as u64) && has_memory;
        holds(&format!("{text} is {}", line.text), is_right)?;
    }
    Ok(Completion::Completed)
}

/// What gem5's `X86NativeTrace::check` would read: for each instruction 57 words, in the order of its `ThreadState`.
fn native_trace() -> Outcome {
    const LEN: usize = 57 * 8;
    const GENERAL: [&str; 17] = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
        "rip",
    ];
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let peer = listener.local_addr()?.to_string();
    let gem5 = std::thread::spawn(move || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        listener.accept()?.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let options = ["--deterministic", "--env-clear", "--limit", "100000"];
    let busy = Program::named("cpu", "checksum_loop")?.executable()?;
    let run = Invocation::kvm_se()?.patient().args(["trace", "--nativetrace", &peer]).args(options).arg(&busy).run()?;
    let bytes = gem5.join().map_err(|_| "gem5")??;
    expect(&run, "100000 records", bytes.len() == 100_000 * LEN)?;
    let run = Invocation::kvm_se()?.patient().args(["trace", "-q", "-o", "trace"]).args(options).arg(&busy).run()?;
    let trace = std::fs::read_to_string(run.path("trace"))?;
    let lines: Vec<Line> =
        trace.lines().filter_map(|text| super::read::line(text).transpose()).collect::<Result<_, _>>()?;
    let (mut state, mut records) = (Registers::new(), bytes.chunks_exact(LEN));
    let mut all = lines.iter().filter(|line| matches!(line.kind, 'T' | 'i' | 'S')).peekable();
    while let Some(line) = all.next() {
        apply(&mut state, &line.registers);
        if line.kind == 'T' || all.peek().is_some_and(|next| next.kind == 'S') {
            continue;
        }
        if !line.registers.iter().any(|(name, _)| name == "rip") && line.kind == 'i' {
            state.insert("rip".into(), (line.pc + line.code.len() as u64).to_le_bytes().to_vec());
        } else if line.kind == 'S' {
            // The instruction before it was the system call.
            let rcx = state["rcx"].clone();
            state.insert("rip".into(), rcx);
        }
        let record = records.next().ok_or("too few records")?;
        for (place, name) in record.chunks_exact(8).zip(GENERAL) {
            holds(
                &format!("{name} is {:02x?}, not {place:02x?}, at {}", state[name], line.text),
                state[name][..8] == *place,
            )?;
        }
        for (number, place) in record[25 * 8..].chunks_exact(16).enumerate() {
            holds(&format!("xmm{number} at {}", line.text), state[&format!("zmm{number}")][..16] == *place)?;
        }
    }
    holds("no more records", records.next().is_none())?;
    Ok(Completion::Completed)
}
