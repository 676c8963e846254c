//! Copies between the runner's memory and host mappings that may fault at any byte.
//!
//! Guest memory can lose its pages under the runner's hands: a file is truncated, another thread unmaps. So the copy
//! is one instruction, and a handler for SIGSEGV and SIGBUS that finds the fault there lets it return early.

#![expect(unsafe_code, reason = "copies through addresses that may fault, and recovers in a signal handler")]

use std::arch::global_asm;
use std::io;

use super::capture::RawSigInfo;
use super::signal::FAULT_SIGNALS;
use crate::abi::Errno;

global_asm!(
    ".pushsection .text.kvm_se_copy, \"ax\", @progbits",
    ".globl kvm_se_copy",
    ".type kvm_se_copy, @function",
    // rdi: to, rsi: from, rdx: length; returns the bytes that were not copied.
    "kvm_se_copy:",
    "    mov %rdx, %rcx",
    ".globl kvm_se_copy_may_fault",
    "kvm_se_copy_may_fault:",
    "    rep movsb",
    ".globl kvm_se_copy_recover",
    "kvm_se_copy_recover:",
    "    mov %rcx, %rax",
    "    ret",
    ".size kvm_se_copy, . - kvm_se_copy",
    ".globl kvm_se_exchange",
    ".type kvm_se_exchange, @function",
    // rdi: word, esi: what it should hold, edx: what it then gets; returns what it held, or all ones after a fault.
    "kvm_se_exchange:",
    "    mov %esi, %eax",
    ".globl kvm_se_exchange_may_fault",
    "kvm_se_exchange_may_fault:",
    "    lock cmpxchg %edx, (%rdi)",
    "    ret",
    ".globl kvm_se_exchange_recover",
    "kvm_se_exchange_recover:",
    "    mov $-1, %rax",
    "    ret",
    ".size kvm_se_exchange, . - kvm_se_exchange",
    ".popsection",
    options(att_syntax)
);

unsafe extern "C" {
    fn kvm_se_copy(to: u64, from: u64, len: usize) -> usize;
    static kvm_se_copy_may_fault: u8;
    static kvm_se_copy_recover: u8;
    fn kvm_se_exchange(word: u64, old: u32, new: u32) -> u64;
    static kvm_se_exchange_may_fault: u8;
    static kvm_se_exchange_recover: u8;
}

/// A host virtual address (HVA) of memory that is not Rust's: in the arena, or deliberately bad.
pub type Hva = u64;

/// Copies from `from` on into `to`; returns how many bytes could be read.
pub fn copy_from(from: Hva, to: &mut [u8]) -> usize {
    // SAFETY: `to` is writable for its length; reading `from` may fault, which the handler turns into a short count.
    // `from` is no Rust object, so no reference is violated.
    let left = unsafe { kvm_se_copy(to.as_mut_ptr().addr() as u64, from, to.len()) };
    to.len() - left
}

/// Copies `from` to `to` and on; returns how many bytes could be written.
///
/// # Safety
/// `to` and the bytes behind it must be arena or otherwise not memory that Rust owns.
pub unsafe fn copy_to(to: Hva, from: &[u8]) -> usize {
    // SAFETY: `from` is readable for its length; writing may fault, which the handler turns into a short count. The
    // caller vouches that nothing of Rust's is written.
    let left = unsafe { kvm_se_copy(to, from.as_ptr().addr() as u64, from.len()) };
    from.len() - left
}

/// Writes `new` to the word at `at` if it holds `old`, as one step; returns what it held, or nothing if it cannot be
/// accessed.
///
/// # Safety
/// As for [`copy_to`]. `at` must be a multiple of 4.
pub unsafe fn compare_exchange(at: Hva, old: u32, new: u32) -> Option<u32> {
    // SAFETY: a fault is turned into a value that no word has. The caller vouches that nothing of Rust's is written.
    u32::try_from(unsafe { kvm_se_exchange(at, old, new) }).ok()
}

/// Installs the recovery for faults, once a process.
pub fn install_recovery() -> io::Result<()> {
    for signal in FAULT_SIGNALS {
        set_fault_flags(signal, u64::from(libc::SA_RESTART.unsigned_abs()))
            .map_err(|errno| io::Error::from_raw_os_error(errno.as_positive()))?;
    }
    Ok(())
}

/// Whether host calls that a sent signal of [`FAULT_SIGNALS`] interrupts start again: `SA_RESTART` in `flags`.
///
/// # Errors
/// `ERESTARTNOINTR` if there is a signal to deliver first.
pub fn set_fault_flags(signal: i32, flags: u64) -> Result<(), Errno> {
    super::signal::set_action(signal, on_fault, flags)
}

extern "C" fn on_fault(signal: i32, siginfo: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid siginfo of 128 bytes to SA_SIGINFO handlers.
    let siginfo = unsafe { &*siginfo.cast::<RawSigInfo>() };
    // Codes of processes are not positive.
    #[expect(clippy::cast_possible_truncation, reason = "the code is the low half of the word")]
    let code = siginfo[1] as i32;
    if code <= 0 {
        return super::capture::on_sent(signal, siginfo, context);
    }
    // SAFETY: the kernel passes a valid context to SA_SIGINFO handlers, and nobody else uses it meanwhile.
    let rip = unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    let recoveries = [
        (&raw const kvm_se_copy_may_fault, &raw const kvm_se_copy_recover),
        (&raw const kvm_se_exchange_may_fault, &raw const kvm_se_exchange_recover),
    ];
    match recoveries.iter().find(|(fault, _)| fault.addr() as u64 == rip.cast_unsigned()) {
        Some((_, recover)) => *rip = recover.addr().cast_signed() as i64,
        // A fault of the runner's own: die by it when the instruction is executed again.
        None => super::signal::restore_default(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_ends_the_copy_early() {
        install_recovery().unwrap();
        let page = super::super::map::reserve(8192).unwrap();
        super::super::map::protect(page, 4096, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        let mut buffer = [1; 32];
        assert_eq!(copy_from(page + 4096 - 8, &mut buffer), 8);
        assert_eq!(buffer[..8], [0; 8]);
        // SAFETY: the page was just mapped for this test.
        assert_eq!(unsafe { copy_to(page + 4096 - 5, &[7; 32]) }, 5);
        // SAFETY: as above.
        let exchange = |at, old, new| unsafe { compare_exchange(at, old, new) };
        assert_eq!(exchange(page, 0, u32::MAX), Some(0));
        assert_eq!(exchange(page, 0, 1), Some(u32::MAX));
        assert_eq!(exchange(page, u32::MAX, 5), Some(u32::MAX));
        assert_eq!(exchange(page, 5, 5), Some(5));
        assert_eq!(exchange(page + 4096, 0, 1), None);
        assert_eq!(copy_from(page + 4096, &mut buffer), 0);
        assert_eq!(copy_from(u64::MAX - 4096, &mut buffer), 0);
        assert_eq!(copy_from(1 << 62, &mut buffer), 0, "non-canonical");
    }
}
