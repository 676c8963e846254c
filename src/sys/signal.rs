//! Host signal handlers and dying by a signal.

#![expect(unsafe_code, reason = "installs signal handlers")]

use std::arch::global_asm;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::Pid;

use super::call::{host_call, interruptible_call};
use super::capture::RawSigInfo;
use crate::abi::Errno;

/// The signals that the processor makes. On the host they are faults of the runner's.
pub const FAULT_SIGNALS: [i32; 5] = [libc::SIGILL, libc::SIGTRAP, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV];

/// A handler that is told of the signal and of the interrupted context.
pub(super) type ContextHandler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// What the kernel has handlers return to; the C library's own is out of reach.
const SA_RESTORER: u64 = 0x0400_0000;

global_asm!(
    ".pushsection .text.kvm_se_restorer, \"ax\", @progbits",
    // Unwinders look at the byte before.
    "    nop",
    ".globl kvm_se_restorer",
    ".type kvm_se_restorer, @function",
    "kvm_se_restorer:",
    "    mov ${RT_SIGRETURN}, %rax",
    "    syscall",
    ".size kvm_se_restorer, . - kvm_se_restorer",
    ".popsection",
    RT_SIGRETURN = const libc::SYS_rt_sigreturn,
    options(att_syntax)
);

unsafe extern "C" {
    static kvm_se_restorer: u8;
}

/// Installs `handler` with `flags` besides those it needs. Nothing interrupts it but what cannot be blocked.
///
/// # Errors
/// `ERESTARTNOINTR` if there is a signal to deliver first.
pub(super) fn set_action(signal: i32, handler: ContextHandler, flags: u64) -> Result<(), Errno> {
    let flags = flags | u64::from(libc::SA_SIGINFO.unsigned_abs()) | SA_RESTORER;
    let restorer = (&raw const kvm_se_restorer).addr() as u64;
    set_raw_action(signal, &[handler as usize as u64, flags, restorer, u64::MAX])
}

/// Forgets one `signal` that is pending and blocked; one for the calling thread goes before one for the process.
pub fn discard(signal: i32) {
    let set = 1u64 << (signal - 1);
    let now = [0i64; 2];
    let (set_at, now_at) = ((&raw const set).addr() as u64, (&raw const now).addr() as u64);
    // SAFETY: the kernel reads eight bytes of a set and sixteen of a time.
    let _ = unsafe { host_call(libc::SYS_rt_sigtimedwait.cast_unsigned(), [set_at, 0, now_at, 8, 0, 0]) };
}

/// Makes the host ignore `signal` or do the default, with `SA_NOCLDWAIT` and the like in `flags`.
///
/// # Errors
/// `ERESTARTNOINTR` if there is a signal to deliver first.
pub fn set_plain_action(signal: i32, is_ignored: bool, flags: u64) -> Result<(), Errno> {
    set_raw_action(signal, &[u64::from(is_ignored), flags, 0, 0])
}

fn set_raw_action(signal: i32, action: &[u64; 4]) -> Result<(), Errno> {
    let args = [u64::from(signal.unsigned_abs()), action.as_ptr().addr() as u64, 0, SIGSET_LEN, 0, 0];
    // SAFETY: the kernel reads one sigaction of 32 bytes. It names no handler, or one of this crate's, all of which are
    // async-signal-safe.
    unsafe { interruptible_call(libc::SYS_rt_sigaction.cast_unsigned(), args) }.map(drop)
}

/// Installs `handler`; interrupted calls restart.
pub fn install_handler(signal: i32, handler: extern "C" fn(i32)) -> io::Result<()> {
    install(signal, handler as libc::sighandler_t, libc::SA_RESTART)
}

/// Back to the default action.
pub fn restore_default(signal: i32) {
    let default = [0u64; 4];
    let args = [u64::from(signal.unsigned_abs()), default.as_ptr().addr() as u64, 0, SIGSET_LEN, 0, 0];
    // SAFETY: the kernel reads one sigaction of 32 bytes, SIG_DFL. It fails for SIGKILL and SIGSTOP alone, whose action
    // is the default anyway.
    let _ = unsafe { host_call(libc::SYS_rt_sigaction.cast_unsigned(), args) };
}

