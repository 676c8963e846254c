//! Signals (the kernel's `kernel/signal.c`). The guest process is the host process, so the host delivers, queues and
//! defaults; what it cannot do is what the runner needs for itself.

use zerocopy::IntoBytes;

use super::arg::{Fd, MaskChange, Signal};
use super::host::{HostArg, args, passthrough};
use super::{Outcome, SysResult};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::{ExitStatus, Task};
use crate::signal::action::{self, Disposition, SigAction};
use crate::signal::alt_stack::StackT;
use crate::signal::mask::{SigSet, is_valid};
use crate::vm::kick::KICK_SIGNAL;

/// Bytes of the kernel's `sigset_t`.
const SIGSET_LEN: u64 = size_of::<SigSet>() as u64;

passthrough! {
    sys_pause() = SYS_pause;
}

pub(super) fn sys_kill(task: &mut Task, pid: i32, signal: Signal) -> SysResult {
    if pid <= 0 && signal.0 == KICK_SIGNAL {
        return Err(reserved(task));
    }
    let result = if is_own_process(pid) { to_itself(task, signal.0) } else { None };
    result.unwrap_or_else(|| pass(task, libc::SYS_kill, args![pid, signal]))
}

pub(super) fn sys_tkill(task: &mut Task, tid: i32, signal: Signal) -> SysResult {
    let result = if tid == task.tid().as_raw() { to_itself(task, signal.0) } else { None };
    result.unwrap_or_else(|| pass(task, libc::SYS_tkill, args![tid, signal]))
}

pub(super) fn sys_tgkill(task: &mut Task, pid: i32, tid: i32, signal: Signal) -> SysResult {
    let is_own = is_own_process(pid) && tid == task.tid().as_raw();
    let result = if is_own { to_itself(task, signal.0) } else { None };
    result.unwrap_or_else(|| pass(task, libc::SYS_tgkill, args![pid, tid, signal]))
}

pub(super) fn sys_rt_sigqueueinfo(
    task: &mut Task,
    pid: i32,
    signal: Signal,
    info: UserPtr<libc::siginfo_t>,
) -> SysResult {
    read_siginfo(task, info)?;
    let result = if is_own_process(pid) { to_itself(task, signal.0) } else { None };
    result.unwrap_or_else(|| pass(task, libc::SYS_rt_sigqueueinfo, args![pid, signal, info]))
}

pub(super) fn sys_rt_tgsigqueueinfo(
    task: &mut Task,
    pid: i32,
    tid: i32,
    signal: Signal,
    info: UserPtr<libc::siginfo_t>,
) -> SysResult {
    read_siginfo(task, info)?;
    let is_own = is_own_process(pid) && tid == task.tid().as_raw();
    let result = if is_own { to_itself(task, signal.0) } else { None };
    result.unwrap_or_else(|| pass(task, libc::SYS_rt_tgsigqueueinfo, args![pid, tid, signal, info]))
}

pub(super) fn sys_pidfd_send_signal(
    task: &mut Task,
    process: Fd,
    signal: Signal,
    info: UserPtr<libc::siginfo_t>,
    flags: u32,
) -> Result<u64, Errno> {
    if signal.0 == KICK_SIGNAL {
        // Whose process it is cannot be told.
        return Err(reserved(task));
    }
    task.host(libc::SYS_pidfd_send_signal, args![process, signal, info, flags])
}

