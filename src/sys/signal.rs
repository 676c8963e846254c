//! Host signal handlers and dying by a signal.

#![expect(unsafe_code, reason = "installs signal handlers")]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::Pid;

use super::call::host_call;

/// A handler that is told of the interrupted context.
pub type FaultHandler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs `handler`; interrupted calls restart.
pub fn install_handler(signal: i32, handler: extern "C" fn(i32)) -> io::Result<()> {
    install(signal, handler as libc::sighandler_t, libc::SA_RESTART)
}

/// Installs a handler for faults of the thread itself.
pub fn install_fault_handler(signal: i32, handler: FaultHandler) -> io::Result<()> {
    install(signal, handler as libc::sighandler_t, libc::SA_SIGINFO | libc::SA_NODEFER)
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

/// Those of SIGSEGV and SIGBUS that the guest ignores, bit `signal - 1` for each.
static IGNORED_WHEN_SENT: AtomicU64 = AtomicU64::new(0);

/// Says what becomes of a `signal` that the runner has a fault handler for, when a process sent it.
pub fn ignore_when_sent(signal: i32, is_ignored: bool) {
    let bit = 1 << (signal - 1);
    if is_ignored {
        IGNORED_WHEN_SENT.fetch_or(bit, Ordering::Relaxed);
    } else {
        IGNORED_WHEN_SENT.fetch_and(!bit, Ordering::Relaxed);
    }
}

/// All that [`ignore_when_sent`] was told, bit `signal - 1` for each.
pub fn ignored_when_sent() -> u64 {
    IGNORED_WHEN_SENT.load(Ordering::Relaxed)
}

/// Replaces all that [`ignore_when_sent`] was told.
pub fn set_ignored_when_sent(signals: u64) {
    IGNORED_WHEN_SENT.store(signals, Ordering::Relaxed);
}

/// Does what the guest's disposition says of a fault signal that a process sent. Called by the fault handler.
pub(super) fn on_sent(signal: i32) {
    if IGNORED_WHEN_SENT.load(Ordering::Relaxed) >> (signal - 1) & 1 == 0 {
        die_by(signal);
    }
}

/// Ends this process by `signal`, as the guest would end, and without a core file: it would be the runner's.
pub fn die_by(signal: i32) -> ! {
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    // The limit does not hold for a core that goes to a pipe.
    let _ = nix::sys::prctl::set_dumpable(false);
    restore_default(signal);
    set_blocked(0);
    // SAFETY: sends a signal to this process; nothing runs after it but the exit below.
    unsafe {
        libc::kill(libc::getpid(), signal);
        // Reached when the default action of the signal is not to die.
        libc::_exit(128 + signal);
    }
}
