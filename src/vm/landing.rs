//! Where `syscall` arrives, and the calls that are answered right there.
//!
//! A vCPU that answers calls has a *pad*: two pages at addresses of its own, which LSTAR names. In the first is the code
//! of `guest-stubs/landing.S`, the same for all, in the second are this vCPU's words. What the code does not answer leaves
//! the guest: from ring 0 as without a pad, from ring 3 by a store to the doorbell, a page without memory.
//!
//! On a ring-3 landing the words lie open to user code. It can only deceive itself: they hold what it is told, and
//! where it goes on.

#![expect(unsafe_code, reason = "reads the assembled code through linker symbols")]

use std::arch::global_asm;
use std::ops::Range;
use std::sync::atomic::Ordering;

use super::layout::{DOORBELL, KERNEL_PADS, TRAMPOLINES, USER_PADS};
use super::stubs::{PORT_SYSCALL, bytes_between};
use super::system::SystemMemory;
use super::trampoline::Trampolines;
use crate::abi::PAGE_SIZE;
use crate::x86::descriptor::USER_CS;
use crate::x86::{RFlags, UserRegs};

/// Where `syscall` arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// At LSTAR in ring 0, as the manuals say.
    Ring0,
    /// At LSTAR, but still at CPL 3: seen on a software KVM.
    Ring3,
}

/// Offsets in the page of words.
mod word {
    /// Where user code goes on.
    pub(super) const RETURN: u64 = 0;
    pub(super) const PID: u64 = 8;
    pub(super) const TID: u64 = 16;
    pub(super) const UID: u64 = 24;
    pub(super) const EUID: u64 = 32;
    pub(super) const GID: u64 = 40;
    pub(super) const EGID: u64 = 48;
    /// Not 0 when the four words before it may be out of date.
    pub(super) const IDS_MAY_DIFFER: u64 = 56;
    /// For how many turns a call that is not answered here waits for another thread to answer it; 0 when none would.
    pub(super) const PATIENCE: u64 = 64;
    /// How far such a call is: a constant of `state`.
    pub(super) const STATE: u64 = 72;
    /// Its result.
    pub(super) const RESULT: u64 = 80;
    /// Its number, and six arguments behind it.
    pub(super) const NUMBER: u64 = 88;
    pub(super) const ARGS: u64 = 96;
    /// Functions of the vDSO (GVA), or 0.
    pub(super) const CLOCK_GETTIME: u64 = 144;
    pub(super) const GETTIMEOFDAY: u64 = 152;
    pub(super) const TIME_OF_DAY: u64 = 160;
    /// Not 0 while one of them is asked, or the mask is changed.
    pub(super) const IS_BUSY: u64 = 168;
    /// What they write: two words.
    pub(super) const TIME: u64 = 176;
    /// Of whoever asks: rdi, rsi, rdx, r10, r8, r9, rsp, where it goes on, the number of its call, rbx, rbp, r12 to r15;
    /// and `MASK` as it was before.
    pub(super) const KEPT: u64 = 192;
    /// Not 0 when rt_sigprocmask is answered here.
    pub(super) const ANSWERS_MASKS: u64 = 320;
    /// What is blocked, as a sigset_t.
    pub(super) const MASK: u64 = 328;
    /// What stays blocked, as long as the call is answered here.
    pub(super) const BLOCKED: u64 = 336;
    /// What else may be blocked here.
    pub(super) const HANDLED: u64 = 344;
}

/// What [`word::STATE`] says.
mod state {
    pub(super) const ANSWERED: u64 = 0;
    pub(super) const POSTED: u64 = 1;
    pub(super) const REFUSED: u64 = 2;
}

