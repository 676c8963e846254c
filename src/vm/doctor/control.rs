//! Instructions that tell about the machine: can they be trapped or made to show what the runner wants?

use kvm_bindings::{Msrs, kvm_msr_entry};

use super::check::{Answer, Check, Failure, Need};
use super::host;
use super::routines::Routine;
use super::scratch::{Page, RW, Scratch};
use crate::vm::platform::set_xcr0;
use crate::vm::vcpu::CPUID_FAULTING;
use crate::vm::{Trap, Vcpu, VmError};
use crate::x86::xstate::XCR0_LEGACY;
use crate::x86::{UserRegs, Vector};

pub(super) const CHECKS: &[Check] = &[
    Check { what: "cpuid shows our table", need: Need::May, perform: cpuid_table },
    Check { what: "cpuid can be trapped", need: Need::May, perform: cpuid_fault },
    Check { what: "AVX can be turned off", need: Need::May, perform: avx_off },
    Check { what: "rdtsc can be trapped", need: Need::May, perform: rdtsc_fault },
    Check { what: "instruction counter", need: Need::May, perform: instruction_counter },
    Check { what: "counted stops", need: Need::May, perform: super::overflow::check },
];

/// First leaf of the processor's name, which nothing depends on.
const NAME_LEAF: u32 = 0x8000_0002;

fn cpuid_table(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const MARK: u32 = u32::from_le_bytes(*b"kvmS");
    let mut cpuid = scratch.machine.cpuid().clone();
    let Some(entry) = cpuid.as_mut_slice().iter_mut().find(|entry| entry.function == NAME_LEAF) else {
        return Ok(Answer::no("KVM has no table entry to show"));
    };
    entry.eax = MARK;
    // KVM takes a table only before the first run.
    scratch.vcpu = scratch.machine.add_vcpu()?;
    scratch.vcpu.attach();
    scratch.vcpu.fd().set_cpuid2(&cpuid).map_err(VmError::ioctl("KVM_SET_CPUID2"))?;
    let regs = scratch.call("cpuid", UserRegs { rdi: NAME_LEAF.into(), ..Scratch::at(Routine::Cpuid) })?;
    Ok(if regs.rax == u64::from(MARK) {
        Answer::yes("a program can be shown another CPU")
    } else {
        Answer::no("--cpu replaces it in code")
    })
}

/// By XCR0, as for a processor that lacks it.
fn avx_off(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const AVX: u64 = 1 << 2;
    const FROM: Page = Page(1);
    const TO: Page = Page(2);
    if scratch.machine.xcr0() & AVX == 0 {
        return Ok(Answer::no("this CPU has none"));
    }
    set_xcr0(&mut scratch.vcpu, XCR0_LEGACY)?;
    scratch.map(FROM, RW)?;
    scratch.map(TO, RW)?;
    match scratch.start(UserRegs { rdi: FROM.gva(), rsi: TO.gva(), ..Scratch::at(Routine::Avx) })? {
        Trap::Exception { vector: Vector::UD, .. } => Ok(Answer::yes("--cpu without AVX rests on the processor")),
        Trap::Syscall => Ok(Answer::no("--cpu without AVX rests on looking at code")),
        other => Err(Failure::trap("AVX code without its state", other)),
    }
}

fn cpuid_fault(scratch: &mut Scratch) -> Result<Answer, Failure> {
    if scratch.vcpu.set_msrs(&CPUID_FAULTING).is_err() {
        return Ok(Answer::no("deterministic runs replace it in code"));
    }
    let regs = UserRegs { rdi: NAME_LEAF.into(), ..Scratch::at(Routine::Cpuid) };
    is_trapped(scratch, "cpuid", regs, "deterministic runs answer each use", "deterministic runs replace it in code")
}

fn rdtsc_fault(scratch: &mut Scratch) -> Result<Answer, Failure> {
    scratch.vcpu.trap_telling()?;
    let regs = Scratch::at(Routine::Rdtsc);
    is_trapped(scratch, "rdtsc", regs, "deterministic runs answer each use", "deterministic runs replace it in code")
}

