//! Calls that are a jump. On a ring-3 landing the instruction `syscall` alone costs a microsecond; so places of the guest's
//! code that make many calls jump here instead, and from here to the pad of the vCPU.
//!
//! The page of trampolines is the runner's: user code can execute and read it, not write it. A slot of it is one site:
//!
//! | offset | what |
//! |---|---|
//! | 0 | code |
//! | 48 | number of the call |
//! | 56 | where user code goes on |

use std::sync::atomic::Ordering;

use super::layout::TRAMPOLINES;
use super::system::SystemMemory;
use super::{Machine, Vcpu};
use crate::abi::PAGE_SIZE;

/// Code that makes a call: `mov $nr, %eax` and `syscall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Number of the call.
    pub nr: u32,
    /// Where user code goes on: behind the `syscall` (GVA).
    pub end: u64,
}

impl Site {
    /// Bytes of the `mov`, and of a jump.
    const MOV_LEN: usize = 5;
    /// Bytes of it and of the `syscall`.
    pub const LEN: usize = Self::MOV_LEN + SYSCALL.len();

    /// The one behind which user code goes on at `end`, if `code` is one.
    pub fn new(code: [u8; Self::LEN], end: u64) -> Option<Self> {
        let site = Self { nr: u32::from_le_bytes([code[1], code[2], code[3], code[4]]), end };
        (site.code() == code).then_some(site)
    }

    /// Where it begins (GVA).
    pub fn start(&self) -> u64 {
        self.end - Self::LEN as u64
    }

    /// Where the `syscall` is (GVA).
    pub fn syscall(&self) -> u64 {
        self.end - SYSCALL.len() as u64
    }

    /// Its code.
    pub fn code(&self) -> [u8; Self::LEN] {
        let [mov, a, b, c, d] = self.mov();
        [mov, a, b, c, d, SYSCALL[0], SYSCALL[1]]
    }

    fn mov(&self) -> [u8; Self::MOV_LEN] {
        let [a, b, c, d] = self.nr.to_le_bytes();
        [MOV_EAX, a, b, c, d]
    }
}

/// `mov $imm32, %eax`
const MOV_EAX: u8 = 0xb8;
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// `jmp rel32`
const JMP: u8 = 0xe9;
const SLOT_LEN: u64 = 64;
const NR_SLOTS: u64 = PAGE_SIZE / SLOT_LEN;
const SLOT_NR: u64 = 48;
const SLOT_END: u64 = 56;

/// The page of trampolines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trampolines {
    /// GPA.
    page: u64,
    count: u64,
}

impl Trampolines {
    pub(super) fn new(page: u64) -> Self {
        Self { page, count: 0 }
    }

    /// GPA of the page.
    pub(super) fn page(&self) -> u64 {
        self.page
    }

    /// The call that user code is about to make when it is at `rip` here.
    pub(super) fn call_at(page: u64, rip: u64, system: &SystemMemory) -> Option<Site> {
        let offset = rip.checked_sub(TRAMPOLINES).filter(|&offset| offset < PAGE_SIZE)?;
        let site = site_in(page + offset / SLOT_LEN * SLOT_LEN, system);
        (site.end != 0).then_some(site)
    }

    /// Makes a trampoline for `site` that goes on at `target`, and returns the jump that leads there.
    fn add(&mut self, site: Site, target: u64, system: &SystemMemory) -> Option<[u8; 5]> {
        // Code may have come back to where it was before it was unmapped.
        let known = (0..self.count).find(|index| self.site(*index, system) == site);
        let index = known.or_else(|| (self.count < NR_SLOTS).then_some(self.count))?;
        let jump = jump(site.start(), TRAMPOLINES + index * SLOT_LEN)?;
        self.write(index, site, Some(target), system)?;
        self.count = self.count.max(index + 1);
        Some(jump)
    }

    /// Has all of them go on at `target`, or by the `syscall` that they are for.
    fn aim(&self, target: Option<u64>, system: &SystemMemory) {
        for index in 0..self.count {
            // What has been in reach still is.
            let _ = self.write(index, self.site(index, system), target, system);
        }
    }

    fn site(&self, index: u64, system: &SystemMemory) -> Site {
        site_in(self.page + index * SLOT_LEN, system)
    }

    fn write(&self, index: u64, site: Site, target: Option<u64>, system: &SystemMemory) -> Option<()> {
        let at = TRAMPOLINES + index * SLOT_LEN;
        let mut code = Vec::with_capacity(usize::try_from(SLOT_NR).unwrap_or(0));
        if target.is_some() {
            // What the pad takes to be the way back.
            code.extend(lea_rcx(at, site.end)?);
        }
        code.extend(site.mov());
        code.extend(jump(at + code.len() as u64, target.unwrap_or_else(|| site.syscall()))?);
        let slot = self.page + index * SLOT_LEN;
        system.write(slot, &code);
        system.word(slot + SLOT_NR).store(site.nr.into(), Ordering::Relaxed);
        system.word(slot + SLOT_END).store(site.end, Ordering::Relaxed);
        Some(())
    }
}

