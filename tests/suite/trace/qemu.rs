//! Follows a trace with the same program under qemu-user, whose TCG is another implementation of the processor.
//!
//! The program gets the trace's initial stack, and what system calls, cpuid and clocks told; calls that change the address
//! space are made. After each instruction all registers and the memory that it used must be the same, but for
//! [`DIFFERENCES`]; what differs is then made the trace's, so that nothing follows from it.

use std::collections::BTreeSet;
use std::path::Path;

use iced_x86::{Decoder, DecoderOptions, Instruction};
use kvm_se::x86::effects::uses_extended_state;
use libtest_mimic::{Completion, Trial};

use super::differences::{DIFFERENCES, Seen};
use super::oracle;
use super::read::{Line, Registers, apply, line};
use super::rsp::{HERE, Qemu, READ_WRITE};
use crate::machine::{Outcome, find_program, kvm_trial, tool_not_installed, trial};
use crate::program::Program;

const SIGTRAP: u8 = 5;
const PAGE: u64 = 4096;
/// Below the initial stack pointer.
const STACK_LEN: u64 = 1 << 20;
const TASK_SIZE: u64 = 0x7fff_ffff_f000;
/// Registers of vectors and x87 are compared after each instruction that can use them, and after so many others.
const INTERVAL: u64 = 200;
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// All instructions of this one.
const MIX: (&str, &str) = ("trace", "instruction_mix");
/// More than it has.
const ALL: u64 = 50_000;
/// Static programs with a C library, which asks cpuid what functions to take.
const PROGRAMS: &[(&str, &str)] = &[
    ("cpu", "avx2_over_syscalls"),
    ("cpu", "fs_gs_base"),
    ("cpu", "integer_arithmetic"),
    ("cpu", "rflags_bits"),
    ("cpu", "sse_rounding_mode"),
    ("cpu", "string_instructions"),
    ("cpu", "x87_state"),
    ("mem", "malloc_patterns"),
    ("proc", "library_numbers"),
];

pub(super) fn trials() -> impl Iterator<Item = Trial> {
    let programs = PROGRAMS.iter().map(|&(area, name)| {
        kvm_trial(format!("trace::as_under_qemu::{area}::{name}"), move || {
            let program = Program::named(area, name)?.executable()?.display().to_string();
            // QEMU has no AVX-512.
            with_qemu(|qemu| follow(qemu, &program, &trace(&program, &["--cpu", "x86-64-v3"], oracle::instructions())?))
        })
    });
    let mix = kvm_trial("trace::as_under_qemu::instruction_mix".into(), || with_qemu(mix));
    let wrong = kvm_trial("trace::a_trace_that_qemu_contradicts_is_found".into(), || with_qemu(wrong));
    let documented = trial("trace::differences_from_qemu_are_documented".into(), documented);
    programs.chain([mix, wrong, documented])
}

/// docs/qemu.md names the same.
fn documented() -> Outcome {
    let rows =
        include_str!("../../../docs/qemu.md").lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let rows: Vec<_> = rows.skip(1).collect();
    let declared: Vec<_> = DIFFERENCES.iter().map(|it| it.what).collect();
    if rows != declared {
        return Err(format!("docs/qemu.md has {rows:?}, declared are {declared:?}").into());
    }
    Ok(Completion::Completed)
}

fn with_qemu<T>(test: impl FnOnce(&Path) -> Result<T, String>) -> Outcome {
    let Some(qemu) = find_program("qemu-x86_64") else { return tool_not_installed("qemu-x86_64") };
    test(&qemu)?;
    Ok(Completion::Completed)
}

fn trace(program: &str, options: &[&str], instructions: u64) -> Result<String, String> {
    oracle::trace_with(options, &[program], instructions)
}

/// All of them agree, and each declared difference is one.
fn mix(qemu: &Path) -> Result<(), String> {
    let program = Program::traced(MIX.1)?.executable()?.display().to_string();
    let text = trace(&program, &[], ALL)?;
    let seen = follow(qemu, &program, &text)?;
    if !text.lines().last().is_some_and(|line| line.starts_with('E')) {
        return Err("it did not end".into());
    }
    let unseen: Vec<_> = DIFFERENCES.iter().map(|it| it.what).filter(|what| !seen.contains(what)).collect();
    if unseen.is_empty() { Ok(()) } else { Err(format!("declared, but not so: {unseen:?}")) }
}

