//! Signals (the kernel's `kernel/signal.c`). The guest process is the host process, so the host delivers, queues and
//! defaults; what it cannot do is what the runner needs for itself.

use zerocopy::IntoBytes;

use super::arg::{Fd, MaskChange, Signal};
use super::host::{HostArg, args, passthrough};
use super::{Outcome, SysResult};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::{End, ExitStatus, Task};
use crate::signal::action::{self, Disposition, SigAction};
use crate::signal::alt_stack::StackT;
use crate::signal::held::SigInfo;
use crate::signal::mask::SigSet;

/// Bytes of the kernel's `sigset_t`.
const SIGSET_LEN: u64 = size_of::<SigSet>() as u64;

passthrough! {
    sys_pause() = SYS_pause;
}

pub(super) fn sys_kill(task: &mut Task, pid: i32, signal: Signal) -> SysResult {
    if is_own_process(pid) && concerns_runner(task, signal.0) {
        return to_itself(task, own_info(task, signal.0, libc::SI_USER));
    }
    pass(task, libc::SYS_kill, args![pid, signal])
}

pub(super) fn sys_tkill(task: &mut Task, tid: i32, signal: Signal) -> SysResult {
    if tid == task.tid().as_raw() && concerns_runner(task, signal.0) {
        return to_itself(task, own_info(task, signal.0, libc::SI_TKILL));
    }
    pass(task, libc::SYS_tkill, args![tid, signal])
}

pub(super) fn sys_tgkill(task: &mut Task, pid: i32, tid: i32, signal: Signal) -> SysResult {
    if is_own_process(pid) && tid == task.tid().as_raw() && concerns_runner(task, signal.0) {
        return to_itself(task, own_info(task, signal.0, libc::SI_TKILL));
    }
    pass(task, libc::SYS_tgkill, args![pid, tid, signal])
}

pub(super) fn sys_rt_sigqueueinfo(task: &mut Task, pid: i32, signal: Signal, info: UserPtr<SigInfo>) -> SysResult {
    let info = SigInfo { signal: signal.0, ..task.process.mm.read(info)? };
    if is_own_process(pid) && concerns_runner(task, signal.0) {
        return to_itself(task, info);
    }
    pass(task, libc::SYS_rt_sigqueueinfo, args![pid, signal, info.as_bytes()])
}

pub(super) fn sys_rt_tgsigqueueinfo(
    task: &mut Task,
    pid: i32,
    tid: i32,
    signal: Signal,
    info: UserPtr<SigInfo>,
) -> SysResult {
    let info = SigInfo { signal: signal.0, ..task.process.mm.read(info)? };
    if is_own_process(pid) && tid == task.tid().as_raw() && concerns_runner(task, signal.0) {
        return to_itself(task, info);
    }
    pass(task, libc::SYS_rt_tgsigqueueinfo, args![pid, tid, signal, info.as_bytes()])
}

pub(super) fn sys_pidfd_send_signal(
    task: &mut Task,
    process: Fd,
    signal: Signal,
    info: UserPtr<libc::siginfo_t>,
    flags: u32,
) -> Result<u64, Errno> {
    task.host(libc::SYS_pidfd_send_signal, args![process, signal, info, flags])
}

