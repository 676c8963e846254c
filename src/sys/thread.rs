//! Threads of the host.

#![expect(unsafe_code, reason = "ends the calling thread alone")]

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::time::{ClockId, clock_gettime};
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

/// Waits until the process is dead, a zombie or gone, but not longer than `most`; returns whether it is. Takes a descriptor
/// meanwhile.
pub fn wait_for_death(process: Pid, most: Duration) -> bool {
    // SAFETY: makes a descriptor.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
    let Ok(raw @ 0..) = RawFd::try_from(raw) else { return Errno::last_os_error() == Errno::ESRCH };
    // SAFETY: the kernel has just made it, so nobody else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut polled = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    let end = Instant::now() + most;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(count) => return count > 0,
            // Signals of the guest's come at any time.
            Err(_) if !left.is_zero() => {}
            Err(_) => return false,
        }
    }
}

/// Has the process, or its first thread, ended, and with it the memory? Makes no descriptor.
pub fn has_no_memory(process: Pid) -> bool {
    let mut byte = [0];
    let nowhere = [RemoteIoVec { base: 0, len: 1 }];
    process_vm_readv(process, &mut [IoSliceMut::new(&mut byte)], &nowhere) == Err(nix::Error::ESRCH)
}

/// Processor time of a thread of this process, or of all threads of another one.
pub fn processor_time(process: Pid, thread: Pid) -> Option<Duration> {
    /// `CPUCLOCK_SCHED` and `CPUCLOCK_PERTHREAD_MASK` of the kernel's `include/linux/posix-timers.h`.
    const OF_PROCESS: i32 = 2;
    const OF_THREAD: i32 = 4;
    let is_own = process == Pid::this();
    let clock =
        if is_own { !thread.as_raw() << 3 | OF_PROCESS | OF_THREAD } else { !process.as_raw() << 3 | OF_PROCESS };
    let time = clock_gettime(ClockId::from_raw(clock)).ok()?;
    Some(Duration::new(time.tv_sec().unsigned_abs(), u32::try_from(time.tv_nsec()).ok()?))
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
