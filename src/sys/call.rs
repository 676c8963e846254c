//! Raw system calls on behalf of the guest.

#![expect(unsafe_code, reason = "the `syscall` instruction")]

use std::arch::asm;

use crate::abi::Errno;

/// Executes a host system call; whatever the C library would add (cancellation, `errno`, caches) stays out.
///
/// # Safety
/// The call must not change memory, descriptors, signal handlers or threads that the runner relies on: pointers are
/// into the arena or to memory of the caller's that fits the call.
#[inline]
pub unsafe fn host_call(nr: u64, args: [u64; 6]) -> Result<u64, Errno> {
    let mut rax = nr;
    // SAFETY: the caller vouches for what the call does; the kernel clobbers rcx and r11 alone.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") rax,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    Errno::check(rax)
}

/// Wakes one waiter of the futex at `word`, an address in the arena.
pub fn wake_futex(word: u64) {
    let wake = u64::from(libc::FUTEX_WAKE.unsigned_abs());
    // SAFETY: FUTEX_WAKE writes nothing.
    let _ = unsafe { host_call(libc::SYS_futex.cast_unsigned(), [word, wake, 1, 0, 0, 0]) };
}

pub(super) fn effective_capabilities() -> u64 {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    // Effective, permitted and inheritable, first the low halves, then the high ones.
    let mut sets = [0u32; 6];
    // SAFETY: the kernel reads the header and writes 24 bytes of sets.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    if result == 0 { u64::from(sets[3]) << 32 | u64::from(sets[0]) } else { 0 }
}

pub(super) fn auxval(key: u64) -> u64 {
    // SAFETY: reads this process's auxiliary vector; unknown keys give 0.
    unsafe { libc::getauxval(key) }
}
