//! Exception vectors and error codes (Intel SDM volume 3, chapter 6).

use bitflags::bitflags;

/// Number of vectors that the architecture reserves for exceptions.
pub const NR_VECTORS: usize = 32;

/// An exception vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(pub u8);

impl Vector {
    /// Divide error.
    pub const DE: Self = Self(0);
    /// Debug: single step, `int1`.
    pub const DB: Self = Self(1);
    /// Breakpoint: `int3`.
    pub const BP: Self = Self(3);
    /// Overflow.
    pub const OF: Self = Self(4);
    /// Invalid opcode.
    pub const UD: Self = Self(6);
    /// Double fault.
    pub const DF: Self = Self(8);
    /// Segment not present.
    pub const NP: Self = Self(11);
    /// Stack segment.
    pub const SS: Self = Self(12);
    /// General protection.
    pub const GP: Self = Self(13);
    /// Page fault.
    pub const PF: Self = Self(14);
    /// x87 floating point.
    pub const MF: Self = Self(16);
    /// Alignment check.
    pub const AC: Self = Self(17);
    /// SIMD floating point.
    pub const XM: Self = Self(19);

    /// Does the CPU push an error code (SDM volume 3, table 6-1)?
    pub const fn has_error_code(self) -> bool {
        matches!(self.0, 8 | 10..=14 | 17 | 21 | 29 | 30)
    }

    /// May user code raise it with `int n`? Linux allows the breakpoint and overflow gates
    /// (`arch/x86/kernel/idt.c`).
    pub const fn is_user_gate(self) -> bool {
        matches!(self.0, 3 | 4)
    }
}

bitflags! {
    /// Error code of a page fault (SDM volume 3, section 4.7).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PageFaultCode: u32 {
        /// The page was present: its protection was violated.
        const PRESENT = 1 << 0;
        /// The access was a write.
        const WRITE = 1 << 1;
        /// The access came from CPL 3.
        const USER = 1 << 2;
        /// A reserved bit was set in an entry.
        const RESERVED = 1 << 3;
        /// The access was an instruction fetch.
        const FETCH = 1 << 4;
    }
}
