//! sigaltstack(2): the alternate signal stack of a thread.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::abi::Errno;

const SS_ONSTACK: u32 = 1;
const SS_DISABLE: u32 = 2;
const SS_AUTODISARM: u32 = 1 << 31;
const MINSIGSTKSZ: u64 = 2048;

/// The kernel's `stack_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct StackT {
    /// Lowest address.
    pub sp: u64,
    /// `SS_*`.
    pub flags: u32,
    /// Not used.
    pub padding: u32,
    /// Bytes.
    pub size: u64,
}

/// Where the alternate stack lies; of size 0 when there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AltStack {
    sp: u64,
    size: u64,
    flags: u32,
}

impl AltStack {
    /// As the guest reads it while its stack pointer is `rsp`.
    pub fn describe(&self, rsp: u64) -> StackT {
        let state = match self.size {
            0 => SS_DISABLE,
            _ if self.holds(rsp) => SS_ONSTACK,
            _ => 0,
        };
        StackT { sp: self.sp, flags: state | self.flags & SS_AUTODISARM, padding: 0, size: self.size }
    }

    /// Changes it (`do_sigaltstack` in the kernel's `kernel/signal.c`).
    ///
    /// # Errors
    /// `EPERM` while `rsp` is on it, `EINVAL` for unknown flags, `ENOMEM` when it is too small.
    pub fn change(&mut self, new: StackT, rsp: u64) -> Result<(), Errno> {
        if self.holds(rsp) {
            return Err(Errno::EPERM);
        }
        *self = match new.flags & !SS_AUTODISARM {
            SS_DISABLE => Self { sp: 0, size: 0, flags: new.flags },
            0 | SS_ONSTACK if new.size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => Self { sp: new.sp, size: new.size, flags: new.flags },
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }

    /// As a frame keeps it for rt_sigreturn(2).
    pub fn saved(&self) -> StackT {
        StackT { sp: self.sp, flags: self.flags, padding: 0, size: self.size }
    }

    /// A handler begins: one that disarms itself is gone until the handler returns.
    pub fn enter_handler(&mut self) {
        if self.flags & SS_AUTODISARM != 0 {
            *self = Self { sp: 0, size: 0, flags: SS_DISABLE };
        }
    }

    /// Is there one, and is `rsp` not on it?
    pub fn can_be_entered(&self, rsp: u64) -> bool {
        self.size != 0 && !self.holds(rsp)
    }

    /// One past its highest address.
    pub fn top(&self) -> u64 {
        self.sp.wrapping_add(self.size)
    }

    /// Does `rsp` lie in it, disarming or not?
    pub fn contains(&self, rsp: u64) -> bool {
        rsp > self.sp && rsp - self.sp <= self.size
    }

    /// Does `rsp` run on it?
    pub fn holds(&self, rsp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && self.contains(rsp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_in_use_cannot_be_changed() {
        let mut stack = AltStack::default();
        let new = StackT { sp: 0x1000, size: 0x1000, ..StackT::default() };
        assert_eq!(stack.describe(0x5000).flags, SS_DISABLE);
        assert_eq!(stack.change(new, 0x5000), Ok(()));
        assert_eq!(stack.describe(0x5000), new);
        assert_eq!(stack.describe(0x2000).flags, SS_ONSTACK);
        assert_eq!(stack.describe(0x1000).flags, 0);
        assert_eq!(stack.change(new, 0x1800), Err(Errno::EPERM));
        assert_eq!(stack.change(StackT { flags: SS_DISABLE, ..new }, 0x5000), Ok(()));
        assert_eq!(stack.describe(0x1800).size, 0);
    }

    #[test]
    fn flags_are_looked_at_before_the_size() {
        let mut stack = AltStack::default();
        assert_eq!(stack.change(StackT { flags: 77, size: 1, ..StackT::default() }, 0), Err(Errno::EINVAL));
        assert_eq!(stack.change(StackT { size: 2047, ..StackT::default() }, 0), Err(Errno::ENOMEM));
    }
}
