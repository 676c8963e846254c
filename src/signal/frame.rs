//! Signal frames, byte for byte (the kernel's `arch/x86/kernel/signal_64.c` and `arch/x86/include/asm/sigframe.h`).
//!
//! From low to high addresses: [`Frame`], the extended state (a multiple of 64), the red zone of the interrupted code.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::alt_stack::{AltStack, StackT};
use super::exception::TrapRecord;
use super::held::SigInfo;
use super::mask::SigSet;
use crate::x86::descriptor::{USER_CS, USER_DS};
use crate::x86::{RFlags, UserRegs};

/// Extended state has a header (`UC_FP_XSTATE`).
const UC_FP_XSTATE: u64 = 1;
/// ss is in the frame.
const UC_SIGCONTEXT_SS: u64 = 2;
/// ss is to be restored as it stands there.
const UC_STRICT_RESTORE_SS: u64 = 4;
/// Bytes below rsp that belong to the interrupted code.
const RED_ZONE: u64 = 128;

/// The kernel's `struct rt_sigframe`, which begins with the address that the handler returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Frame {
    /// `sa_restorer`
    pub return_addr: u64,
    /// What the handler's third argument points to.
    pub context: Context,
    /// What its second argument points to.
    pub info: SigInfo,
}

/// The kernel's `struct ucontext`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Context {
    /// `UC_*`
    pub flags: u64,
    /// Not used.
    pub link: u64,
    /// The alternate stack.
    pub stack: StackT,
    /// The interrupted code.
    pub machine: MachineContext,
    /// What it blocked.
    pub mask: SigSet,
}

/// The kernel's `struct sigcontext_64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
#[expect(missing_docs, reason = "the CPU's own names")]
pub struct MachineContext {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cs: u16,
    pub gs: u16,
    pub fs: u16,
    pub ss: u16,
    /// Error code of the last fault.
    pub error: u64,
    /// Vector of the last fault.
    pub vector: u64,
    /// The mask again.
    pub old_mask: u64,
    /// Address of the last page fault.
    pub cr2: u64,
    /// Address of the extended state, or 0.
    pub extended_state: u64,
    pub reserved: [u64; 8],
}

const _: () = assert!(size_of::<Frame>() == 440 && size_of::<MachineContext>() == 256);

/// Bytes of a frame for a handler that did not ask for siginfo.
const LEN_WITHOUT_INFO: usize = std::mem::offset_of!(Frame, info);

/// Where a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Address of the [`Frame`], and rsp of the handler.
    pub frame: u64,
    /// Address of the extended state.
    pub extended_state: u64,
}

impl Place {
    /// The place for a frame with `extended_len` bytes of extended state while rsp is `rsp` (`get_sigframe`). `None` if
    /// the alternate stack is too small.
    pub fn find(rsp: u64, alt_stack: &AltStack, wants_alt_stack: bool, extended_len: usize) -> Option<Self> {
        let mut is_on_alt_stack = alt_stack.holds(rsp);
        let mut sp = rsp.wrapping_sub(RED_ZONE);
        if wants_alt_stack && alt_stack.can_be_entered(sp) {
            sp = alt_stack.top();
            is_on_alt_stack = true;
        }
        let extended_state = sp.wrapping_sub(extended_len as u64) & !63;
        let frame = (extended_state.wrapping_sub(size_of::<Frame>() as u64) & !15).wrapping_sub(8);
        (!is_on_alt_stack || alt_stack.contains(frame)).then_some(Self { frame, extended_state })
    }

    /// Address of the siginfo.
    pub fn info(&self) -> u64 {
        self.frame.wrapping_add(std::mem::offset_of!(Frame, info) as u64)
    }

    /// Address of the context.
    pub fn context(&self) -> u64 {
        self.frame.wrapping_add(std::mem::offset_of!(Frame, context) as u64)
    }
}

/// What a frame tells the handler of the interrupted thread.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted<'a> {
    /// Its registers.
    pub regs: &'a UserRegs,
    /// What it blocked.
    pub mask: SigSet,
    /// Its alternate stack.
    pub alt_stack: &'a AltStack,
    /// Its last fault.
    pub trap: TrapRecord,
    /// Has its extended state a header?
    pub has_xsave: bool,
}

