//! m5ops: the pseudo-instructions by which programs talk to gem5 (its `util/m5` and `src/sim/pseudo_inst.cc`), as far as
//! they make sense where nothing is simulated.
//!
//! They come as the instruction `0f 04` with the number of the op behind it, which no processor has, and as a load from a
//! window that programs map from /dev/mem. Arguments are those of a function call, the result is in rax. What cannot be
//! done is refused: it returns -1, is said once on stderr and counted as missing.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

use super::host::args;
use super::{Outcome, arg::PathPtr};
use crate::abi::{Errno, UserAddr};
use crate::mm::vma::VmaName;
use crate::proc::region::{M5_POINTS, Passed};
use crate::proc::sampling::now;
use crate::proc::{End, ExitStatus, M5ops, Task};
use crate::x86::effects::{M5OP, M5OP_LEN};
use crate::x86::load::Load;
use crate::x86::operand::MAX_LEN;

/// Guest-physical address of the window: its offset in /dev/mem (`m5ops_base` of gem5's x86 boards).
const WINDOW: u64 = 0xffff_0000;
/// Where gem5 has the window for programs under its KVM CPU.
const MAPPED_WINDOW: u64 = 0xffff_c900_0000_0000;
/// Bytes of the window: 256 for each op.
const WINDOW_LEN: u64 = 0x1_0000;
/// What the file that stands for /dev/mem is called.
const WINDOW_FILE: &str = "kvm-se m5ops";

/// Numbers and names (`include/gem5/asm/generic/m5ops.h`).
const NAMES: [(u64, &str); 37] = [
    (0x00, "arm"),
    (0x01, "quiesce"),
    (0x02, "quiesce_ns"),
    (0x03, "quiesce_cycle"),
    (0x04, "quiesce_time"),
    (0x07, "rpns"),
    (0x09, "wake_cpu"),
    (0x10, "deprecated1"),
    (0x11, "deprecated2"),
    (0x20, "deprecated3"),
    (0x21, "exit"),
    (0x22, "fail"),
    (0x23, "sum"),
    (0x30, "init_param"),
    (0x31, "load_symbol"),
    (0x40, "reset_stats"),
    (0x41, "dump_stats"),
    (0x42, "dump_reset_stats"),
    (0x43, "checkpoint"),
    (0x4f, "write_file"),
    (0x50, "read_file"),
    (0x51, "debug_break"),
    (0x52, "switch_cpu"),
    (0x53, "add_symbol"),
    (0x54, "panic"),
    (0x55, "reserved1"),
    (0x56, "reserved2"),
    (0x57, "reserved3"),
    (0x58, "reserved4"),
    (0x59, "reserved5"),
    (0x5a, "work_begin"),
    (0x5b, "work_end"),
    (0x60, "se_syscall"),
    (0x61, "se_page_fault"),
    (0x62, "dist_toggle_sync"),
    (0x70, "workload"),
    (0x71, "hypercall"),
];

/// Why an op is not done: some words for the user.
type Refusal = &'static str;

/// Executes the m5op at rip, if there is one and the user has asked for them. `None` if it is an illegal instruction.
pub fn at_instruction(task: &mut Task) -> Option<Option<End>> {
    task.process.settings.m5ops.as_ref()?;
    let rip = task.vcpu.regs().rip;
    let mut code = [0; M5OP_LEN];
    task.process.mm.copy_in(UserAddr::new(rip), &mut code).ok()?;
    let number = code.strip_prefix(&M5OP)?.try_into().ok().map(u16::from_le_bytes)?;
    Some(match execute(task, number.into()) {
        Outcome::Value(value) => {
            let regs = task.vcpu.regs_mut();
            (regs.rax, regs.rip) = (value, rip.wrapping_add(M5OP_LEN as u64));
            None
        }
        Outcome::RegistersSet => None,
        Outcome::Exit(end) => Some(end),
    })
}

/// Executes the m5op that the load from `addr` at rip is, likewise. `None` if it is a fault.
pub fn at_load(task: &mut Task, addr: u64) -> Option<Option<End>> {
    task.process.settings.m5ops.as_ref()?;
    let offset = offset_in_window(task, addr)?;
    let rip = task.vcpu.regs().rip;
    let mut code = [0; MAX_LEN];
    let len = task.process.mm.copy_in_partly(UserAddr::new(rip), &mut code);
    let Some(load) = Load::decode(&code[..len], rip) else {
        refuse(task, "an access to the window of m5ops", "only a load of 8 bytes is an op");
        return None;
    };
    Some(match execute(task, offset >> 8) {
        Outcome::Value(value) => {
            load.finish(task.vcpu.regs_mut(), value);
            None
        }
        Outcome::RegistersSet => None,
        Outcome::Exit(end) => Some(end),
    })
}