global_asm!(
    include_str!("../../guest-stubs/landing.S"),
    PORT_SYSCALL = const PORT_SYSCALL,
    TF_OR_RF = const RFlags::TF.union(RFlags::RF).bits(),
    DOORBELL = const DOORBELL,
    USER_CS = const USER_CS,
    WORD_RETURN = const word::RETURN,
    WORD_PID = const word::PID,
    WORD_TID = const word::TID,
    WORD_UID = const word::UID,
    WORD_EUID = const word::EUID,
    WORD_GID = const word::GID,
    WORD_EGID = const word::EGID,
    WORD_IDS_MAY_DIFFER = const word::IDS_MAY_DIFFER,
    WORD_PATIENCE = const word::PATIENCE,
    WORD_STATE = const word::STATE,
    WORD_RESULT = const word::RESULT,
    WORD_NUMBER = const word::NUMBER,
    WORD_ARGS = const word::ARGS,
    WORD_CLOCK_GETTIME = const word::CLOCK_GETTIME,
    WORD_GETTIMEOFDAY = const word::GETTIMEOFDAY,
    WORD_TIME_OF_DAY = const word::TIME_OF_DAY,
    WORD_IS_BUSY = const word::IS_BUSY,
    WORD_TIME = const word::TIME,
    WORD_KEPT = const word::KEPT,
    WORD_ANSWERS_MASKS = const word::ANSWERS_MASKS,
    WORD_MASK = const word::MASK,
    WORD_BLOCKED = const word::BLOCKED,
    WORD_HANDLED = const word::HANDLED,
    POSTED = const state::POSTED,
    REFUSED = const state::REFUSED,
    NR_CLOCK_GETTIME = const libc::SYS_clock_gettime,
    NR_GETTIMEOFDAY = const libc::SYS_gettimeofday,
    NR_TIME = const libc::SYS_time,
    NR_RT_SIGPROCMASK = const libc::SYS_rt_sigprocmask,
    SIG_UNBLOCK = const libc::SIG_UNBLOCK,
    SIG_SETMASK = const libc::SIG_SETMASK,
    SIGKILL = const libc::SIGKILL,
    SIGSTOP = const libc::SIGSTOP,
    CLOCK_PROCESS_CPUTIME_ID = const libc::CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID = const libc::CLOCK_THREAD_CPUTIME_ID,
    NR_GETPID = const libc::SYS_getpid,
    NR_GETTID = const libc::SYS_gettid,
    NR_GETUID = const libc::SYS_getuid,
    NR_GETEUID = const libc::SYS_geteuid,
    NR_GETGID = const libc::SYS_getgid,
    NR_GETEGID = const libc::SYS_getegid,
    options(att_syntax)
);

/// Calls that pads answer, the last four of them where they land in ring 3.
pub const ANSWERED_INSIDE: [i64; 10] = [
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_rt_sigprocmask,
];

unsafe extern "C" {
    static kvm_se_landing_start: u8;
    static kvm_se_landing_end: u8;
    static kvm_se_landing_ring0: u8;
    static kvm_se_landing_ring3: u8;
    static kvm_se_landing_ring3_posted: u8;
    static kvm_se_landing_ring3_posted_end: u8;
    static kvm_se_landing_patched: u8;
    static kvm_se_landing_patched_posted: u8;
    static kvm_se_landing_patched_posted_end: u8;
}

/// Ids of a guest thread and its process, as the calls return them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// `getpid`
    pub pid: u32,
    /// `gettid`
    pub tid: u32,
    /// `getuid`
    pub uid: u32,
    /// `geteuid`
    pub euid: u32,
    /// `getgid`
    pub gid: u32,
    /// `getegid`
    pub egid: u32,
}

/// Functions of the vDSO that answer calls (GVA), or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// `__vdso_clock_gettime`
    pub clock_gettime: u64,
    /// `__vdso_gettimeofday`
    pub gettimeofday: u64,
    /// `__vdso_time`
    pub time: u64,
}

/// What a pad answers rt_sigprocmask(2) from: sets of signals, bit `signal - 1` for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masks {
    /// What is blocked.
    pub blocked: u64,
    /// What else the program may block there.
    pub handled: u64,
}

/// The pad of one vCPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pad {
    /// GVA of the code; the words are in the page after it.
    base: u64,
    /// GPA of the words.
    words: u64,
    landing: Landing,
    /// GPA of the trampolines, from which calls arrive by a jump.
    trampolines: Option<u64>,
}

/// What user code finds when a vCPU stopped on its pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnPad {
    /// Its call has yet to be answered: as if it had just arrived.
    Call,
    /// Its call has been answered.
    Answered,
}

/// A call that another thread is asked to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its number.
    pub nr: u64,
    /// Its arguments.
    pub args: [u64; 6],
    /// Where user code goes on.
    pub rip: u64,
}

const PAD_LEN: u64 = 2 * PAGE_SIZE;
const MAX_PADS: u64 = (TRAMPOLINES - USER_PADS) / PAD_LEN;

