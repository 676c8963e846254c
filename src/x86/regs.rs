//! The registers of user code.

use bitflags::bitflags;
use iced_x86::Register;

bitflags! {
    /// RFLAGS (Intel SDM volume 1, section 3.4.3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RFlags: u64 {
        /// Carry.
        const CF = 1 << 0;
        /// Always one.
        const FIXED = 1 << 1;
        /// Parity.
        const PF = 1 << 2;
        /// Auxiliary carry.
        const AF = 1 << 4;
        /// Zero.
        const ZF = 1 << 6;
        /// Sign.
        const SF = 1 << 7;
        /// Trap after each instruction.
        const TF = 1 << 8;
        /// Interrupts enabled.
        const IF = 1 << 9;
        /// String direction.
        const DF = 1 << 10;
        /// Overflow.
        const OF = 1 << 11;
        /// Both bits of the I/O privilege level.
        const IOPL = 3 << 12;
        /// Nested task.
        const NT = 1 << 14;
        /// Resume after a debug exception.
        const RF = 1 << 16;
        /// Alignment check.
        const AC = 1 << 18;
        /// CPUID can be used.
        const ID = 1 << 21;
    }
}

impl RFlags {
    /// What user code may have as it likes.
    pub const USER: Self = Self::CF
        .union(Self::PF)
        .union(Self::AF)
        .union(Self::ZF)
        .union(Self::SF)
        .union(Self::TF)
        .union(Self::DF)
        .union(Self::OF)
        .union(Self::NT)
        .union(Self::RF)
        .union(Self::AC)
        .union(Self::ID);

    /// What the CPU clears on `syscall`, as Linux programs SFMASK (`syscall_init` in `arch/x86/kernel/cpu/common.c`).
    pub const SYSCALL_MASK: Self = Self::USER.union(Self::IF).union(Self::IOPL);

    /// `raw` with everything forced that user code may not choose: interrupts on, I/O privilege 0.
    pub const fn sanitised(raw: u64) -> u64 {
        raw & Self::USER.bits() | Self::FIXED.bits() | Self::IF.bits()
    }
}

/// The general registers, instruction pointer and flags of user code, in the order of `kvm_regs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the CPU's own names")]
pub struct UserRegs {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rip: u64,
    pub rflags: u64,
}

impl UserRegs {
    /// The 64 bits of the general-purpose register that `register` is, or is a part of.
    pub fn general_mut(&mut self, register: Register) -> Option<&mut u64> {
        Some(match register.full_register() {
            Register::RAX => &mut self.rax,
            Register::RBX => &mut self.rbx,
            Register::RCX => &mut self.rcx,
            Register::RDX => &mut self.rdx,
            Register::RSI => &mut self.rsi,
            Register::RDI => &mut self.rdi,
            Register::RSP => &mut self.rsp,
            Register::RBP => &mut self.rbp,
            Register::R8 => &mut self.r8,
            Register::R9 => &mut self.r9,
            Register::R10 => &mut self.r10,
            Register::R11 => &mut self.r11,
            Register::R12 => &mut self.r12,
            Register::R13 => &mut self.r13,
            Register::R14 => &mut self.r14,
            Register::R15 => &mut self.r15,
            _ => return None,
        })
    }

    /// The same, to be read.
    pub fn general(mut self, register: Register) -> Option<u64> {
        self.general_mut(register).map(|value| *value)
    }

    /// What a program finds at its first instruction (`ELF_PLAT_INIT` in the kernel's `arch/x86/include/asm/elf.h`).
    pub fn at_start(rip: u64, rsp: u64) -> Self {
        Self { rip, rsp, rflags: RFlags::sanitised(0), ..Self::default() }
    }

    /// Number of the system call that `syscall` was executed with: Linux does not look at the upper half of rax.
    pub fn syscall_nr(&self) -> u64 {
        self.rax & 0xffff_ffff
    }

    /// Makes user code behind a `syscall` execute it once more.
    pub fn step_back_to_syscall(&mut self) {
        const SYSCALL_LEN: u64 = 2;
        self.rip = self.rip.wrapping_sub(SYSCALL_LEN);
    }

    /// The six arguments of a system call.
    pub fn syscall_args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_code_cannot_choose_iopl_or_interrupts() {
        assert_eq!(RFlags::sanitised(0), 0x202);
        assert_eq!(RFlags::sanitised(u64::MAX) & RFlags::IOPL.bits(), 0);
        assert_eq!(RFlags::sanitised(u64::MAX) & RFlags::TF.bits(), RFlags::TF.bits());
    }
}