/// One bit of each kind of register.
fn wrong(qemu: &Path) -> Result<(), String> {
    let program = Program::traced(MIX.1)?.executable()?.display().to_string();
    let text = trace(&program, &[], ALL)?;
    for (number, what) in
        [(900, "rax=0x"), (950, "rflags=0x"), (1100, "xmm0=0x"), (1100, "ymm5=0x"), (1200, "fp2=0x"), (1200, "w[0x")]
    {
        let (name, wrong) = oracle::with_wrong_digit(&text, number, what)?;
        let found = follow(qemu, &program, &wrong).err().unwrap_or_default();
        if !found.contains(&format!("at {name} ")) {
            return Err(format!("{what} of {name} is wrong, found was: {found}"));
        }
    }
    Ok(())
}

/// Follows the trace, and returns which declared differences there were.
fn follow(qemu: &Path, program: &str, trace: &str) -> Result<BTreeSet<&'static str>, String> {
    let mut lines = Vec::new();
    for text in trace.lines() {
        lines.extend(line(text)?);
    }
    let syscall = lines.iter().find(|line| line.code == SYSCALL).ok_or("the program makes no system call")?.pc;
    let qemu = Qemu::start(qemu, program, syscall)?;
    let mut follower = Follower { qemu, state: Registers::new(), program_break: 0, seen: BTreeSet::new() };
    for line in &lines {
        let goes_on = follower.line(line).map_err(|error| format!("{error}\nat {}", line.text))?;
        if !goes_on {
            break;
        }
    }
    Ok(follower.seen)
}

struct Follower {
    qemu: Qemu,
    /// What the trace says that registers hold.
    state: Registers,
    program_break: u64,
    seen: BTreeSet<&'static str>,
}

