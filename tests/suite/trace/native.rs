//! A program that ptrace(2) steps.

#![expect(unsafe_code, reason = "ptrace(2) and personality(2), of which nix has only a part")]

use std::arch::x86_64::__cpuid_count;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::read::Registers;

/// A stopped program, which ends with it.
#[derive(Debug)]
pub(super) struct Native {
    child: Child,
    pid: Pid,
    memory: File,
    // It leaves files.
    _folder: tempfile::TempDir,
    xsave_len: usize,
}

/// Where the components of XSAVE begin.
fn offset(component: u32) -> usize {
    __cpuid_count(0xd, component).ebx as usize
}

impl Native {
    /// Before its first instruction, with an empty environment but `environment`, and without randomised addresses.
    pub(super) fn start(command: &[&str], environment: &[(&str, &str)]) -> Result<Self, String> {
        let mut start = Command::new(command[0]);
        start.args(&command[1..]).env_clear().envs(environment.iter().copied());
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        start.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: both are plain system calls.
        unsafe {
            start.pre_exec(|| {
                libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                Ok(())
            });
        }
        let child = start.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        waitpid(pid, None).map_err(|error| format!("waitpid: {error}"))?;
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let memory = memory.map_err(|error| format!("/proc/{pid}/mem: {error}"))?;
        Ok(Self { child, pid, memory, _folder: folder, xsave_len: __cpuid_count(0xd, 0).ebx as usize })
    }

    pub(super) fn pid(&self) -> u64 {
        self.pid.as_raw().unsigned_abs().into()
    }

    pub(super) fn regs(&self) -> libc::user_regs_struct {
        // SAFETY: plain numbers.
        let mut regs: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        // SAFETY: it is as large as the kernel's.
        unsafe { libc::ptrace(libc::PTRACE_GETREGS, self.pid.as_raw(), 0, &raw mut regs) };
        regs
    }

    pub(super) fn set_regs(&self, regs: &libc::user_regs_struct) {
        // SAFETY: the kernel reads that structure.
        unsafe { libc::ptrace(libc::PTRACE_SETREGS, self.pid.as_raw(), 0, std::ptr::from_ref(regs)) };
    }

    fn xsave(&self) -> Vec<u8> {
        const NT_X86_XSTATE: libc::c_int = 0x202;
        let mut bytes = vec![0_u8; self.xsave_len.max(4096)];
        let mut iov = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        // SAFETY: the kernel writes no more than the length says.
        unsafe { libc::ptrace(libc::PTRACE_GETREGSET, self.pid.as_raw(), NT_X86_XSTATE, &raw mut iov) };
        bytes
    }

    /// One step; a signal that `signal` is not 0 is delivered before. Returns the signal that stopped it, and `None` when it
    /// has ended.
    pub(super) fn step(&self, signal: i32) -> Result<Option<i32>, String> {
        // SAFETY: no memory is touched.
        let result = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.pid.as_raw(), 0, signal) };
        if result != 0 {
            return Err(format!("step: {}", std::io::Error::last_os_error()));
        }
        match waitpid(self.pid, None) {
            Ok(WaitStatus::Stopped(_, signal)) => Ok(Some(signal as i32)),
            Ok(_) => Ok(None),
            Err(error) => Err(format!("waitpid: {error}")),
        }
    }

    pub(super) fn write(&self, addr: u64, bytes: &[u8]) -> Result<(), String> {
        self.memory.write_all_at(bytes, addr).map_err(|error| format!("write to {addr:#x}: {error}"))
    }

    pub(super) fn read(&self, addr: u64, len: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; len];
        self.memory.read_exact_at(&mut bytes, addr).map_err(|error| format!("read from {addr:#x}: {error}"))?;
        Ok(bytes)
    }

    /// Has the program make a system call here, as if it were not there.
    fn call(&self, nr: i64, arguments: [u64; 2]) -> Result<(), String> {
        let before = self.regs();
        let code = self.read(before.rip, 2)?;
        self.write(before.rip, &[0x0f, 0x05])?;
        let [rdi, rsi] = arguments;
        self.set_regs(&libc::user_regs_struct { rax: nr.cast_unsigned(), rdi, rsi, orig_rax: u64::MAX, ..before });
        self.step(0)?;
        self.write(before.rip, &code)?;
        self.set_regs(&before);
        Ok(())
    }

    /// Takes the kernel's own mappings away, which guests of kvm-se have not in deterministic runs.
    pub(super) fn unmap_vdso(&self) -> Result<(), String> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).map_err(|error| error.to_string())?;
        for line in maps.lines().filter(|line| line.contains("[vvar") || line.contains("[vdso")) {
            let range = line.split(' ').next().and_then(|range| range.split_once('-')).ok_or("no range")?;
            let number = |text| u64::from_str_radix(text, 16).map_err(|error| format!("{line}: {error}"));
            let (from, to) = (number(range.0)?, number(range.1)?);
            self.call(libc::SYS_munmap, [from, to - from])?;
        }
        Ok(())
    }

    /// All registers by the names that traces have for them.
    pub(super) fn registers(&self) -> Registers {
        let regs = self.regs();
        let mut all = Registers::new();
        let mut word = |name: &str, value: u64| drop(all.insert(name.to_owned(), value.to_le_bytes().to_vec()));
        for (name, value) in [
            ("rax", regs.rax),
            ("rbx", regs.rbx),
            ("rcx", regs.rcx),
            ("rdx", regs.rdx),
            ("rsi", regs.rsi),
            ("rdi", regs.rdi),
            ("rbp", regs.rbp),
            ("rsp", regs.rsp),
            ("r8", regs.r8),
            ("r9", regs.r9),
            ("r10", regs.r10),
            ("r11", regs.r11),
            ("r12", regs.r12),
            ("r13", regs.r13),
            ("r14", regs.r14),
            ("r15", regs.r15),
            ("rflags", regs.eflags & !0x1_0100),
            ("fs_base", regs.fs_base),
            ("gs_base", regs.gs_base),
        ] {
            word(name, value);
        }
        extended(&self.xsave(), &mut all);
        all
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Registers that an image of XSAVE holds.
pub(super) fn extended(image: &[u8], all: &mut Registers) {
    let has = |component: usize| image[512] >> component & 1 != 0;
    let part = |component: usize, at: usize, len: usize| {
        let is_there = has(component) && (component < 2 || at >= 576);
        if is_there { image[at..at + len].to_vec() } else { vec![0; len] }
    };
    let mut put = |name: String, mut value: Vec<u8>| {
        value.resize(value.len().max(8), 0);
        all.insert(name, value);
    };
    put("mxcsr".into(), image[24..28].to_vec());
    put("fcw".into(), if has(0) { image[0..2].to_vec() } else { vec![0x7f, 3] });
    put("fsw".into(), part(0, 2, 2));
    put("ftw".into(), part(0, 4, 1));
    let top = usize::from(part(0, 2, 2)[1] >> 3 & 7);
    for place in 0..8 {
        put(format!("fp{}", (top + place) % 8), part(0, 32 + 16 * place, 10));
        put(format!("k{place}"), part(5, offset(5) + 8 * place, 8));
    }
    for number in 0..16 {
        let mut value = part(1, 160 + 16 * number, 16);
        value.extend(part(2, offset(2) + 16 * number, 16));
        value.extend(part(6, offset(6) + 32 * number, 32));
        put(format!("zmm{number}"), value);
        put(format!("zmm{}", number + 16), part(7, offset(7) + 64 * number, 64));
    }
}