fn pass(task: &Task, nr: i64, args: &mut [HostArg<'_>]) -> SysResult {
    task.host(nr, args).map(Outcome::Value)
}

/// The kernel reads it before it looks for the process.
fn read_siginfo(task: &Task, info: UserPtr<libc::siginfo_t>) -> Result<(), Errno> {
    task.process.mm.copy_in(info.addr(), &mut [0; size_of::<libc::siginfo_t>()])
}

fn is_own_process(pid: i32) -> bool {
    pid == nix::unistd::getpid().as_raw()
}

fn reserved(task: &Task) -> Errno {
    task.missing(format_args!("signal {KICK_SIGNAL} to itself"));
    Errno::EINVAL
}

/// A signal that the guest sends to itself alone, where the host's delivery is not the guest's. A fatal one ends the
/// guest here, so that the runner can report; `None` leaves the signal to the host.
fn to_itself(task: &Task, signal: i32) -> Option<SysResult> {
    if !is_valid(signal) {
        return None;
    }
    if signal == KICK_SIGNAL {
        return Some(Err(reserved(task)));
    }
    let is_synchronous = SigSet::SYNCHRONOUS.contains(signal);
    if task.signals.mask.contains(signal) {
        return is_synchronous.then(|| {
            task.missing(format_args!("signal {signal} to itself while it is blocked"));
            Err(Errno::ENOSYS)
        });
    }
    match task.process.actions.action(signal).map(|action| action.disposition(signal)) {
        // Nothing ends the first process of a container but a fault.
        Ok(Disposition::Fatal) if !is_own_process(1) => Some(Ok(Outcome::Exit(ExitStatus::Signal(signal)))),
        Ok(Disposition::Ignored) if SigSet::HANDLED_BY_RUNNER.contains(signal) => Some(Ok(Outcome::Value(0))),
        _ => None,
    }
}

pub(super) fn sys_rt_sigaction(
    task: &mut Task,
    signal: Signal,
    new: UserPtr<SigAction>,
    old: UserPtr<SigAction>,
    len: u64,
) -> Result<(), Errno> {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let mm = task.process.mm.clone();
    let new = if new.is_null() { None } else { Some(mm.read(new)?) };
    let previous = do_sigaction(task, signal.0, new)?;
    if old.is_null() { Ok(()) } else { mm.write(old, &previous) }
}

fn do_sigaction(task: &Task, signal: i32, new: Option<SigAction>) -> Result<SigAction, Errno> {
    let actions = &task.process.actions;
    let previous = actions.action(signal)?;
    let Some(new) = new.map(action::as_kept) else { return Ok(previous) };
    if SigSet::UNBLOCKABLE.contains(signal) {
        return Err(Errno::EINVAL);
    }
    let disposition = new.disposition(signal);
    if disposition == Disposition::Handled {
        task.missing(format_args!("a handler for signal {signal}"));
        return Err(Errno::ENOSYS);
    }
    if SigSet::HANDLED_BY_RUNNER.contains(signal) {
        crate::sys::signal::ignore_when_sent(signal, disposition == Disposition::Ignored);
    } else {
        task.host(libc::SYS_rt_sigaction, args![signal, new.as_bytes(), 0u64, SIGSET_LEN])?;
    }
    actions.replace(signal, new)
}

pub(super) fn sys_rt_sigprocmask(
    task: &mut Task,
    how: MaskChange,
    new: UserPtr<SigSet>,
    old: UserPtr<SigSet>,
    len: u64,
) -> Result<(), Errno> {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let mm = task.process.mm.clone();
    let previous = task.signals.mask;
    if !new.is_null() {
        let set = mm.read(new)?.minus(SigSet::UNBLOCKABLE);
        let mask = match how.0 {
            libc::SIG_BLOCK => previous.union(set),
            libc::SIG_UNBLOCK => previous.minus(set),
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        task.signals.mask = mask;
        crate::sys::signal::set_blocked(mask.host_mask().bits());
    }
    if old.is_null() { Ok(()) } else { mm.write(old, &previous) }
}

pub(super) fn sys_rt_sigpending(task: &mut Task, to: UserAddr, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_rt_sigpending, args![HostArg::Guest(to, len.min(SIGSET_LEN)), len])
}

pub(super) fn sys_rt_sigtimedwait(
    task: &mut Task,
    set: UserPtr<SigSet>,
    info: UserPtr<libc::siginfo_t>,
    timeout: UserPtr<libc::timespec>,
    len: u64,
) -> Result<u64, Errno> {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let set = task.process.mm.read(set)?.waitable();
    task.host(libc::SYS_rt_sigtimedwait, args![set.as_bytes(), info, timeout, len])
}

pub(super) fn sys_rt_sigsuspend(task: &mut Task, mask: UserPtr<SigSet>, len: u64) -> Result<u64, Errno> {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let mask = task.process.mm.read(mask)?.host_mask();
    task.host(libc::SYS_rt_sigsuspend, args![mask.as_bytes(), len])
}

pub(super) fn sys_sigaltstack(task: &mut Task, new: UserPtr<StackT>, old: UserPtr<StackT>) -> Result<(), Errno> {
    let mm = &task.process.mm;
    let rsp = task.vcpu.regs().rsp;
    let new = if new.is_null() { None } else { Some(mm.read(new)?) };
    let previous = task.signals.alt_stack.describe(rsp);
    if let Some(new) = new {
        task.signals.alt_stack.change(new, rsp)?;
    }
    if old.is_null() { Ok(()) } else { mm.write(old, &previous) }
}

/// There are no handlers, so there is no frame to return from: to the kernel, a bad one.
pub(super) fn sys_rt_sigreturn(task: &mut Task) -> SysResult {
    task.missing(format_args!("rt_sigreturn"));
    Ok(Outcome::Exit(ExitStatus::Signal(libc::SIGSEGV)))
}

/// Only the kernel makes this call, after a call that a signal interrupted.
pub(super) fn sys_restart_syscall(_task: &mut Task) -> Result<u64, Errno> {
    Err(Errno::EINTR)
}
