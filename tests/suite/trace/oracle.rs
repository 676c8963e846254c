//! Follows a trace with the same program run natively, instruction by instruction.
//!
//! What the two may differ in is declared here: the initial stack is the trace's; the results of instructions that tell of the
//! machine and of calls that ask for what differs by right are taken from the trace; so are frames of handlers. All else
//! happens natively.

use super::native::Native;
use super::read::{Line, Registers, apply, line};
use crate::invocation::Invocation;

/// Most instructions that are compared, unless `KVM_SE_TRACED` says how many.
const INSTRUCTIONS: u64 = 5_000;
const ENVIRONMENT: [(&str, &str); 2] = [("PATH", "/usr/bin:/bin"), ("LC_ALL", "C")];

/// Calls that are not made natively: their results are the trace's.
const TOLD_CALLS: &[&str] = &[
    "getpid",
    "gettid",
    "getppid",
    "set_tid_address",
    "rseq",
    "getrandom",
    "fstat",
    "newfstatat",
    "stat",
    "statx",
    "clock_gettime",
    "gettimeofday",
    "time",
    "readlink",
    "sysinfo",
    "uname",
    "prlimit64",
    "ioctl",
    "getcwd",
    "sched_getaffinity",
    "getrusage",
    "times",
    "lstat",
    "readlinkat",
];

/// How many instructions were compared, and whether that was all of the program.
pub(super) fn compare(command: &[&str]) -> Result<(u64, bool), String> {
    follow(command, &trace(command, instructions())?)
}

/// Most instructions that are compared.
pub(super) fn instructions() -> u64 {
    let wanted = std::env::var("KVM_SE_TRACED").ok().and_then(|number| number.parse().ok());
    wanted.unwrap_or(INSTRUCTIONS)
}

/// The trace of a program's first instructions.
pub(super) fn trace(command: &[&str], instructions: u64) -> Result<String, String> {
    trace_with(&[], command, instructions)
}

/// The same with more options.
pub(super) fn trace_with(more: &[&str], command: &[&str], instructions: u64) -> Result<String, String> {
    let limit = instructions.to_string();
    let options = ["trace", "--quiet", "--deterministic", "--limit", &limit, "-o", "trace", "--env-clear"];
    let environment = ENVIRONMENT.map(|(name, value)| format!("--env={name}={value}"));
    let invocation = Invocation::kvm_se().map_err(|error| error.to_string())?.patient();
    let run = invocation.args(options).args(more).args(environment).arg("--").args(command).run();
    let run = run.map_err(|error| error.to_string())?;
    std::fs::read_to_string(run.path("trace")).map_err(|error| format!("{error}\n{}", run.report()))
}

/// The trace with one digit changed behind `what`, in the first instruction from this one on that has that; and which it is.
pub(super) fn with_wrong_digit(text: &str, number: u64, what: &str) -> Result<(String, String), String> {
    let is_it = |line: &&str| {
        let (count, _) = line.split_once(' ').unwrap_or_default();
        count.strip_prefix('i').and_then(|count| count.parse().ok()).is_some_and(|count: u64| count >= number)
            && line.contains(what)
    };
    let line = text.lines().find(is_it).ok_or("no such line")?;
    let at = line.find(what).unwrap_or(0) + what.len();
    let digit = line[at..].find(|c: char| !c.is_ascii_hexdigit()).map_or(line.len(), |len| at + len) - 1;
    let other = if &line[digit..=digit] == "0" { "8" } else { "0" };
    let wrong = text.replacen(line, &format!("{}{other}{}", &line[..digit], &line[digit + 1..]), 1);
    Ok((line.split(' ').next().unwrap_or_default().to_owned(), wrong))
}

/// Follows it natively.
pub(super) fn follow(command: &[&str], trace: &str) -> Result<(u64, bool), String> {
    let mut lines = Vec::new();
    for text in trace.lines() {
        lines.extend(line(text)?);
    }
    let native = Native::start(command, &ENVIRONMENT)?;
    let has_ended = lines.last().is_some_and(|line| line.kind == 'E');
    let folds_repeats = !trace.contains("\n# rep=iter\n");
    let compared =
        Follower { native, state: Registers::new(), signal: 0, compared: 0, folds_repeats }.follow(&lines)?;
    Ok((compared, has_ended))
}

struct Follower {
    native: Native,
    /// What the trace says that registers hold.
    state: Registers,
    /// The signal that is to be delivered natively.
    signal: i32,
    compared: u64,
    /// Is a repeated instruction one line? A step of ptrace(2) is one iteration.
    folds_repeats: bool,
}

