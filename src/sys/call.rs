//! Raw system calls on behalf of the guest.

#![expect(unsafe_code, reason = "the `syscall` instruction")]

use std::arch::{asm, global_asm};
use std::time::Duration;

use super::capture;
use crate::abi::Errno;

global_asm!(
    ".pushsection .text.kvm_se_call, \"ax\", @progbits",
    ".globl kvm_se_call",
    ".type kvm_se_call, @function",
    // rdi: number, rsi: six arguments, rdx: the word that says whether there is a signal to deliver.
    "kvm_se_call:",
    "    mov %rdi, %rax",
    "    mov %rsi, %r11",
    "    mov %rdx, %rcx",
    "    mov (%r11), %rdi",
    "    mov 8(%r11), %rsi",
    "    mov 16(%r11), %rdx",
    "    mov 24(%r11), %r10",
    "    mov 32(%r11), %r8",
    "    mov 40(%r11), %r9",
    ".globl kvm_se_call_check",
    "kvm_se_call_check:",
    "    cmpl $0, (%rcx)",
    "    jne kvm_se_call_abort",
    // A handler that finds rip here, or between the check and here, puts it on the way out.
    ".globl kvm_se_call_enter",
    "kvm_se_call_enter:",
    "    syscall",
    "    ret",
    ".globl kvm_se_call_abort",
    "kvm_se_call_abort:",
    "    mov $-{ERESTARTNOINTR}, %rax",
    "    ret",
    ".size kvm_se_call, . - kvm_se_call",
    ".popsection",
    ERESTARTNOINTR = const 513,
    options(att_syntax)
);

unsafe extern "C" {
    fn kvm_se_call(nr: u64, args: *const [u64; 6], attention: *const u32) -> u64;
    static kvm_se_call_check: u8;
    static kvm_se_call_enter: u8;
    static kvm_se_call_abort: u8;
}

/// Executes a host system call unless there is a signal to deliver; one that comes while it waits ends the wait.
///
/// # Errors
/// `ERESTARTNOINTR` if the call had no effect: there was a signal before it began, or the host kernel wants it to be made
/// again after the signal's handler. Other errors are the call's.
///
/// # Safety
/// As for [`host_call`].
#[inline]
pub unsafe fn interruptible_call(nr: u64, args: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: the caller vouches for what the call does; the routine reads `args` and this thread's word of attention.
    Errno::check(unsafe { kvm_se_call(nr, &raw const args, capture::attention()) })
}

/// Called by a signal handler: if the interrupted thread was about to enter the kernel by [`interruptible_call`], it will
/// not. That rip is at the `syscall` also means that the kernel wants to restart the call (SA_RESTART).
pub(super) fn abort_before_kernel(rip: &mut i64) {
    let first = (&raw const kvm_se_call_check).addr();
    let last = (&raw const kvm_se_call_enter).addr();
    if (first..=last).contains(&rip.cast_unsigned().try_into().unwrap_or(0)) {
        *rip = (&raw const kvm_se_call_abort).addr().cast_signed() as i64;
    }
}

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

/// Sleeps while the futex at `word`, an address of the runner's that its processes may share, holds `value`; until it is
/// woken, a signal comes or `most` has passed.
pub fn wait_futex(word: u64, value: u32, most: Duration) {
    let wait = u64::from(libc::FUTEX_WAIT.unsigned_abs());
    let timeout = [most.as_secs(), u64::from(most.subsec_nanos())];
    let args = [word, wait, value.into(), timeout.as_ptr().addr() as u64, 0, 0];
    // SAFETY: the kernel reads one timespec and the word.
    let _ = unsafe { host_call(libc::SYS_futex.cast_unsigned(), args) };
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