impl Follower {
    fn line(&mut self, line: &Line) -> Result<bool, String> {
        match line.kind {
            'T' => self.begin(line)?,
            'i' => self.instruction(line)?,
            'S' if line.result.is_some() => self.call(line)?,
            'P' => {}
            // Its end. Frames of handlers are compared natively.
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn begin(&mut self, line: &Line) -> Result<(), String> {
        apply(&mut self.state, &line.registers);
        let from = (self.word("rsp") & !(PAGE - 1)) - STACK_LEN;
        // Not with MAP_FIXED: QEMU's own stack may be there.
        let flags = HERE & !(libc::MAP_FIXED as u64);
        let stack = self.qemu.call(libc::SYS_mmap, [from, TASK_SIZE - from, READ_WRITE, flags, u64::MAX, 0])?;
        if stack != from {
            return Err(format!("QEMU has no place for the stack: {stack:#x}"));
        }
        for (addr, _, bytes) in &line.memory {
            self.qemu.write(*addr, bytes)?;
        }
        let rip = self.qemu.rip()?;
        if rip != self.word("rip") {
            return Err(format!("it starts at {rip:#x}"));
        }
        let mut found = self.qemu.registers(true)?;
        // The stack is the trace's.
        found.insert("rsp".into(), self.state["rsp"].clone());
        self.compare(line, None, &found)?;
        self.qemu.set_registers(&self.state)
    }

    fn word(&self, name: &str) -> u64 {
        self.state.get(name).map_or(0, |value| u64::from_le_bytes(value[..8].try_into().unwrap_or_default()))
    }

    /// Where the program is by the trace.
    fn set_rip(&mut self, rip: u64) {
        self.state.insert("rip".into(), rip.to_le_bytes().to_vec());
    }

    fn instruction(&mut self, line: &Line) -> Result<(), String> {
        let rip = self.word("rip");
        if rip != line.pc {
            return Err(format!("the instruction before it goes to {rip:#x}"));
        }
        self.set_rip(line.pc + line.code.len() as u64);
        if line.code == SYSCALL {
            apply(&mut self.state, &line.registers);
            return Ok(());
        }
        let instruction = Decoder::with_ip(64, &line.code, line.pc, DecoderOptions::NONE).decode();
        for (addr, _, bytes) in line.memory.iter().filter(|(_, is_write, _)| !is_write) {
            let found = self.qemu.read(*addr, bytes.len())?;
            if found != *bytes {
                return Err(format!("QEMU reads {found:02x?} at {addr:#x}"));
            }
        }
        let mut signal = self.qemu.step()?;
        while instruction.has_rep_prefix() | instruction.has_repne_prefix()
            && instruction.is_string_instruction()
            && !line.is_partial
            && signal == SIGTRAP
            && self.qemu.rip()? == line.pc
        {
            signal = self.qemu.step()?;
        }
        apply(&mut self.state, &line.registers);
        if signal != SIGTRAP {
            self.allow(&seen(line, &instruction, "signal", &[], &[signal]))?;
            return self.qemu.set_registers(&self.state);
        }
        let may_be_extended = uses_extended_state(&instruction) || line.number.is_multiple_of(INTERVAL);
        let found = self.qemu.registers(may_be_extended)?;
        self.compare(line, Some(&instruction), &found)?;
        for (addr, _, bytes) in line.memory.iter().filter(|(_, is_write, _)| *is_write) {
            let found = self.qemu.read(*addr, bytes.len())?;
            if found != *bytes {
                self.allow(&seen(line, &instruction, "memory", bytes, &found))?;
                self.qemu.write(*addr, bytes)?;
            }
        }
        Ok(())
    }

    /// Is it declared?
    fn allow(&mut self, seen: &Seen) -> Result<(), String> {
        let declared = DIFFERENCES.iter().find(|difference| (difference.allows)(seen));
        let Seen { name, ours, theirs, .. } = seen;
        let declared =
            declared.ok_or_else(|| format!("{name} is {theirs:02x?} under QEMU, {ours:02x?} in the trace"))?;
        self.seen.insert(declared.what);
        Ok(())
    }

    /// The call is made if the address space is another after it; what else it did is the trace's.
    fn call(&mut self, line: &Line) -> Result<(), String> {
        let found = self.qemu.registers(true)?;
        let argument = |name: &str| u64::from_le_bytes(found[name][..8].try_into().unwrap_or_default());
        let result = line.result.unwrap_or(0);
        let [one, two, three] = ["rdi", "rsi", "rdx"].map(argument);
        let map = |from: u64, to: u64, rights| [from, to.saturating_sub(from), rights, HERE, u64::MAX, 0];
        let page_up = |addr: u64| addr.next_multiple_of(PAGE);
        let (nr, arguments) = match line.name.as_str() {
            _ if result > u64::MAX - PAGE => (0, None),
            "mmap" => (libc::SYS_mmap, Some(map(result, result + page_up(two), three))),
            "brk" => {
                let before = std::mem::replace(&mut self.program_break, page_up(result));
                let grows = before != 0 && page_up(result) > before;
                (libc::SYS_mmap, grows.then(|| map(before, page_up(result), READ_WRITE)))
            }
            "munmap" => (libc::SYS_munmap, Some([one, two, 0, 0, 0, 0])),
            "mprotect" => (libc::SYS_mprotect, Some([one, two, three, 0, 0, 0])),
            "arch_prctl" => (libc::SYS_arch_prctl, Some([one, two, 0, 0, 0, 0])),
            "mremap" | "shmat" => return Err("this call cannot be followed".into()),
            _ => (0, None),
        };
        if let Some(arguments) = arguments {
            let made = self.qemu.call(nr, arguments)?;
            if made > u64::MAX - PAGE {
                return Err(format!("QEMU refuses the call: {made:#x}"));
            }
        }
        for (addr, _, bytes) in &line.memory {
            self.qemu.write(*addr, bytes)?;
        }
        apply(&mut self.state, &line.registers);
        self.qemu.set_registers(&self.state)?;
        let found = self.qemu.registers(true)?;
        self.compare(line, None, &found)
    }

    /// Registers that differ, if they may, are made what the trace says.
    fn compare(&mut self, line: &Line, instruction: Option<&Instruction>, found: &Registers) -> Result<(), String> {
        let of = |all: &Registers, name: &str| all.get(name).cloned().unwrap_or_default();
        let state = self.state.clone();
        let differ: Vec<_> = state
            .iter()
            .map(|(name, ours)| (name, ours, of(found, name)))
            .filter(|(_, ours, theirs)| {
                let len = ours.len().min(theirs.len());
                len == 0 || ours[..len] != theirs[..len]
            })
            .collect();
        for (name, ours, theirs) in &differ {
            match instruction {
                Some(instruction) => self.allow(&seen(line, instruction, name, ours, theirs))?,
                None => return Err(format!("{name} is {theirs:02x?} under QEMU, {ours:02x?} in the trace")),
            }
        }
        if differ.is_empty() { Ok(()) } else { self.qemu.set_registers(&self.state) }
    }
}

fn seen<'a>(line: &'a Line, instruction: &'a Instruction, name: &'a str, ours: &'a [u8], theirs: &'a [u8]) -> Seen<'a> {
    Seen { line, instruction, name, ours, theirs }
}