impl Machine {
    /// Makes a trampoline for `site` that leads to the pad of `vcpu`, which must be the only vCPU to come there. Returns
    /// the jump to be put at its start; `None` if there is no way or no room.
    pub fn add_trampoline(&self, vcpu: &Vcpu, site: Site) -> Option<[u8; 5]> {
        let target = vcpu.jump_target()?;
        self.lock_pads().as_mut()?.trampolines.as_mut()?.add(site, target, self.system())
    }

    /// Has all trampolines lead to the pad of `vcpu`, or for any vCPU back to the `syscall` that each is for. None must be
    /// running user code.
    pub fn aim_trampolines(&self, vcpu: Option<&Vcpu>) {
        if let Some(trampolines) = self.lock_pads().as_ref().and_then(|pads| pads.trampolines) {
            trampolines.aim(vcpu.and_then(Vcpu::jump_target), self.system());
        }
    }
}

fn site_in(slot: u64, system: &SystemMemory) -> Site {
    let word = |offset| system.word(slot + offset).load(Ordering::Relaxed);
    Site { nr: u32::try_from(word(SLOT_NR)).unwrap_or(u32::MAX), end: word(SLOT_END) }
}

/// `jmp to` at `from`, if that is in reach.
fn jump(from: u64, to: u64) -> Option<[u8; 5]> {
    let [a, b, c, d] = distance(from + Site::MOV_LEN as u64, to)?;
    Some([JMP, a, b, c, d])
}

/// `lea to(%rip), %rcx` at `from`, if that is in reach.
fn lea_rcx(from: u64, to: u64) -> Option<[u8; 7]> {
    let [a, b, c, d] = distance(from + 7, to)?;
    Some([0x48, 0x8d, 0x0d, a, b, c, d])
}

fn distance(from: u64, to: u64) -> Option<[u8; 4]> {
    i32::try_from(to.cast_signed().checked_sub(from.cast_signed())?).ok().map(i32::to_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Site = Site { nr: 262, end: 0x7fff_f7e0_1007 };

    fn trampolines() -> (Trampolines, SystemMemory) {
        let system = SystemMemory::new().unwrap();
        (Trampolines::new(system.allocate_page().unwrap()), system)
    }

    /// Where `code` at `at` jumps to.
    fn target_of(code: &[u8], at: u64) -> u64 {
        assert_eq!(code[0], JMP);
        let distance = i32::from_le_bytes(code[1..5].try_into().unwrap());
        (at + 5).wrapping_add_signed(distance.into())
    }

    fn bytes(slot: u64, system: &SystemMemory) -> Vec<u8> {
        (0..SLOT_LEN / 8).flat_map(|i| system.word(slot + 8 * i).load(Ordering::Relaxed).to_le_bytes()).collect()
    }

    #[test]
    fn a_site_leads_to_the_target_and_back_to_its_syscall() {
        let (mut trampolines, system) = trampolines();
        let jump = trampolines.add(SITE, 0x7fff_ff00_0400, &system).unwrap();
        assert_eq!(target_of(&jump, SITE.start()), TRAMPOLINES);
        let code = bytes(trampolines.page, &system);
        assert_eq!(code[..3], [0x48, 0x8d, 0x0d]);
        assert_eq!(code[7..12], SITE.mov());
        assert_eq!(target_of(&code[12..], TRAMPOLINES + 12), 0x7fff_ff00_0400);
        trampolines.aim(None, &system);
        let code = bytes(trampolines.page, &system);
        assert_eq!(code[..5], SITE.mov());
        assert_eq!(target_of(&code[5..], TRAMPOLINES + 5), SITE.end - 2);
    }

    #[test]
    fn whoever_is_on_a_trampoline_makes_its_call() {
        let (mut trampolines, system) = trampolines();
        let second = Site { nr: 3, end: SITE.end + 0x100 };
        trampolines.add(SITE, 0x7fff_ff00_0400, &system).unwrap();
        trampolines.add(second, 0x7fff_ff00_0400, &system).unwrap();
        let call_at = |rip| Trampolines::call_at(trampolines.page, rip, &system);
        assert_eq!((call_at(TRAMPOLINES), call_at(TRAMPOLINES + 12)), (Some(SITE), Some(SITE)));
        assert_eq!(call_at(TRAMPOLINES + SLOT_LEN + 7), Some(second));
        assert_eq!((call_at(TRAMPOLINES + 2 * SLOT_LEN), call_at(TRAMPOLINES - 1)), (None, None));
        assert_eq!(call_at(TRAMPOLINES + PAGE_SIZE), None);
    }

    #[test]
    fn there_is_an_end_to_the_room_and_to_the_reach() {
        let (mut trampolines, system) = trampolines();
        assert_eq!(trampolines.add(Site { nr: 3, end: 0x40_1007 }, 0x7fff_ff00_0400, &system), None);
        for i in 0..NR_SLOTS {
            assert!(trampolines.add(Site { nr: 3, end: SITE.end + 16 * i }, 0x7fff_ff00_0400, &system).is_some());
        }
        assert_eq!(trampolines.add(Site { nr: 4, ..SITE }, 0x7fff_ff00_0400, &system), None);
        assert!(trampolines.add(Site { nr: 3, ..SITE }, 0x7fff_ff00_0400, &system).is_some(), "it is known");
    }
}
