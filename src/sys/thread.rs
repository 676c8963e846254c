//! Threads of the host.

#![expect(unsafe_code, reason = "ends the calling thread alone")]

use std::io;
use std::thread::Builder;

use super::signal::keeping_setxid;

/// Bytes of a thread's stack: the deepest the runner goes, with room for a handler's frame on a wide processor.
const STACK_LEN: usize = 512 << 10;

/// Starts a thread that does `body`. It blocks what the caller blocks.
///
/// # Errors
/// `EAGAIN` when the host allows no more threads, `ENOMEM` when it has no room for a stack.
pub fn spawn(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Nobody joins it: it takes its stack with it.
    keeping_setxid(|| Builder::new().stack_size(STACK_LEN).spawn(body).map(drop))
}

/// Ends the calling thread, which is the first of its process: that goes on without it, and ends with `code` when the
/// last thread ends.
pub fn exit_first(code: u8) -> ! {
    loop {
        // SAFETY: ends this thread. What it owns is never dropped, and its stack stays as it is.
        unsafe { libc::syscall(libc::SYS_exit, libc::c_int::from(code)) };
    }
}