impl Follower {
    fn follow(mut self, lines: &[Line]) -> Result<u64, String> {
        let mut lines = lines.iter().peekable();
        while let Some(line) = lines.next() {
            let next = lines.peek().copied();
            let goes_on = self.line(line, next).map_err(|error| format!("{error}\nat {}", line.text))?;
            if !goes_on {
                break;
            }
        }
        Ok(self.compared)
    }

    fn line(&mut self, line: &Line, next: Option<&Line>) -> Result<bool, String> {
        match line.kind {
            'P' if self.compared > 0 => return Ok(false),
            'T' if self.compared > 0 => return Ok(false),
            'T' => self.begin(line)?,
            'i' => self.instruction(line, next)?,
            'S' => self.call(line, next)?,
            'F' | 'H' => self.expect_signal(line)?,
            'A' => self.handler(line)?,
            'E' => return Ok(false),
            _ => {}
        }
        Ok(!(line.kind == 'S' && line.result.is_none()))
    }

    /// The stack is the trace's, and the registers must be what they are natively.
    fn begin(&mut self, line: &Line) -> Result<(), String> {
        apply(&mut self.state, &line.registers);
        self.native.unmap_vdso()?;
        for (addr, _, bytes) in &line.memory {
            self.native.write(*addr, bytes)?;
        }
        let mut regs = self.native.regs();
        regs.rsp = self.word("rsp");
        self.native.set_regs(&regs);
        if regs.rip != self.word("rip") {
            return Err(format!("it starts at {:#x}", regs.rip));
        }
        self.compare_registers(line)
    }

    fn word(&self, name: &str) -> u64 {
        self.state.get(name).map_or(0, |value| u64::from_le_bytes(value[..8].try_into().unwrap_or_default()))
    }

    fn instruction(&mut self, line: &Line, next: Option<&Line>) -> Result<(), String> {
        let rip = self.native.regs().rip;
        if rip != line.pc {
            return Err(format!("it is at {rip:#x}"));
        }
        for (addr, is_write, bytes) in line.memory.iter().filter(|(_, is_write, _)| !is_write) {
            self.compare_memory(*addr, *is_write, bytes)?;
        }
        if line.code == [0x0f, 0x05] {
            // Made natively or not, its own effects are the same.
            apply(&mut self.state, &line.registers);
            if next.is_none_or(|next| next.kind != 'S') {
                return Err("no call follows".into());
            }
            self.compared += 1;
            return Ok(());
        }
        let stopped = self.native.step(std::mem::take(&mut self.signal))?;
        if self.folds_repeats && is_repeated(&line.code) && !line.is_partial {
            while self.native.regs().rip == line.pc {
                self.native.step(0)?;
            }
        }
        if stopped != Some(libc::SIGTRAP) {
            return Err(format!("stopped by {stopped:?}"));
        }
        if line.code.ends_with(&[0x9c]) {
            self.clear_pushed_flag()?;
        }
        apply(&mut self.state, &line.registers);
        if is_telling(&line.code) {
            self.tell(line);
        }
        self.compared += 1;
        self.compare_registers(line)?;
        for (addr, is_write, bytes) in line.memory.iter().filter(|(_, is_write, _)| *is_write) {
            self.compare_memory(*addr, *is_write, bytes)?;
        }
        Ok(())
    }

    /// A step of ptrace(2) leaves its flag in what pushf pushes.
    fn clear_pushed_flag(&self) -> Result<(), String> {
        let at = self.native.regs().rsp + 1;
        let byte = self.native.read(at, 1)?[0];
        self.native.write(at, &[byte & !1])
    }

    /// Gives the native program what the trace says that the instruction or call told.
    fn tell(&self, line: &Line) {
        let mut regs = self.native.regs();
        for (name, _) in &line.registers {
            let value = self.word(name);
            match name.as_str() {
                "rax" => regs.rax = value,
                "rbx" => regs.rbx = value,
                "rcx" => regs.rcx = value,
                "rdx" => regs.rdx = value,
                "rsi" => regs.rsi = value,
                "rdi" => regs.rdi = value,
                "r11" => regs.r11 = value,
                "rflags" => regs.eflags = value,
                _ => {}
            }
        }
        regs.orig_rax = u64::MAX;
        self.native.set_regs(&regs);
    }