fn pass(task: &Task, nr: i64, args: &mut [HostArg<'_>]) -> SysResult {
    task.host(nr, args).map(Outcome::Value)
}

fn is_own_process(pid: i32) -> bool {
    pid == nix::unistd::getpid().as_raw()
}

fn own_info(task: &Task, signal: i32, code: i32) -> SigInfo {
    SigInfo::sent(signal, code, task.tid().as_raw(), nix::unistd::getuid().as_raw())
}

/// Must the runner deliver a signal that the guest sends to itself? It must where the host's delivery would not be the
/// guest's; and a fatal signal ends the guest here, so that the runner can report.
fn concerns_runner(task: &Task, signal: i32) -> bool {
    if SigSet::SYNCHRONOUS.contains(signal) {
        return true;
    }
    // Nothing ends the first process of a container but a fault.
    !task.signals.mask().contains(signal) && disposition(task, signal) == Some(Disposition::Fatal) && !is_own_process(1)
}

fn disposition(task: &Task, signal: i32) -> Option<Disposition> {
    task.process.actions.action(signal).ok().map(|action| action.disposition(signal))
}

fn to_itself(task: &mut Task, info: SigInfo) -> SysResult {
    if !task.signals.mask().contains(info.signal) {
        match disposition(task, info.signal) {
            // A debugger is to see it first.
            Some(Disposition::Fatal) if task.is_debugged() => {}
            Some(Disposition::Fatal) => return Ok(Outcome::Exit(End::Process(ExitStatus::Signal(info.signal)))),
            Some(Disposition::Ignored) => return Ok(Outcome::Value(0)),
            _ => {}
        }
    }
    task.signals.hold(info)?;
    Ok(Outcome::Value(0))
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

fn do_sigaction(task: &mut Task, signal: i32, new: Option<SigAction>) -> Result<SigAction, Errno> {
    let previous = task.process.actions.action(signal)?;
    let Some(new) = new.map(action::as_kept) else { return Ok(previous) };
    if SigSet::UNBLOCKABLE.contains(signal) {
        return Err(Errno::EINVAL);
    }
    let disposition = new.disposition(signal);
    task.end_masks();
    if disposition == Disposition::Fatal && task.is_debugged() {
        task.catch_for_debugger(signal)?;
    } else {
        tell_host(signal, &new, disposition)?;
    }
    if disposition == Disposition::Ignored {
        task.signals.held().forget(signal);
    }
    task.process.actions.replace(signal, new)
}

/// Makes the host do what the guest wants of a signal, catch it if that is a handler.
fn tell_host(signal: i32, new: &SigAction, disposition: Disposition) -> Result<(), Errno> {
    const NO_ZOMBIES: u64 = (libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT).cast_unsigned() as u64;
    const RESTART: u64 = libc::SA_RESTART.cast_unsigned() as u64;
    if SigSet::SYNCHRONOUS.contains(signal) {
        let restart = if disposition == Disposition::Handled { new.flags & RESTART } else { RESTART };
        crate::sys::copy::set_fault_flags(signal, restart)?;
        crate::sys::signal::ignore_when_sent(signal, disposition == Disposition::Ignored);
    } else {
        match usize::try_from(new.handler) {
            Ok(plain @ (libc::SIG_DFL | libc::SIG_IGN)) => {
                crate::sys::signal::set_plain_action(signal, plain == libc::SIG_IGN, new.flags & NO_ZOMBIES)?;
            }
            _ => crate::sys::capture::catch(signal, new.flags & (RESTART | NO_ZOMBIES))?,
        }
    }
    Ok(())
}

pub(super) fn sys_rt_sigprocmask(
    task: &mut Task,
    how: MaskChange,
    new: UserPtr<SigSet>,
    old: UserPtr<SigSet>,
    len: u64,
) -> SysResult {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let previous = task.signals.mask();
    if !new.is_null() {
        let set = task.process.mm.read(new)?.minus(SigSet::UNBLOCKABLE);
        let mask = match how.0 {
            libc::SIG_BLOCK => previous.union(set),
            libc::SIG_UNBLOCK => previous.minus(set),
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        task.signals.set_mask(mask)?;
    }
    if !old.is_null() {
        task.process.mm.write(old, &previous)?;
    }
    task.answer_masks();
    Ok(Outcome::Value(0))
}

pub(super) fn sys_rt_sigpending(task: &mut Task, to: UserAddr, len: u64) -> Result<(), Errno> {
    let mut pending = SigSet::EMPTY;
    task.host(libc::SYS_rt_sigpending, args![pending.as_mut_bytes(), len])?;
    let pending = pending.union(task.signals.held().pending());
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    task.process.mm.copy_out(to, &pending.as_bytes()[..len])
}

pub(super) fn sys_rt_sigtimedwait(
    task: &mut Task,
    set: UserPtr<SigSet>,
    info: UserPtr<SigInfo>,
    timeout: UserPtr<[i64; 2]>,
    len: u64,
) -> Result<u64, Errno> {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let set = task.process.mm.read(set)?;
    if let Some(result) = take_from_host(task, set, info, timeout.into()) {
        return result;
    }
    if !timeout.is_null() {
        check_timespec(task.process.mm.read(timeout)?)?;
    }
    take_held(task, set, info)
}

/// Takes a signal of `set`, if there is one, without waiting: `EAGAIN` if there is none.
pub(super) fn take_pending(task: &mut Task, set: SigSet, info: UserPtr<SigInfo>) -> Result<u64, Errno> {
    let now = [0u8; size_of::<libc::timespec>()];
    match take_from_host(task, set, info, HostArg::In(&now)) {
        Some(result) => result,
        None => take_held(task, set, info),
    }
}

/// What the host says to rt_sigtimedwait(2); `None` if a signal waits here.
fn take_from_host(
    task: &mut Task,
    set: SigSet,
    info: UserPtr<SigInfo>,
    timeout: HostArg<'_>,
) -> Option<Result<u64, Errno>> {
    if task.signals.held().first(set).is_some() {
        return None;
    }
    // One that comes before or while the host waits ends the wait, and is not delivered.
    task.signals.begin_taking(task.signals.mask().minus(set));
    let args = &mut [HostArg::In(set.as_bytes()), info.into(), timeout, SIGSET_LEN.into()];
    let result = task.host(libc::SYS_rt_sigtimedwait, args);
    task.signals.end_wait(task.signals.mask(), result);
    (result.is_ok() || task.signals.held().first(set).is_none()).then_some(result)
}

/// Takes the first of `set` of those that are pending here; lower numbers that the host has come before it.
fn take_held(task: &mut Task, set: SigSet, info: UserPtr<SigInfo>) -> Result<u64, Errno> {
    let held = task.signals.held().first(set).ok_or(Errno::EAGAIN)?;
    if !SigSet::SYNCHRONOUS.contains(held) {
        let (lower, now) = (set.below(held), [0u8; size_of::<libc::timespec>()]);
        match task.host(libc::SYS_rt_sigtimedwait, args![lower.as_bytes(), info, now.as_slice(), SIGSET_LEN]) {
            Err(Errno::EAGAIN) => {}
            result => return result,
        }
    }
    let taken = task.signals.held().take(SigSet::only(held)).ok_or(Errno::EAGAIN)?;
    if !info.is_null() {
        task.process.mm.write(info, &taken)?;
    }
    u64::try_from(held).map_err(|_| Errno::EINVAL)
}

/// `timespec64_valid` in the kernel's `include/linux/time64.h`.
fn check_timespec([seconds, nanoseconds]: [i64; 2]) -> Result<(), Errno> {
    if seconds >= 0 && (0..1_000_000_000).contains(&nanoseconds) { Ok(()) } else { Err(Errno::EINVAL) }
}

pub(super) fn sys_rt_sigsuspend(task: &mut Task, mask: UserPtr<SigSet>, len: u64) -> SysResult {
    if len != SIGSET_LEN {
        return Err(Errno::EINVAL);
    }
    let mask = task.process.mm.read(mask)?.minus(SigSet::UNBLOCKABLE);
    let host_mask = mask.host_mask();
    task.host_with_mask(Some(mask), libc::SYS_rt_sigsuspend, args![host_mask.as_bytes(), len]).map(Outcome::Value)
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

pub(super) fn sys_rt_sigreturn(task: &mut Task) -> SysResult {
    if task.return_from_handler().is_ok() {
        return Ok(Outcome::RegistersSet);
    }
    task.vcpu.regs_mut().rax = 0;
    match task.deliver_bad_frame() {
        Ok(None) => Ok(Outcome::RegistersSet),
        Ok(Some(status)) => Ok(Outcome::Exit(End::Process(status))),
        Err(_) => Ok(Outcome::Exit(End::Process(ExitStatus::Signal(libc::SIGSEGV)))),
    }
}

/// Only the kernel makes this call, after a call that a signal interrupted.
pub(super) fn sys_restart_syscall(_task: &mut Task) -> Result<u64, Errno> {
    Err(Errno::EINTR)
}