impl Pad {
    /// The pad number `index`, with its words at `words` (GPA); `None` when there is no room for so many.
    pub(super) fn new(index: u64, words: u64, landing: Landing, trampolines: Option<u64>) -> Option<Self> {
        let first = match landing {
            Landing::Ring0 => KERNEL_PADS,
            Landing::Ring3 => USER_PADS,
        };
        (index < MAX_PADS).then_some(Self { base: first + index * PAD_LEN, words, landing, trampolines })
    }

    /// GVA of the page of code.
    pub(super) fn code(&self) -> u64 {
        self.base
    }

    /// GVA of the page of words.
    pub(super) fn words(&self) -> u64 {
        self.base + PAGE_SIZE
    }

    /// GPA of the page of words.
    pub(super) fn words_page(&self) -> u64 {
        self.words
    }

    /// LSTAR.
    pub(super) fn entry(&self) -> u64 {
        self.base
            + offset_of(match self.landing {
                Landing::Ring0 => &raw const kvm_se_landing_ring0,
                Landing::Ring3 => &raw const kvm_se_landing_ring3,
            })
    }

    /// Where a call arrives by a jump, with the way back in rcx.
    pub(super) fn jump_target(&self) -> Option<u64> {
        self.trampolines.map(|_| self.base + offset_of(&raw const kvm_se_landing_patched))
    }

    /// Flags that `syscall` is to clear: none where nothing could bring them back.
    pub(super) fn flag_mask(&self) -> u64 {
        match self.landing {
            Landing::Ring0 => RFlags::SYSCALL_MASK.bits(),
            Landing::Ring3 => 0,
        }
    }

    /// If `regs` are on this pad, or on a trampoline to it, makes them those behind the `syscall`, but for the answer.
    pub(super) fn leave(&self, regs: &mut UserRegs, system: &SystemMemory) -> Option<OnPad> {
        if let Some(site) = self.trampolines.and_then(|page| Trampolines::call_at(page, regs.rip, system)) {
            (regs.rax, regs.rcx, regs.r11, regs.rip) = (site.nr.into(), site.end, regs.rflags, site.end);
            return Some(OnPad::Call);
        }
        if let Some(on_pad) = self.leave_stack(regs, system) {
            return Some(on_pad);
        }
        let offset = regs.rip.wrapping_sub(self.base);
        let rest = code().get(usize::try_from(offset).ok()?..).filter(|rest| !rest.is_empty())?;
        if offset >= offset_of(&raw const kvm_se_landing_patched) {
            // A jump leaves no flags there, and the code has changed none.
            regs.r11 = regs.rflags;
        }
        let mut on_pad = if is_way_back(rest) { OnPad::Answered } else { OnPad::Call };
        // Its first instruction is what saves rcx.
        if on_pad == OnPad::Call && regs.rip != self.entry() && Some(regs.rip) != self.jump_target() {
            let word = |offset| system.word(self.words + offset).load(Ordering::Acquire);
            regs.rcx = word(word::RETURN);
            system.word(self.words + word::IS_BUSY).store(0, Ordering::Relaxed);
            if has_posted(offset) {
                (on_pad, regs.rax) = match word(word::STATE) {
                    state::ANSWERED => (OnPad::Answered, word(word::RESULT)),
                    _ => (OnPad::Call, word(word::NUMBER)),
                };
                // Nobody else may answer it from here on.
                system.word(self.words + word::STATE).store(state::ANSWERED, Ordering::Relaxed);
            }
        }
        regs.rip = regs.rcx;
        regs.rflags = RFlags::sanitised(regs.r11);
        Some(on_pad)
    }

