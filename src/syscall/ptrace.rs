//! ptrace(2), as far as a process that shares the memory of another can use it to stop that one's threads and to read
//! their registers: leak checkers do so (the kernel's `kernel/ptrace.c`, `arch/x86/kernel/ptrace.c`).

use std::sync::Arc;

use nix::unistd::Pid;

use super::arg::Hex;
use super::host::args;
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::stop::{StopPoint, Stopped};
use crate::x86::descriptor::{USER_CS, USER_DS};

const ATTACH: u32 = libc::PTRACE_ATTACH;
const CONT: u32 = libc::PTRACE_CONT;
const DETACH: u32 = libc::PTRACE_DETACH;
const GETREGS: u32 = libc::PTRACE_GETREGS;
const GETREGSET: u32 = libc::PTRACE_GETREGSET;

/// Kinds of register sets (`include/uapi/linux/elf.h`).
const NT_PRSTATUS: u64 = 1;
const NT_X86_XSTATE: u64 = 0x202;

pub(super) fn sys_ptrace(task: &mut Task, request: u32, tid: i32, addr: Hex, to: UserAddr) -> Result<u64, Errno> {
    let Some(point) = task.process.threads.stop_point(tid) else { return Err(refused(task, request)) };
    match request {
        ATTACH => point.attach(Pid::from_raw(tid))?,
        // With a signal for the thread in the last argument.
        CONT | DETACH if to.is_null() => point.resume()?,
        GETREGS => task.process.mm.write(UserPtr::new(to), &point.look(general)?)?,
        GETREGSET => match addr.0 {
            NT_PRSTATUS => write_set(task, to, zerocopy::IntoBytes::as_bytes(&point.look(general)?))?,
            NT_X86_XSTATE => write_set(task, to, &point.look(|stopped| stopped.extended.clone())?)?,
            _ => return Err(Errno::EINVAL),
        },
        _ => return Err(refused(task, request)),
    }
    Ok(0)
}

fn refused(task: &Task, request: u32) -> Errno {
    task.missing(format_args!("ptrace request {request:#x}"));
    Errno::ENOSYS
}

/// The kernel's `struct user_regs_struct`, word for word.
fn general(stopped: &Stopped) -> [u64; 27] {
    let Stopped { regs: r, bases: (fs, gs), .. } = stopped;
    let (cs, ss) = (USER_CS.into(), USER_DS.into());
    [
        r.r15,
        r.r14,
        r.r13,
        r.r12,
        r.rbp,
        r.rbx,
        r.r11,
        r.r10,
        r.r9,
        r.r8,
        r.rax,
        r.rcx,
        r.rdx,
        r.rsi,
        r.rdi,
        u64::MAX,
        r.rip,
        cs,
        r.rflags,
        r.rsp,
        ss,
        *fs,
        *gs,
        0,
        0,
        0,
        0,
    ]
}

/// Fills the buffer that the iovec at `at` describes, as far as it reaches, and notes how far that was. Registers are
/// written whole (`ptrace_regset`).
fn write_set(task: &Task, at: UserAddr, set: &[u8]) -> Result<(), Errno> {
    const REGISTER_LEN: u64 = 8;
    let mm = &task.process.mm;
    let [base, len]: [u64; 2] = mm.read(UserPtr::new(at))?;
    if !len.is_multiple_of(REGISTER_LEN) {
        return Err(Errno::EINVAL);
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(set.len());
    mm.copy_out(UserAddr::new(base), &set[..len])?;
    mm.write(UserPtr::new(at), &[base, len as u64])
}

/// wait4(2), which also tells a tracer that a thread has stopped.
pub(super) fn sys_wait4(
    task: &mut Task,
    pid: i32,
    status: UserPtr<i32>,
    options: i32,
    usage: UserPtr<libc::rusage>,
) -> Result<u64, Errno> {
    /// How a stop by SIGSTOP looks.
    const STOPPED: i32 = libc::SIGSTOP << 8 | 0x7f;
    let may_block = options & libc::WNOHANG == 0;
    let point: Option<Arc<StopPoint>> = task.process.threads.stop_point(pid);
    let point = match point.as_ref().map(|point| (point, point.is_reported())) {
        Some((point, Some(false))) => point,
        Some((_, Some(true))) if !may_block => return Ok(0),
        _ => return task.host(libc::SYS_wait4, args![pid, status, options, usage]),
    };
    if !point.wait(may_block)? {
        return Ok(0);
    }
    if !status.is_null() {
        task.process.mm.write(status, &STOPPED)?;
    }
    Ok(u64::from(pid.unsigned_abs()))
}