impl Frame {
    /// The frame at `place`.
    pub fn new(interrupted: &Interrupted<'_>, info: SigInfo, restorer: u64, place: Place) -> Self {
        let Interrupted { regs, mask, alt_stack, trap, has_xsave } = *interrupted;
        let machine = MachineContext {
            cs: USER_CS,
            ss: USER_DS,
            error: trap.error,
            vector: trap.vector,
            old_mask: mask.bits(),
            cr2: trap.cr2,
            extended_state: place.extended_state,
            ..MachineContext::of_regs(regs)
        };
        let flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | if has_xsave { UC_FP_XSTATE } else { 0 };
        let context = Context { flags, link: 0, stack: alt_stack.saved(), machine, mask };
        Self { return_addr: restorer, context, info }
    }

    /// The bytes to be written; without siginfo, its room on the stack is left as it is.
    pub fn bytes(&self, with_info: bool) -> &[u8] {
        let bytes = self.as_bytes();
        if with_info { bytes } else { &bytes[..LEN_WITHOUT_INFO] }
    }
}

/// Registers of user code at the start of a handler; `regs` are those of the interrupted code.
pub fn handler_regs(regs: &UserRegs, signal: i32, handler: u64, place: Place) -> UserRegs {
    const CLEARED: RFlags = RFlags::DF.union(RFlags::RF).union(RFlags::TF);
    UserRegs {
        rax: 0,
        rdi: u64::from(signal.unsigned_abs()),
        rsi: place.info(),
        rdx: place.context(),
        rip: handler,
        rsp: place.frame,
        rflags: regs.rflags & !CLEARED.bits(),
        ..*regs
    }
}

macro_rules! copy_registers {
    ($from:expr, $to:expr) => {
        copy_registers!($from, $to, r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip)
    };
    ($from:expr, $to:expr, $($register:ident)*) => { $($to.$register = $from.$register;)* };
}

impl MachineContext {
    fn of_regs(regs: &UserRegs) -> Self {
        let mut context = Self { rflags: regs.rflags, ..Self::default() };
        copy_registers!(regs, context);
        context
    }

    /// The registers that rt_sigreturn(2) loads: those of `current` that user code may not choose stay
    /// (`FIX_EFLAGS` in the kernel's `arch/x86/kernel/signal.c`).
    pub fn restored(&self, current: &UserRegs) -> UserRegs {
        const RESTORED: u64 = RFlags::USER.difference(RFlags::NT).difference(RFlags::ID).bits();
        let mut regs = UserRegs { rflags: current.rflags & !RESTORED | self.rflags & RESTORED, ..*current };
        copy_registers!(self, regs);
        regs
    }