    /// The same in a longer answer: the stack is in the words then. The call is still to be answered, even if that has
    /// been done.
    fn leave_stack(&self, regs: &mut UserRegs, system: &SystemMemory) -> Option<OnPad> {
        let end = self.words() + PAGE_SIZE;
        if self.landing != Landing::Ring3 || !(self.words() + 1..=end).contains(&regs.rsp) {
            return None;
        }
        let word = |offset| system.word(self.words + offset).load(Ordering::Relaxed);
        // The flags are kept first, and given back last.
        let flags = if regs.rsp == end { regs.rflags } else { word(PAGE_SIZE - 8) };
        let kept: [u64; 16] = std::array::from_fn(|index| word(word::KEPT + 8 * index as u64));
        let UserRegs { rdi, rsi, rdx, r10, r8, r9, rsp, rip, rax, rbx, rbp, r12, r13, r14, r15, .. } = regs;
        let registers = [rdi, rsi, rdx, r10, r8, r9, rsp, rip, rax, rbx, rbp, r12, r13, r14, r15];
        registers.into_iter().zip(kept).for_each(|(register, value)| *register = value);
        (regs.rcx, regs.r11, regs.rflags) = (regs.rip, flags, RFlags::sanitised(flags));
        for (offset, value) in [(word::IS_BUSY, 0), (word::STATE, state::ANSWERED), (word::MASK, kept[15])] {
            system.word(self.words + offset).store(value, Ordering::Relaxed);
        }
        Some(OnPad::Call)
    }

    /// Asks these functions for the time from now on.
    pub(super) fn set_clocks(&self, clocks: Clocks, system: &SystemMemory) {
        for (offset, function) in [
            (word::CLOCK_GETTIME, clocks.clock_gettime),
            (word::GETTIMEOFDAY, clocks.gettimeofday),
            (word::TIME_OF_DAY, clocks.time),
        ] {
            system.word(self.words + offset).store(function, Ordering::Relaxed);
        }
    }

    /// Has rt_sigprocmask(2) answered from `masks` from now on, or not at all.
    pub(super) fn set_masks(&self, masks: Option<Masks>, system: &SystemMemory) {
        let Masks { blocked, handled } = masks.unwrap_or(Masks { blocked: 0, handled: 0 });
        for (offset, value) in [
            (word::ANSWERS_MASKS, u64::from(masks.is_some())),
            (word::MASK, blocked),
            (word::BLOCKED, blocked),
            (word::HANDLED, handled),
        ] {
            system.word(self.words + offset).store(value, Ordering::Relaxed);
        }
    }

    /// What the program blocks by now.
    pub(super) fn mask(&self, system: &SystemMemory) -> u64 {
        system.word(self.words + word::MASK).load(Ordering::Relaxed)
    }

    /// The number of the call whose answer user code waits for at `rip`, if it does.
    pub(super) fn awaited(&self, rip: u64, system: &SystemMemory) -> Option<u64> {
        let number = || system.word(self.words + word::NUMBER).load(Ordering::Relaxed);
        has_posted(rip.wrapping_sub(self.base)).then(number)
    }

    /// What the pad answers from now on; no more than that, of what is not for ever.
    pub(super) fn tell(&self, ids: Ids, system: &SystemMemory) {
        self.set_masks(None, system);
        /// What an id looks like that has no name in this user namespace, and may get one.
        const OVERFLOW_ID: u32 = 65534;
        let user_ids = [ids.uid, ids.euid, ids.gid, ids.egid];
        let may_differ = user_ids.contains(&OVERFLOW_ID);
        let [uid, euid, gid, egid] = user_ids.map(u64::from);
        for (offset, value) in [
            (word::PID, u64::from(ids.pid)),
            (word::TID, u64::from(ids.tid)),
            (word::UID, uid),
            (word::EUID, euid),
            (word::GID, gid),
            (word::EGID, egid),
            (word::IDS_MAY_DIFFER, u64::from(may_differ)),
        ] {
            system.word(self.words + offset).store(value, Ordering::Relaxed);
        }
    }

    /// Has another thread answer calls, each of which waits `turns` for it; nobody answers if that is 0.
    pub(super) fn set_patience(&self, turns: u64, system: &SystemMemory) {
        system.word(self.words + word::PATIENCE).store(turns, Ordering::Relaxed);
    }

    /// The call that waits to be answered by another thread.
    pub(super) fn posted(&self, system: &SystemMemory) -> Option<Posted> {
        let word = |offset| system.word(self.words + offset);
        if word(word::STATE).load(Ordering::Acquire) != state::POSTED {
            return None;
        }
        let nr = word(word::NUMBER).load(Ordering::Relaxed);
        let args = std::array::from_fn(|index| word(word::ARGS + 8 * index as u64).load(Ordering::Relaxed));
        Some(Posted { nr, args, rip: word(word::RETURN).load(Ordering::Relaxed) })
    }

