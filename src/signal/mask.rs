//! Sets of signals, and which of them the host may block.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::sys::signal::FAULT_SIGNALS;

/// Highest signal number (`_NSIG` in the kernel's `arch/x86/include/uapi/asm/signal.h`).
pub const MAX_SIGNAL: i32 = 64;

/// A set of signals, as the kernel's `sigset_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct SigSet(u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// All signals.
    pub const ALL: Self = Self(u64::MAX);
    /// What no process can block: SIGKILL and SIGSTOP.
    pub const UNBLOCKABLE: Self = Self::of(&[libc::SIGKILL, libc::SIGSTOP]);
    /// What the processor makes. On the host these are faults of the runner, so it never blocks them, and has handlers
    /// for them: what the guest wants of them is only remembered.
    pub const SYNCHRONOUS: Self = Self::of(&FAULT_SIGNALS);

    /// Signals that queue: those from `SIGRTMIN` of the kernel on.
    pub const REAL_TIME: Self = Self::ALL.minus(Self::ALL.below(32));
    /// What stops a process or has it go on, when it is sent.
    pub const JOB_CONTROL: Self =
        Self::of(&[libc::SIGCONT, libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU]);

    /// The set with bit `signal - 1` for each signal.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Bit `signal - 1` for each signal.
    pub const fn bits(self) -> u64 {
        self.0
    }

    const fn of(signals: &[i32]) -> Self {
        let mut bits = 0;
        let mut next = 0;
        while next < signals.len() {
            bits |= 1 << (signals[next] - 1);
            next += 1;
        }
        Self(bits)
    }

    /// The set of `signal` alone; empty if that is no signal.
    pub const fn only(signal: i32) -> Self {
        if is_valid(signal) { Self(1 << (signal - 1)) } else { Self::EMPTY }
    }

    /// Is nothing in it?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Is `signal` in it? Never, if that is no signal.
    pub const fn contains(self, signal: i32) -> bool {
        is_valid(signal) && self.0 >> (signal - 1) & 1 == 1
    }

    /// Those with lower numbers than `signal`.
    pub const fn below(self, signal: i32) -> Self {
        if is_valid(signal) { Self(self.0 & ((1 << (signal - 1)) - 1)) } else { self }
    }

    /// Those in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What the host blocks while the guest blocks these: not what the runner relies on.
    pub const fn host_mask(self) -> Self {
        self.minus(Self::UNBLOCKABLE).minus(Self::SYNCHRONOUS)
    }
}

/// Is this the number of a signal?
pub const fn is_valid(signal: i32) -> bool {
    1 <= signal && signal <= MAX_SIGNAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_the_set_are_in_no_set() {
        let all = SigSet::from_bits(u64::MAX);
        assert!(all.contains(1) && all.contains(64));
        assert!(!all.contains(0) && !all.contains(65) && !all.contains(-1) && !all.contains(i32::MIN));
    }

    #[test]
    fn the_host_never_blocks_what_the_runner_needs() {
        let host = SigSet::from_bits(u64::MAX).host_mask();
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
            assert!(!host.contains(signal));
        }
        assert!(host.contains(libc::SIGTERM) && host.contains(32) && host.contains(63));
        assert!(host.below(32).contains(libc::SIGTERM) && !host.below(32).contains(32));
    }
}