fn install(signal: i32, action: libc::sighandler_t, flags: i32) -> io::Result<()> {
    // SAFETY: all-zero is a valid sigaction.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = flags;
    // SAFETY: `new` is valid; the handlers of this crate are async-signal-safe.
    let result = unsafe { libc::sigaction(signal, &raw const new, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// tgkill(2).
pub fn tgkill(process: Pid, thread: Pid, signal: i32) -> nix::Result<()> {
    // SAFETY: sends a signal, touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process.as_raw(), thread.as_raw(), signal) };
    nix::errno::Errno::result(result).map(drop)
}

/// Bytes in the kernel's `sigset_t`.
const SIGSET_LEN: u64 = 8;

/// Handler, flags, restorer and mask of `signal`, as rt_sigaction(2) gives them: the C library hides some signals.
pub fn action(signal: i32) -> [u64; 4] {
    let mut action = [0u64; 4];
    let args = [u64::from(signal.unsigned_abs()), 0, action.as_mut_ptr().addr() as u64, SIGSET_LEN, 0, 0];
    // SAFETY: the kernel writes one sigaction of 32 bytes; nothing is changed. It fails for no signal that exists.
    let _ = unsafe { host_call(libc::SYS_rt_sigaction.cast_unsigned(), args) };
    action
}

/// Does `act`, which may have the C library claim SIGSETXID, the signal by which it reaches all threads; afterwards it is
/// the guest's as before.
pub(super) fn keeping_setxid<T>(act: impl FnOnce() -> T) -> T {
    const SIGSETXID: i32 = 33;
    let before = action(SIGSETXID);
    let result = act();
    let args = [SIGSETXID.unsigned_abs().into(), before.as_ptr().addr() as u64, 0, SIGSET_LEN, 0, 0];
    // SAFETY: the kernel reads one sigaction of 32 bytes, which it has given us.
    let _ = unsafe { host_call(libc::SYS_rt_sigaction.cast_unsigned(), args) };
    result
}

/// The signals that this thread blocks, bit `signal - 1` for each.
pub fn blocked() -> u64 {
    let mut mask = 0u64;
    change_blocked(libc::SIG_BLOCK, None, Some(&mut mask));
    mask
}

/// Makes this thread block these signals and no others.
pub fn set_blocked(mask: u64) {
    change_blocked(libc::SIG_SETMASK, Some(&mask), None);
}

fn change_blocked(how: i32, new: Option<&u64>, old: Option<&mut u64>) {
    let new = new.map_or(0, |mask| std::ptr::from_ref(mask).addr() as u64);
    let old = old.map_or(0, |mask| std::ptr::from_mut(mask).addr() as u64);
    let args = [u64::from(how.unsigned_abs()), new, old, SIGSET_LEN, 0, 0];
    // SAFETY: the kernel reads and writes eight bytes each. It fails for bad arguments alone.
    let _ = unsafe { host_call(libc::SYS_rt_sigprocmask.cast_unsigned(), args) };
}

/// Makes this thread block these signals and no others, unless there is a signal to deliver first: `ERESTARTNOINTR`.
pub fn try_set_blocked(mask: u64) -> Result<(), Errno> {
    let args = [u64::from(libc::SIG_SETMASK.unsigned_abs()), (&raw const mask).addr() as u64, 0, SIGSET_LEN, 0, 0];
    // SAFETY: the kernel reads eight bytes.
    unsafe { interruptible_call(libc::SYS_rt_sigprocmask.cast_unsigned(), args) }.map(drop)
}

/// Gives a signal that this thread has caught back to the kernel, which queues it for the thread anew.
pub fn send_back(siginfo: &RawSigInfo) {
    // It fails when RLIMIT_SIGPENDING is used up; to lose a signal is all that the kernel itself can do then.
    let _ = send(nix::unistd::getpid(), nix::unistd::gettid(), siginfo);
}

/// The same for a signal that was sent to the process.
pub fn send_back_to_process(siginfo: &RawSigInfo) {
    let process = u64::from(nix::unistd::getpid().as_raw().unsigned_abs());
    let args = [process, siginfo[0] & u64::from(u32::MAX), siginfo.as_ptr().addr() as u64, 0, 0, 0];
    // SAFETY: the kernel reads one siginfo of 128 bytes.
    let sent = unsafe { host_call(libc::SYS_rt_sigqueueinfo.cast_unsigned(), args) };
    if sent == Err(Errno::EPERM) {
        // Only the first thread of a process may send it what the kernel sends.
        send_back(siginfo);
    }
}

/// rt_tgsigqueueinfo(2).
pub(super) fn send(process: Pid, thread: Pid, siginfo: &RawSigInfo) -> Result<(), Errno> {
    let [process, thread] = [process, thread].map(|id| u64::from(id.as_raw().unsigned_abs()));
    let args = [process, thread, siginfo[0] & u64::from(u32::MAX), siginfo.as_ptr().addr() as u64, 0, 0];
    // SAFETY: the kernel reads one siginfo of 128 bytes.
    unsafe { host_call(libc::SYS_rt_tgsigqueueinfo.cast_unsigned(), args) }.map(drop)
}

/// Those of [`FAULT_SIGNALS`] that the guest ignores, bit `signal - 1` for each.
static IGNORED_WHEN_SENT: AtomicU64 = AtomicU64::new(0);

/// Says whether a signal of [`FAULT_SIGNALS`] is nothing when a process sends it.
pub fn ignore_when_sent(signal: i32, is_ignored: bool) {
    let bit = 1 << (signal - 1);
    if is_ignored {
        IGNORED_WHEN_SENT.fetch_or(bit, Ordering::Relaxed);
    } else {
        IGNORED_WHEN_SENT.fetch_and(!bit, Ordering::Relaxed);
    }
}

pub(super) fn is_ignored_when_sent(signal: i32) -> bool {
    IGNORED_WHEN_SENT.load(Ordering::Relaxed) >> (signal - 1) & 1 == 1
}

/// All that [`ignore_when_sent`] was told, bit `signal - 1` for each.
pub fn ignored_when_sent() -> u64 {
    IGNORED_WHEN_SENT.load(Ordering::Relaxed)
}

/// Replaces all that [`ignore_when_sent`] was told.
pub fn set_ignored_when_sent(signals: u64) {
    IGNORED_WHEN_SENT.store(signals, Ordering::Relaxed);
}

/// Ends this process by `signal`, as the guest would end, and without a core file: it would be the runner's.
pub fn die_by(signal: i32) -> ! {
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    // The limit does not hold for a core that goes to a pipe.
    let _ = nix::sys::prctl::set_dumpable(false);
    restore_default(signal);
    // Another that is caught now would block this one.
    set_blocked(!(1 << (signal - 1)));
    // To this thread, which is then gone before it returns; another might take its time.
    let _ = tgkill(nix::unistd::getpid(), nix::unistd::gettid(), signal);
    // SAFETY: ends the process.
    unsafe {
        // Reached when the default action of the signal is not to die.
        libc::_exit(128 + signal);
    }
}