    /// Answers that call, or tells it to leave the guest.
    pub(super) fn settle(&self, answer: Option<u64>, system: &SystemMemory) {
        let word = |offset| system.word(self.words + offset);
        let state = match answer {
            Some(result) => {
                word(word::RESULT).store(result, Ordering::Relaxed);
                state::ANSWERED
            }
            None => state::REFUSED,
        };
        word(word::STATE).store(state, Ordering::Release);
    }

    /// As the code does it.
    #[cfg(test)]
    pub(super) fn post(&self, nr: u64, system: &SystemMemory) {
        system.word(self.words + word::NUMBER).store(nr, Ordering::Relaxed);
        system.word(self.words + word::STATE).store(state::POSTED, Ordering::Release);
    }

    /// User and group ids are no longer answered.
    pub(super) fn forget_user_ids(&self, system: &SystemMemory) {
        system.word(self.words + word::IDS_MAY_DIFFER).store(1, Ordering::Relaxed);
    }
}

/// Writes the code of all pads to `page` (GPA).
pub(super) fn write_code(system: &SystemMemory, page: u64) {
    system.write(page, code());
}

fn code() -> &'static [u8] {
    // SAFETY: both labels delimit one read-only section of this executable.
    unsafe { bytes_between(&raw const kvm_se_landing_start, &raw const kvm_se_landing_end) }
}

fn offset_of(label: *const u8) -> u64 {
    (label.addr() - (&raw const kvm_se_landing_start).addr()) as u64
}

/// Is the code at `offset` behind the posting of a call for another thread?
fn has_posted(offset: u64) -> bool {
    posted_ranges().iter().any(|range| range.contains(&offset))
}

fn posted_ranges() -> [Range<u64>; 2] {
    [
        offset_of(&raw const kvm_se_landing_ring3_posted)..offset_of(&raw const kvm_se_landing_ring3_posted_end),
        offset_of(&raw const kvm_se_landing_patched_posted)..offset_of(&raw const kvm_se_landing_patched_posted_end),
    ]
}