    /// Do cs and ss name the segments that user code has? With others, the way back to user code would fault, or lead
    /// to 32-bit code, which there is none of.
    pub fn has_user_segments(&self, flags: u64) -> bool {
        // Without the flag the kernel looks at cs only, and puts ss right.
        let is_strict = flags & UC_STRICT_RESTORE_SS != 0;
        self.cs | 3 == USER_CS && (!is_strict || self.ss | 3 == USER_DS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regs() -> UserRegs {
        UserRegs { rip: 0x401000, rsp: 0x7fff_0000_1234, rax: 5, r15: 15, rflags: 0x10f46, ..UserRegs::default() }
    }

    fn place(alt_stack: &AltStack, wants: bool) -> Option<Place> {
        Place::find(0x7fff_0000_1234, alt_stack, wants, 836)
    }

    #[test]
    fn frames_are_aligned_below_the_red_zone() {
        let place = place(&AltStack::default(), true).unwrap();
        assert_eq!(place.extended_state, (0x7fff_0000_1234u64 - 128 - 836) & !63);
        assert_eq!(place.frame % 16, 8);
        assert!(place.frame + 440 <= place.extended_state);
        assert_eq!(place.info() - place.frame, 312);
        assert_eq!(place.context() - place.frame, 8);
    }

    #[test]
    fn the_alternate_stack_is_used_from_its_top_and_must_hold_the_frame() {
        let mut stack = AltStack::default();
        let wide = StackT { sp: 0x10000, size: 0x4000, ..StackT::default() };
        assert_eq!(stack.change(wide, 0), Ok(()));
        let on = place(&stack, true).unwrap();
        assert_eq!(on.extended_state, (0x14000u64 - 836) & !63);
        assert!(place(&stack, false).unwrap().frame > 0x7000_0000_0000);
        // Already on it: further down.
        let nested = Place::find(on.frame, &stack, true, 836).unwrap();
        assert!(nested.frame < on.frame && nested.frame > 0x10000);
        assert_eq!(Place::find(0x10100, &stack, true, 836), None);
        assert_eq!(Place::find(0x10100, &stack, false, 836), None);
        let small = StackT { sp: 0x10000, size: 2048, ..StackT::default() };
        assert_eq!(stack.change(small, 0), Ok(()));
        assert_eq!(Place::find(0x7fff_0000_1234, &stack, true, 2692), None);
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let stack = AltStack::default();
        let place = place(&stack, false).unwrap();
        let interrupted = Interrupted {
            regs: &regs(),
            mask: SigSet::only(libc::SIGUSR1),
            alt_stack: &stack,
            trap: TrapRecord { vector: 14, error: 6, cr2: 0x1000 },
            has_xsave: true,
        };
        let info = SigInfo::sent(libc::SIGTERM, libc::SI_USER, 77, 1000);
        let frame = Frame::new(&interrupted, info, 0xabc, place);
        let word = |at: usize| u64::from_le_bytes(frame.bytes(true)[at..at + 8].try_into().unwrap());
        assert_eq!(word(0), 0xabc, "return address");
        assert_eq!(word(8), 7, "uc_flags");
        assert_eq!(word(48 + 7 * 8), 15, "r15");
        assert_eq!(word(48 + 13 * 8), 5, "rax");
        assert_eq!(word(48 + 15 * 8), 0x7fff_0000_1234, "rsp");
        assert_eq!(word(48 + 16 * 8), 0x401000, "rip");
        assert_eq!(word(48 + 18 * 8), 0x002b_0000_0000_0033, "cs, gs, fs, ss");
        assert_eq!([word(200), word(208), word(224)], [6, 14, 0x1000], "error, vector, cr2");
        assert_eq!(word(232), place.extended_state);
        assert_eq!(word(304), 1 << 9, "mask");
        assert_eq!(word(312), 15, "si_signo");
        assert_eq!(word(328), 1000 << 32 | 77, "si_pid, si_uid");
        assert_eq!(frame.bytes(false).len(), 312);
    }

    #[test]
    fn a_handler_begins_as_a_function_is_called() {
        let place = Place { frame: 0x1008, extended_state: 0x2000 };
        let start = handler_regs(&regs(), 11, 0x5000, place);
        assert_eq!((start.rdi, start.rsi, start.rdx, start.rax), (11, 0x1008 + 312, 0x1010, 0));
        assert_eq!((start.rip, start.rsp, start.r15), (0x5000, 0x1008, 15));
        assert_eq!(start.rflags, 0x10f46 & !(0x10000 | 0x400 | 0x100));
    }

    #[test]
    fn only_flags_of_user_code_are_restored() {
        let current = UserRegs { rflags: 0x202, ..UserRegs::default() };
        let context = MachineContext { rflags: u64::MAX, rip: 9, ..MachineContext::default() };
        let restored = context.restored(&current);
        assert_eq!(restored.rflags, 0x202 | 0x50dd5);
        assert_eq!(restored.rip, 9);
        assert!(MachineContext { cs: 0x33, ss: 0x2b, ..context }.has_user_segments(7));
        assert!(!MachineContext { cs: 0x33, ss: 0, ..context }.has_user_segments(7));
        assert!(MachineContext { cs: 0x30, ss: 0, ..context }.has_user_segments(3));
        assert!(!MachineContext { cs: 0x10, ss: 0x2b, ..context }.has_user_segments(7));
    }
}