fn is_trapped(scratch: &mut Scratch, what: &str, regs: UserRegs, yes: &str, no: &str) -> Result<Answer, Failure> {
    match scratch.start(regs)? {
        Trap::Exception { vector: Vector::GP, .. } => Ok(Answer::yes(yes)),
        Trap::Syscall => Ok(Answer::no(no)),
        other => Err(Failure::trap(what, other)),
    }
}

/// Counts two loops of known length: only an exact difference is a counter.
fn instruction_counter(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const TURNS: u64 = 10_000;
    const NONE: &str = "no PMU in the guest: profiles go by time";
    let none = || Ok(Answer::value("none", NONE));
    if host::has_pmu_off() {
        // Trying would only fill the kernel's log.
        return none();
    }
    let Some(counter) = Counter::of(scratch.machine.cpuid()) else { return none() };
    if counter.start(&mut scratch.vcpu).is_err() {
        return none();
    }
    let mut counts = [0; 3];
    for (turns, count) in (1..).map(|factor| factor * TURNS).zip(&mut counts) {
        let before = counter.read(&mut scratch.vcpu)?;
        scratch.call("a loop", UserRegs { rdi: turns, ..Scratch::at(Routine::Count) })?;
        *count = counter.read(&mut scratch.vcpu)?.wrapping_sub(before);
    }
    let [one, two, three] = counts;
    let expected = 2 * TURNS;
    Ok(match (two.wrapping_sub(one), three.wrapping_sub(two)) {
        (0, 0) => return none(),
        (first, second) if (first, second) == (expected, expected) => {
            Answer::value("exact", "a program can count its own instructions")
        }
        (first, second) => Answer::value("inexact", format!("counts {first} and {second} for {expected} instructions")),
    })
}

/// Model-specific registers that count the user's retired instructions.
#[derive(Clone, Copy, Debug)]
struct Counter {
    count: u32,
    enable: [(u32, u64); 2],
}

impl Counter {
    /// Fixed counter 0 of Intel (SDM volume 3, section 20.2.2).
    const INTEL: Self = Self { count: 0x309, enable: [(0x38d, 0b10), (0x38f, 1 << 32)] };
    /// Counter 0 of AMD with event 0xc0 (APM volume 2, section 13.2.1); the first write clears it.
    const AMD: Self = Self { count: 0xc001_0004, enable: [(0xc001_0004, 0), (0xc001_0000, 0x41_00c0)] };
    /// The same with performance monitoring version 2, whose counters have a common switch.
    const AMD_2: Self = Self { count: 0xc001_0201, enable: [(0xc001_0200, 0x41_00c0), (0xc000_0301, 1)] };

    /// What the CPUID table that the guest was given promises.
    fn of(cpuid: &kvm_bindings::CpuId) -> Option<Self> {
        let leaf = |function| cpuid.as_slice().iter().find(|entry| entry.function == function);
        let is_amd = leaf(0).is_some_and(|entry| entry.ebx == u32::from_le_bytes(*b"Auth"));
        if is_amd {
            let is_version_2 = leaf(0x8000_0022).is_some_and(|entry| entry.eax & 1 != 0);
            return Some(if is_version_2 { Self::AMD_2 } else { Self::AMD });
        }
        leaf(0xa).filter(|entry| entry.eax & 0xff >= 2 && entry.edx & 0x1f >= 1).map(|_| Self::INTEL)
    }

    fn start(self, vcpu: &mut Vcpu) -> Result<(), VmError> {
        vcpu.set_msrs(&self.enable)
    }

    fn read(self, vcpu: &mut Vcpu) -> Result<u64, Failure> {
        let entry = kvm_msr_entry { index: self.count, ..Default::default() };
        let mut msrs = Msrs::from_entries(&[entry]).map_err(|_| VmError::Full("model-specific registers"))?;
        vcpu.fd().get_msrs(&mut msrs).map_err(VmError::ioctl("KVM_GET_MSRS"))?;
        Ok(msrs.as_slice().first().map_or(0, |entry| entry.data))
    }
}