/// Does `code` begin with the instruction that goes back to user code?
fn is_way_back(code: &[u8]) -> bool {
    const JMP_RCX: &[u8] = &[0xff, 0xe1];
    const SYSRETQ: &[u8] = &[0x48, 0x0f, 0x07];
    code.starts_with(JMP_RCX) || code.starts_with(SYSRETQ)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: u64 = 0x40_1000;

    /// A pad, and memory with its words, in which user code at [`SAVED`] has made a call.
    fn pad(landing: Landing) -> (Pad, SystemMemory) {
        let system = SystemMemory::new().unwrap();
        let words = system.allocate_page().unwrap();
        system.word(words + word::RETURN).store(SAVED, Ordering::Relaxed);
        (Pad::new(3, words, landing, system.allocate_page()).unwrap(), system)
    }

    fn regs(rip: u64) -> UserRegs {
        UserRegs { rip, rcx: 0x7000, r11: RFlags::CF.bits(), ..UserRegs::default() }
    }

    #[test]
    fn the_code_fits_its_page() {
        assert!(code().len() as u64 <= PAGE_SIZE);
    }

    #[test]
    fn wherever_it_stops_user_code_goes_on_behind_its_call() {
        for landing in [Landing::Ring0, Landing::Ring3] {
            let (pad, system) = pad(landing);
            let mut first = regs(pad.entry());
            assert_eq!(pad.leave(&mut first, &system), Some(OnPad::Call));
            assert_eq!((first.rip, first.rcx), (0x7000, 0x7000), "rcx is not saved yet");
            let mut later = regs(pad.entry() + 7);
            assert_eq!(pad.leave(&mut later, &system), Some(OnPad::Call));
            assert_eq!((later.rip, later.rcx), (SAVED, SAVED));
            assert!(later.rflags & RFlags::CF.bits() != 0, "as they were, from r11");
        }
    }

    #[test]
    fn an_answered_call_is_not_made_again() {
        let (pad, system) = pad(Landing::Ring3);
        let ways_back = (0..code().len()).filter(|&at| is_way_back(&code()[at..]));
        let answered = ways_back.filter(|&at| {
            let mut regs = regs(pad.code() + at as u64);
            pad.leave(&mut regs, &system) == Some(OnPad::Answered) && regs.rip == 0x7000
        });
        assert_eq!(
            answered.count(),
            22,
            "six calls at each of three places, and what another thread answers and clocks at two"
        );
    }

    #[test]
    fn a_posted_call_is_answered_once() {
        let (pad, system) = pad(Landing::Ring3);
        let leave = |rip| {
            let mut regs = regs(rip);
            (pad.leave(&mut regs, &system), regs.rax, regs.rip)
        };
        let post = || pad.post(39, &system);
        for range in posted_ranges() {
            let (first, end) = (pad.code() + range.start, pad.code() + range.end);
            for rip in first..end - 2 {
                post();
                assert_eq!(pad.posted(&system).map(|posted| posted.nr), Some(39));
                assert_eq!((leave(rip), pad.posted(&system)), ((Some(OnPad::Call), 39, SAVED), None));
                post();
                pad.settle(None, &system);
                assert_eq!(leave(rip), (Some(OnPad::Call), 39, SAVED));
                post();
                pad.settle(Some(7), &system);
                assert_eq!(leave(rip), (Some(OnPad::Answered), 7, SAVED));
            }
            assert_eq!(leave(first - 1).0, Some(OnPad::Call), "not posted yet");
            assert_eq!((pad.awaited(first, &system), pad.awaited(end, &system)), (Some(39), None));
        }
    }

    #[test]
    fn a_call_by_a_jump_has_the_flags_that_are_there() {
        let (pad, system) = pad(Landing::Ring3);
        let target = pad.jump_target().unwrap();
        let flags = (RFlags::ZF | RFlags::DF).bits();
        for rip in [target, target + 7] {
            let mut regs = UserRegs { rflags: flags, ..regs(rip) };
            assert_eq!(pad.leave(&mut regs, &system), Some(OnPad::Call));
            assert_eq!(regs.rip, if rip == target { 0x7000 } else { SAVED });
            assert_eq!((regs.rflags & flags, regs.r11), (flags, flags));
        }
    }

    #[test]
    fn a_longer_answer_that_is_interrupted_has_not_been_given() {
        let (pad, system) = pad(Landing::Ring3);
        let flags = (RFlags::ZF | RFlags::DF).bits();
        (0..16).for_each(|i| system.word(pad.words + word::KEPT + 8 * i).store(0x100 + i, Ordering::Relaxed));
        system.word(pad.words + PAGE_SIZE - 8).store(flags, Ordering::Relaxed);
        let end = pad.words() + PAGE_SIZE;
        for (rsp, rflags) in [(end, flags), (end - 8, 0), (end - 160, RFlags::CF.bits())] {
            // Anywhere, as in the vDSO.
            let mut regs = UserRegs { rsp, rflags, ..regs(0x7fff_f7fc_1234) };
            assert_eq!(pad.leave(&mut regs, &system), Some(OnPad::Call));
            let caller = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9, regs.rsp, regs.rip, regs.rax];
            assert_eq!(caller, std::array::from_fn(|i| 0x100 + i as u64));
            assert_eq!(pad.mask(&system), 0x10f, "as it was before");
            pad.set_masks(Some(Masks { blocked: 7, handled: 0 }), &system);
            let callee = [regs.rbx, regs.rbp, regs.r12, regs.r13, regs.r14, regs.r15];
            assert_eq!(callee, std::array::from_fn(|i| 0x109 + i as u64));
            assert_eq!((regs.rcx, regs.r11, regs.rflags & flags), (regs.rip, flags, flags));
        }
        let mut elsewhere = UserRegs { rsp: pad.words(), ..regs(0x40_1000) };
        assert_eq!(pad.leave(&mut elsewhere, &system), None);
    }

    #[test]
    fn elsewhere_nothing_changes() {
        let (pad, system) = pad(Landing::Ring3);
        for rip in [0, SAVED, pad.code() - 1, pad.words(), pad.code() + code().len() as u64] {
            let mut here = regs(rip);
            assert_eq!(pad.leave(&mut here, &system), None);
            assert_eq!(here, regs(rip));
        }
    }

    #[test]
    fn there_is_room_for_two_thousand_pads_below_the_trampolines() {
        let last = Pad::new(2045, 0, Landing::Ring3, None).unwrap();
        assert!(last.words() + PAGE_SIZE <= TRAMPOLINES);
        assert!(Pad::new(2046, 0, Landing::Ring3, None).is_none());
    }
}
