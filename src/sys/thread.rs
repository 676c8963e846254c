//! Threads of the host.

#![expect(unsafe_code, reason = "ends the calling thread alone")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::abi::Errno;

use super::signal::keeping_setxid;

/// Bytes of a thread's stack: the deepest the runner goes, with room for a handler's frame on a wide processor.
const STACK_LEN: usize = 512 << 10;

/// Starts a thread that does `body` with `value`. It blocks what the caller blocks.
///
/// # Errors
/// `value` comes back when the host allows no more threads or has no room for a stack.
pub fn spawn<T: Send + 'static>(value: T, body: impl FnOnce(T) + Send + 'static) -> Result<(), T> {
    let place = Arc::new(Mutex::new(Some(value)));
    let take = |place: &Mutex<Option<T>>| place.lock().unwrap_or_else(PoisonError::into_inner).take();
    let its_place = place.clone();
    let start = || {
        prepare_library()?;
        // Nobody joins it: it takes its stack with it.
        Builder::new().stack_size(STACK_LEN).spawn(move || take(&its_place).map_or((), body))
    };
    match start() {
        Ok(_) => Ok(()),
        Err(_) => take(&place).map_or(Ok(()), Err),
    }
}

/// With the first thread of a process, the C library takes SIGSETXID for itself. That must be over before there is a
/// guest thread that sends it, so the first one does nothing.
fn prepare_library() -> io::Result<()> {
    /// The process in which it has been done; a child's C library may begin anew.
    static PREPARED: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    if PREPARED.load(Ordering::Relaxed) != process {
        let idle = keeping_setxid(|| Builder::new().stack_size(STACK_LEN).spawn(|| ()))?;
        let _ = idle.join();
        PREPARED.store(process, Ordering::Relaxed);
    }
    Ok(())
}

/// On how many processors the calling thread may run.
pub fn nr_processors() -> usize {
    let own = sched_getaffinity(Pid::from_raw(0));
    own.map_or(1, |set| (0..CpuSet::count()).filter(|&processor| set.is_set(processor) == Ok(true)).count())
}

/// unshare(2): what the calling thread shares with others becomes its own, `CLONE_FS` or `CLONE_FILES`.
pub fn unshare(what: u64) -> Result<(), Errno> {
    // SAFETY: the table of descriptors or the working directory is copied; what is open stays open.
    let result = unsafe { libc::syscall(libc::SYS_unshare, what) };
    if result == 0 { Ok(()) } else { Err(Errno::last_os_error()) }
}

/// Ends the calling thread, which is the first of its process: that goes on without it, and ends with `code` when the
/// last thread ends.
pub fn exit_first(code: u8) -> ! {
    loop {
        // SAFETY: ends this thread. What it owns is never dropped, and its stack stays as it is.
        unsafe { libc::syscall(libc::SYS_exit, libc::c_int::from(code)) };
    }
}