fn offset_in_window(task: &Task, addr: u64) -> Option<u64> {
    let offset = match addr.checked_sub(MAPPED_WINDOW) {
        Some(offset) => offset,
        None => task.process.mm.offset_in(addr, VmaName::M5ops)?.checked_sub(WINDOW)?,
    };
    (offset < WINDOW_LEN).then_some(offset)
}

/// A file that stands for /dev/mem, if `path` is that and m5ops are wanted.
pub(super) fn open(task: &Task, path: PathPtr, flags: i32) -> Option<Result<u64, Errno>> {
    task.process.settings.m5ops.as_ref()?;
    let name = task.process.mm.read_string(path.0, 16, Errno::ENAMETOOLONG).ok()?;
    if name.strip_suffix(b"\0").unwrap_or(&name) != b"/dev/mem" {
        return None;
    }
    let cloexec = if flags & libc::O_CLOEXEC == 0 { 0 } else { libc::MFD_CLOEXEC };
    let name = std::ffi::CString::new(WINDOW_FILE).unwrap_or_default();
    // It is empty: nothing but the window can be had of it.
    Some(task.host(libc::SYS_memfd_create, args![name.as_c_str(), cloexec]))
}

/// Is `file` what [`open`] has returned, to be mapped as the window?
pub(super) fn is_window(task: &Task, file: Option<(BorrowedFd<'_>, u64)>) -> bool {
    let Some((fd, offset)) = file.filter(|_| task.process.settings.m5ops.is_some()) else { return false };
    let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap_or_default();
    let is_ours = link.to_str().is_some_and(|link| link.strip_prefix("/memfd:") == Some("kvm-se m5ops (deleted)"));
    is_ours && (WINDOW..WINDOW + WINDOW_LEN).contains(&offset)
}

/// Says once that something is not done, and counts it.
fn refuse(task: &Task, what: &str, why: Refusal) {
    if task.missing(format_args!("{what}: {why}")) {
        task.process.settings.say(format_args!("{what}: {why}"));
    }
}

fn execute(task: &mut Task, number: u64) -> Outcome {
    let regs = *task.vcpu.regs();
    let args = [regs.rdi, regs.rsi, regs.rdx, regs.rcx, regs.r8, regs.r9];
    let name = NAMES.iter().find(|(op, _)| *op == number).map_or("?", |(_, name)| name);
    tracing::debug!(op = name, ?args, "m5op");
    match perform(task, name, &args) {
        Ok(outcome) => {
            if let Some(point) = M5_POINTS.iter().position(|point| *point == name) {
                task.pass(Passed::M5(point, args[0]));
            }
            outcome
        }
        Err(why) => {
            refuse(task, &format!("m5op {number:#04x} ({name})"), why);
            Outcome::Value(u64::MAX)
        }
    }
}

fn perform(task: &mut Task, name: &str, args: &[u64; 6]) -> Result<Outcome, Refusal> {
    let exit = |status| Ok(Outcome::Exit(End::Process(status)));
    let value = match name {
        "sum" => args.iter().fold(0u64, |sum, arg| sum.wrapping_add(*arg)),
        "exit" | "fail" => {
            if args[0] != 0 {
                refuse(task, &format!("m5op {name}"), "it ends the program at once, without the delay");
            }
            let code = if name == "exit" { 0 } else { args[1] };
            return exit(ExitStatus::Code(code.to_le_bytes()[0]));
        }
        "panic" => {
            let rip = task.vcpu.regs().rip;
            task.process.settings.say(format_args!("m5op panic at {rip:#x}"));
            return exit(ExitStatus::Signal(libc::SIGABRT));
        }
        "rpns" => now(),
        "quiesce_ns" => return quiesce(task, args[0]),
        "quiesce_time" => task.quiesced,
        "init_param" => return init_param(args[0], args[1]).map(Outcome::Value),
        "work_begin" | "work_end" => {
            task.mark(&format!("m5 {name} {}, thread {}", args[0], args[1]));
            0
        }
        "reset_stats" | "dump_stats" | "dump_reset_stats" => statistics(task, name, args)?,
        "write_file" => return write_file(task, args).map(Outcome::Value),
        "read_file" => return read_file(task, args).map(Outcome::Value),
        _ => return Err(why_not(name)),
    };
    Ok(Outcome::Value(value))
}

fn why_not(name: &str) -> Refusal {
    match name {
        "quiesce" | "wake_cpu" => "threads have no processors of their own to suspend and wake",
        "quiesce_cycle" => "there are no cycles to count",
        "checkpoint" => "there are no snapshots",
        "switch_cpu" => "there is one kind of processor",
        "load_symbol" | "add_symbol" => "symbols come from the program's files",
        "debug_break" => "there is no debugger",
        "arm" | "workload" | "se_syscall" | "se_page_fault" | "hypercall" => {
            "it is between gem5 and its own system software"
        }
        "dist_toggle_sync" => "there are no distributed runs",
        _ => "nothing is known by that number",
    }
}

/// Suspends the thread for `time` ns. Signals are delivered meanwhile, and it goes on waiting after their handlers.
fn quiesce(task: &mut Task, time: u64) -> Result<Outcome, Refusal> {
    let rip = task.vcpu.regs().rip;
    let began = task.quiesced_since.take().filter(|(place, _)| *place == rip).map_or_else(now, |(_, began)| began);
    let until = began.checked_add(time).and_then(|until| i64::try_from(until).ok());
    let until = until.ok_or("the time is too long")?;
    let deadline = [until / 1_000_000_000, until % 1_000_000_000].map(i64::to_ne_bytes).concat();
    let absolute = u64::from(libc::TIMER_ABSTIME.unsigned_abs());
    let clock = libc::CLOCK_MONOTONIC;
    let slept = task.host(libc::SYS_clock_nanosleep, args![clock, absolute, &deadline[..], 0]);
    if slept.is_err() {
        task.quiesced_since = Some((rip, began));
        return Ok(Outcome::RegistersSet);
    }
    task.quiesced = now().saturating_sub(began);
    Ok(Outcome::Value(0))
}

/// What gem5 says without parameters of its own: a key is up to 16 characters in two registers.
fn init_param(first: u64, second: u64) -> Result<u64, Refusal> {
    let key = [first, second].map(u64::to_le_bytes).concat();
    let end = key.iter().position(|&byte| byte == 0).unwrap_or(key.len());
    match &key[..end] {
        b"" | b"dist-rank" => Ok(0),
        b"dist-size" => Ok(1),
        _ => Err("there is no such parameter"),
    }
}

fn statistics(task: &Task, name: &str, args: &[u64; 6]) -> Result<u64, Refusal> {
    if !task.is_counted() {
        return Err("nobody counts: kvm-se stat does");
    }
    if args[..2] != [0; 2] {
        return Err("it is done at once and once, without delay and period");
    }
    if name != "reset_stats" && !task.dump_counters() {
        return Err("only kvm-se stat prints more than one table");
    }
    if name != "dump_stats" {
        task.reset_counters();
    }
    Ok(0)
}

fn settings(task: &Task) -> &M5ops {
    static NONE: M5ops = M5ops { output: None, input: None };
    task.process.settings.m5ops.as_ref().unwrap_or(&NONE)
}

/// Writes `args[1]` bytes at `args[0]` to the file named at `args[3]`, from the offset `args[2]` on; at 0 it is emptied.
fn write_file(task: &Task, args: &[u64; 6]) -> Result<u64, Refusal> {
    /// Bytes at a time.
    const PART: u64 = 1 << 16;
    const FAILED: Refusal = "the file could not be written";
    let [from, len, offset, name, ..] = *args;
    let folder = settings(task).output.as_ref().ok_or("--m5-output names no folder")?;
    let name = task.process.mm.read_string(UserAddr::new(name), 4096, Errno::ENAMETOOLONG);
    let name = name.map_err(|_| "its file has no name")?;
    let name = String::from_utf8(name).map_err(|_| "its file's name is no text")?;
    let name = Path::new(name.trim_end_matches('\0'));
    let is_below = name.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_below || name.as_os_str().is_empty() {
        return Err("its file is not in the folder of --m5-output");
    }
    let file = OpenOptions::new().write(true).create(true).truncate(offset == 0).open(folder.join(name));
    let file = file.map_err(|_| FAILED)?;
    let mut done = 0;
    while done < len {
        let mut part = vec![0; usize::try_from(PART.min(len - done)).map_err(|_| FAILED)?];
        let part_from = UserAddr::new(from.wrapping_add(done));
        task.process.mm.copy_in(part_from, &mut part).map_err(|_| "its buffer cannot be read")?;
        file.write_all_at(&part, offset.checked_add(done).ok_or(FAILED)?).map_err(|_| FAILED)?;
        done += part.len() as u64;
    }
    Ok(len)
}

/// Reads up to `args[1]` bytes to `args[0]`, from the offset `args[2]` on. Without a file there are none.
fn read_file(task: &Task, args: &[u64; 6]) -> Result<u64, Refusal> {
    const PART: u64 = 1 << 16;
    const FAILED: Refusal = "the file of --m5-input cannot be read";
    let [to, len, offset, ..] = *args;
    let Some(path) = &settings(task).input else { return Ok(0) };
    let file = File::open(path).map_err(|_| FAILED)?;
    let mut done = 0;
    while done < len {
        let mut part = vec![0; usize::try_from(PART.min(len - done)).map_err(|_| FAILED)?];
        let got = file.read_at(&mut part, offset.checked_add(done).ok_or(FAILED)?).map_err(|_| FAILED)?;
        if got == 0 {
            break;
        }
        let part_to = UserAddr::new(to.wrapping_add(done));
        task.process.mm.copy_out(part_to, &part[..got]).map_err(|_| "its buffer cannot be written")?;
        done += got as u64;
    }
    Ok(done)
}