    fn call(&mut self, line: &Line, next: Option<&Line>) -> Result<(), String> {
        const SYSCALL_LEN: u64 = 2;
        let before = self.native.regs();
        let makes_it = line.result.is_some() && !TOLD_CALLS.contains(&line.name.as_str());
        if line.result.is_none() {
            return Ok(());
        }
        if makes_it {
            if matches!(line.name.as_str(), "kill" | "tkill" | "tgkill") {
                let pid = self.native.pid();
                let rsi = if line.name == "tgkill" { pid } else { before.rsi };
                self.native.set_regs(&libc::user_regs_struct { rdi: pid, rsi, ..before });
            }
            let stopped = self.native.step(std::mem::take(&mut self.signal))?;
            // Only a step leaves its flag there.
            let after = self.native.regs();
            self.native.set_regs(&libc::user_regs_struct { r11: after.r11 & !0x100, ..after });
            if matches!(line.name.as_str(), "kill" | "tkill" | "tgkill") {
                self.native.set_regs(&libc::user_regs_struct {
                    rdi: before.rdi,
                    rsi: before.rsi,
                    ..self.native.regs()
                });
            }
            if stopped != Some(libc::SIGTRAP) {
                self.signal = stopped.unwrap_or(0);
            }
        } else {
            let rip = before.rip + SYSCALL_LEN;
            let (rcx, r11) = (rip, before.eflags & !0x1_0100);
            self.native.set_regs(&libc::user_regs_struct { rip, rcx, r11, ..before });
        }
        apply(&mut self.state, &line.registers);
        if !makes_it {
            self.tell(line);
            for (addr, _, bytes) in &line.memory {
                self.native.write(*addr, bytes)?;
            }
        }
        let _ = next;
        for (addr, is_write, bytes) in &line.memory {
            self.compare_memory(*addr, *is_write, bytes)?;
        }
        self.compare_registers(line)
    }

    /// The native program is about to get the same signal.
    fn expect_signal(&mut self, line: &Line) -> Result<(), String> {
        if self.signal == 0 {
            self.signal = self.native.step(0)?.unwrap_or(0);
        }
        let name = nix::sys::signal::Signal::try_from(self.signal).map_or("none", |signal| signal.as_str());
        if name != line.name { Err(format!("natively the signal is {name}")) } else { Ok(()) }
    }

    fn handler(&mut self, line: &Line) -> Result<(), String> {
        let stopped = self.native.step(std::mem::take(&mut self.signal))?;
        if stopped != Some(libc::SIGTRAP) {
            return Err(format!("stopped by {stopped:?}"));
        }
        apply(&mut self.state, &line.registers);
        for (addr, _, bytes) in &line.memory {
            self.native.write(*addr, bytes)?;
        }
        if self.native.regs().rip != self.word("rip") {
            return Err(format!("the handler is at {:#x}", self.native.regs().rip));
        }
        self.compare_registers(line)
    }

    fn compare_registers(&self, _: &Line) -> Result<(), String> {
        let native = self.native.registers();
        for (name, value) in self.state.iter().filter(|(name, _)| *name != "rip") {
            let found = native.get(name).map(Vec::as_slice).unwrap_or_default();
            let len = value.len().min(found.len());
            if value[..len] != found[..len] || len == 0 {
                return Err(format!("{name} is natively {:02x?} and in the trace {:02x?}", found, value));
            }
        }
        Ok(())
    }

    fn compare_memory(&self, addr: u64, is_write: bool, bytes: &[u8]) -> Result<(), String> {
        let found = self.native.read(addr, bytes.len())?;
        let what = if is_write { "written" } else { "read" };
        if found != bytes { Err(format!("natively {found:02x?} are {what} at {addr:#x}")) } else { Ok(()) }
    }
}

/// Strings with a repeat prefix.
fn is_repeated(code: &[u8]) -> bool {
    let opcode = code.iter().find(|byte| {
        !matches!(byte, 0xf2 | 0xf3 | 0x66 | 0x67 | 0x2e | 0x3e | 0x26 | 0x36 | 0x64 | 0x65 | 0x40..=0x4f)
    });
    code.iter().any(|byte| matches!(byte, 0xf2 | 0xf3))
        && opcode.is_some_and(|opcode| matches!(opcode, 0xa4..=0xa7 | 0xaa..=0xaf))
}

/// rdtsc, rdtscp, cpuid, xgetbv, rdrand, rdseed, rdpid.
fn is_telling(code: &[u8]) -> bool {
    let code: Vec<u8> = code.iter().copied().filter(|byte| !matches!(byte, 0x40..=0x4f | 0x66 | 0xf3)).collect();
    match code[..] {
        [0x0f, 0x31] | [0x0f, 0xa2] | [0x0f, 0x01, 0xf9] | [0x0f, 0x01, 0xd0] => true,
        [0x0f, 0xc7, modrm] => modrm >= 0xf0,
        _ => false,
    }
}
