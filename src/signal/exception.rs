//! Exceptions as signals (the kernel's `arch/x86/kernel/traps.c`).

use crate::x86::Vector;

/// A signal that user code brought about, as siginfo tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub signal: i32,
    /// `si_code`
    pub code: i32,
    /// `si_addr`: where, or 0.
    pub addr: u64,
}

/// Codes of siginfo (the kernel's `include/uapi/asm-generic/siginfo.h`).
pub mod code {
    #![expect(missing_docs, reason = "sigaction(2) says what each means")]

    pub const SI_KERNEL: i32 = 0x80;
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_FLTUNK: i32 = 14;
    pub const ILL_ILLOPN: i32 = 2;
    pub const TRAP_BRKPT: i32 = 1;
}

impl Fault {
    /// No mapping at `addr`.
    pub const fn maperr(addr: u64) -> Self {
        Self { signal: libc::SIGSEGV, code: code::SEGV_MAPERR, addr }
    }

    /// A mapping at `addr` that does not allow the access.
    pub const fn accerr(addr: u64) -> Self {
        Self { signal: libc::SIGSEGV, code: code::SEGV_ACCERR, addr }
    }

    /// A mapping without a page at `addr`.
    pub const fn bus(addr: u64) -> Self {
        Self { signal: libc::SIGBUS, code: code::BUS_ADRERR, addr }
    }

    /// What user code gets for `vector` at `rip`.
    pub fn of_exception(vector: Vector, rip: u64) -> Self {
        let (code, addr) = match vector {
            Vector::DE => (code::FPE_INTDIV, rip),
            // Which of the conditions it was stands in the floating-point state.
            Vector::MF | Vector::XM => (code::FPE_FLTUNK, rip),
            Vector::UD => (code::ILL_ILLOPN, rip),
            Vector::DB => (code::TRAP_BRKPT, rip),
            Vector::AC => (code::BUS_ADRALN, 0),
            _ => (code::SI_KERNEL, 0),
        };
        Self { signal: signal_of(vector), code, addr }
    }
}

/// The signal that user code gets for `vector`.
fn signal_of(vector: Vector) -> i32 {
    match vector {
        Vector::DE | Vector::MF | Vector::XM => libc::SIGFPE,
        Vector::DB | Vector::BP => libc::SIGTRAP,
        Vector::UD => libc::SIGILL,
        Vector::NP | Vector::SS | Vector::AC => libc::SIGBUS,
        _ => libc::SIGSEGV,
    }
}
