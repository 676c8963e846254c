//! The start-up probe: a few instructions of user code in the new VM tell what kind of KVM this is.
//!
//! Capability bits do not: a KVM may offer everything and still land `syscall` at CPL 3. It runs once: programs that are
//! executed later are told what it found ([`super::Platform`]).

#![expect(unsafe_code, reason = "reads the assembled probe through linker symbols")]

use std::arch::global_asm;
use std::sync::atomic::Ordering;

use super::landing::Landing;
use super::machine::{Flavour, Machine, Mmu};
use super::stubs::bytes_between;
use super::vcpu::Vcpu;
use super::{Trap, VmError};
use crate::abi::PAGE_SIZE;
use crate::x86::paging::Entry;
use crate::x86::{PageFaultCode, UserRegs};

global_asm!(include_str!("../../guest-stubs/probe.S"), options(att_syntax));

unsafe extern "C" {
    static kvm_se_probe_start: u8;
    static kvm_se_probe_end: u8;
    static kvm_se_probe_load: u8;
}

/// Where the probe's pages are mapped (GVA): in the guest's stack area, whose tables are needed anyway.
const CODE: u64 = 0x7fff_ffff_d000;
const WORD: u64 = CODE + PAGE_SIZE;

/// The user code of the probe and of the doctor.
pub(super) fn code() -> &'static [u8] {
    // SAFETY: both labels delimit one read-only section of this executable.
    unsafe { bytes_between(&raw const kvm_se_probe_start, &raw const kvm_se_probe_end) }
}

fn at(label: *const u8) -> u64 {
    CODE + (label.addr() - (&raw const kvm_se_probe_start).addr()) as u64
}

/// Runs the probe and leaves no trace of it in the guest's half of the page tables.
pub(super) fn probe(machine: &Machine, vcpu: &mut Vcpu) -> Result<Flavour, VmError> {
    let pages = Pages::place(machine)?;
    let landing = landing(machine, vcpu)?;
    let mmu = match landing {
        Landing::Ring0 => mmu(machine, vcpu, &pages)?,
        // The processor would walk two sets of tables for a ring 0 that it runs itself.
        Landing::Ring3 => Mmu::Shadow,
    };
    pages.remove(machine)?;
    vcpu.restart(UserRegs::default())?;
    Ok(Flavour { landing, mmu })
}

/// Three pages of system memory that user code may reach for a moment.
struct Pages {
    code: u64,
    words: [u64; 2],
}

const USER_RX: Entry = Entry::USER;
const USER_RO: Entry = Entry::USER.union(Entry::NO_EXECUTE);

impl Pages {
    fn place(machine: &Machine) -> Result<Self, VmError> {
        let system = machine.system();
        let page = || system.allocate_page().ok_or(VmError::Full("system memory"));
        let pages = Self { code: page()?, words: [page()?, page()?] };
        system.write(pages.code, code());
        for (word, value) in pages.words.into_iter().zip(1u64..) {
            system.word(word).store(value, Ordering::Relaxed);
        }
        map(machine, CODE, pages.code, USER_RX)?;
        map(machine, WORD, pages.words[0], USER_RO)?;
        Ok(pages)
    }

    /// Entries first, then the host pages behind them, so that no shadow of them stays.
    fn remove(&self, machine: &Machine) -> Result<(), VmError> {
        machine.tables().clear(CODE, WORD + PAGE_SIZE);
        for page in [self.code, self.words[0], self.words[1]] {
            crate::sys::discard(machine.system().host_addr() + page, PAGE_SIZE)
                .map_err(|source| VmError::Ioctl { call: "madvise", source })?;
        }
        Ok(())
    }
}

fn map(machine: &Machine, va: u64, gpa: u64, rights: Entry) -> Result<(), VmError> {
    machine.map_pages(va, va + PAGE_SIZE, gpa, rights)
}

/// A load and a `syscall`, which leaves by the system call stub, or as a page fault at LSTAR from user mode.
fn landing(machine: &Machine, vcpu: &mut Vcpu) -> Result<Landing, VmError> {
    let lstar = machine.stubs().syscall;
    vcpu.restart(load_of_word())?;
    let landing = match machine.run(vcpu)? {
        Trap::Syscall => Landing::Ring0,
        Trap::PageFault { addr, code } if addr == lstar && code.contains(PageFaultCode::USER) => Landing::Ring3,
        other => return Err(VmError::Unusable(format!("a system call ended in {other:?}"))),
    };
    match vcpu.regs().rsi {
        1 => Ok(landing),
        other => Err(VmError::Unusable(format!("a load from memory gave {other}"))),
    }
}

/// Exchanges a present entry, lets KVM flush as for a guest's own flush, and looks which page the guest sees: a
/// shadow of the tables does not notice.
fn mmu(machine: &Machine, vcpu: &mut Vcpu, pages: &Pages) -> Result<Mmu, VmError> {
    const PGE: u64 = 1 << 7;
    map(machine, WORD, pages.words[1], USER_RO)?;
    for _ in 0..2 {
        let mut sregs = vcpu.fd().get_sregs().map_err(VmError::ioctl("KVM_GET_SREGS"))?;
        sregs.cr4 ^= PGE;
        vcpu.fd().set_sregs(&sregs).map_err(VmError::ioctl("KVM_SET_SREGS"))?;
    }
    vcpu.restart(load_of_word())?;
    match (machine.run(vcpu)?, vcpu.regs().rsi) {
        (Trap::Syscall, 2) => Ok(Mmu::Nested),
        (Trap::Syscall, 1) => Ok(Mmu::Shadow),
        other => Err(VmError::Unusable(format!("a second load from memory gave {other:?}"))),
    }
}

/// Loads the word, which comes back in rsi, and makes a system call.
fn load_of_word() -> UserRegs {
    UserRegs { rdi: WORD, ..UserRegs::at_start(at(&raw const kvm_se_probe_load), 0) }
}
