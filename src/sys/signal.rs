//! Host signal handlers and dying by a signal.

#![expect(unsafe_code, reason = "installs signal handlers")]

use std::io;

use nix::unistd::Pid;

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
    // Fails for SIGKILL and SIGSTOP alone, whose action is the default anyway.
    let _ = install(signal, libc::SIG_DFL, 0);
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

/// Ends this process by `signal`, as the guest would end, and without a core file: it would be the runner's.
pub fn die_by(signal: i32) -> ! {
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    restore_default(signal);
    // SAFETY: unblocks one signal and sends it; nothing runs after it but the exit below.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::kill(libc::getpid(), signal);
        // Reached when the default action of the signal is not to die.
        libc::_exit(128 + signal);
    }
}
