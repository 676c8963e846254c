//! Exceptions as signals (the kernel's `arch/x86/kernel/traps.c`).

use crate::x86::{PageFaultCode, Vector};

/// A signal that user code brought about, as siginfo and the frame tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    pub signal: i32,
    /// `si_code`
    pub code: i32,
    /// `si_addr`: where, or 0.
    pub addr: u64,
    /// Number of the exception.
    pub vector: u64,
    /// Its error code.
    pub error: u64,
}

/// The last fault of a thread, which its frames show ever after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrapRecord {
    /// Number of the exception.
    pub vector: u64,
    /// Its error code.
    pub error: u64,
    /// Address of the last page fault.
    pub cr2: u64,
}

impl TrapRecord {
    /// Notes `fault`.
    pub fn note(&mut self, fault: &Fault) {
        (self.vector, self.error) = (fault.vector, fault.error);
        if fault.vector == u64::from(Vector::PF.0) {
            self.cr2 = fault.addr;
        }
    }
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
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const ILL_ILLOPN: i32 = 2;
    pub const TRAP_BRKPT: i32 = 1;
    pub const TRAP_TRACE: i32 = 2;
}

impl Fault {
    /// No mapping at `addr`.
    pub const fn maperr(addr: u64, error: PageFaultCode) -> Self {
        Self::of_page(libc::SIGSEGV, code::SEGV_MAPERR, addr, error)
    }

    /// A mapping at `addr` that does not allow the access.
    pub const fn accerr(addr: u64, error: PageFaultCode) -> Self {
        Self::of_page(libc::SIGSEGV, code::SEGV_ACCERR, addr, error)
    }

    /// A mapping without a page at `addr`.
    pub const fn bus(addr: u64, error: PageFaultCode) -> Self {
        Self::of_page(libc::SIGBUS, code::BUS_ADRERR, addr, error)
    }

    const fn of_page(signal: i32, code: i32, addr: u64, error: PageFaultCode) -> Self {
        Self { signal, code, addr, vector: Vector::PF.0 as u64, error: error.bits() as u64 }
    }

    /// What user code gets for `vector` at `rip`.
    pub fn of_exception(vector: Vector, error: u64, rip: u64) -> Self {
        let (code, addr) = match vector {
            Vector::DE => (code::FPE_INTDIV, rip),
            // Which of the conditions it was stands in the floating-point state.
            Vector::MF | Vector::XM => (code::FPE_FLTINV, rip),
            Vector::UD => (code::ILL_ILLOPN, rip),
            Vector::DB => (code::TRAP_BRKPT, rip),
            Vector::AC => (code::BUS_ADRALN, 0),
            _ => (code::SI_KERNEL, 0),
        };
        Self { signal: signal_of(vector), code, addr, vector: vector.0.into(), error }
    }

    /// Is it reported behind the instruction, so that it does not come again when that goes on?
    pub fn is_trap(&self) -> bool {
        [Vector::DB, Vector::BP, Vector::OF].iter().any(|vector| self.vector == u64::from(vector.0))
    }
}

/// `si_code` of SIGFPE for floating-point exceptions, the low bits of MXCSR or the x87 status word
/// (`fpu__exception_code` in the kernel's `arch/x86/kernel/fpu/core.c`). `None` if there is none.
pub fn floating_point_code(exceptions: u32) -> Option<i32> {
    let codes = [
        (0x01, code::FPE_FLTINV),
        (0x04, code::FPE_FLTDIV),
        (0x08, code::FPE_FLTOVF),
        // A denormal operand, too.
        (0x12, code::FPE_FLTUND),
        (0x20, code::FPE_FLTRES),
    ];
    codes.iter().find(|(bits, _)| exceptions & bits != 0).map(|&(_, code)| code)
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
