//! Why a vCPU stopped running user code.

use crate::x86::{PageFaultCode, Vector};

/// A decoded VM exit. The user's registers are in [`super::Vcpu::regs`], complete, whatever ring the exit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// User code executed `syscall`; rip is behind it.
    Syscall,
    /// The page tables do not allow an access.
    PageFault {
        /// GVA of the access (cr2).
        addr: u64,
        /// What kind of access.
        code: PageFaultCode,
    },
    /// Any other exception of user code; rip is where the CPU reports it.
    Exception {
        /// Which.
        vector: Vector,
        /// Its error code, or 0.
        code: u64,
    },
    /// A kick arrived before the guest did anything else.
    Kicked,
    /// The host could not provide the page behind an address that the page tables allow.
    BusError,
    /// An exit that the runner has no answer to.
    Bad(BadExit),
}

/// What is known about an exit that should not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadExit {
    /// `exit_reason` of kvm_run.
    pub reason: u32,
    /// Port, sub-error or hardware reason, by `reason`.
    pub detail: u64,
    /// rip at the exit, of whichever ring.
    pub rip: u64,
}

impl std::fmt::Display for BadExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KVM exit {} (detail {:#x}) at {:#x}", self.reason, self.detail, self.rip)
    }
}
