//! Exceptions as signals (the kernel's `arch/x86/kernel/traps.c`).

use crate::x86::Vector;

/// The signal that user code gets for `vector`.
pub fn signal_of(vector: Vector) -> i32 {
    match vector {
        Vector::DE | Vector::MF | Vector::XM => libc::SIGFPE,
        Vector::DB | Vector::BP => libc::SIGTRAP,
        Vector::UD => libc::SIGILL,
        Vector::NP | Vector::SS | Vector::AC => libc::SIGBUS,
        _ => libc::SIGSEGV,
    }
}
