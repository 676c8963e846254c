//! What KVM and the processor offer a VM. It is the same for all VMs of one kernel, so a program that is executed gets
//! it from the one before it.

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2, kvm_xcr, kvm_xcrs};
use kvm_ioctls::Kvm;

use super::VmError;
use super::landing::Landing;
use super::machine::{Flavour, Mmu};
use super::vcpu::Vcpu;
use crate::x86::CpuModel;
use crate::x86::xstate::{XCR0_LEGACY, image_len};

/// What does not change while the kernel runs, and takes long to find: `cpuid` is dear in a virtual machine.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The processor that programs see.
    pub(super) model: CpuModel,
    /// What `cpuid` shows to the guest where KVM can decide it.
    pub(super) cpuid: CpuId,
    pub(super) cr4: u64,
    /// XCR0 of the guest.
    pub(super) xcr0: u64,
    /// Bytes of an XSAVE image with the components of `xcr0`, or 0 without XSAVE.
    pub(super) xsave_len: usize,
    pub(super) flavour: Flavour,
}

impl Platform {
    /// What can be known without a VM; the rest is a guess until code has run in one.
    pub(super) fn new(kvm: &Kvm, model: CpuModel) -> Result<Self, VmError> {
        let (xcr0, has_xsave) = model.xcr0();
        let cpuid = if model.is_fixed() { model_cpuid(model)? } else { guest_cpuid(kvm, xcr0)? };
        Ok(Self {
            model,
            cr4: cr4_for(&cpuid, model),
            cpuid,
            xcr0,
            xsave_len: if has_xsave { image_len(xcr0) } else { 0 },
            flavour: Flavour { landing: Landing::Ring0, mmu: Mmu::Shadow },
        })
    }

    /// All of it as numbers, for [`from_words`](Self::from_words).
    pub fn to_words(&self) -> Vec<u64> {
        let Flavour { landing, mmu } = self.flavour;
        let mut words = vec![
            CpuModel::NAMES.iter().position(|(_, model)| *model == self.model).unwrap_or(0) as u64,
            self.cr4,
            self.xcr0,
            self.xsave_len as u64,
            (landing == Landing::Ring3).into(),
            (mmu == Mmu::Nested).into(),
        ];
        for entry in self.cpuid.as_slice() {
            let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
            words.extend([
                pair(entry.function, entry.index),
                pair(entry.flags, entry.eax),
                pair(entry.ebx, entry.ecx),
                entry.edx.into(),
            ]);
        }
        words
    }

    /// What [`to_words`](Self::to_words) was called on; `None` if these are not such words.
    pub fn from_words(words: &[u64]) -> Option<Self> {
        let (&[model, cr4, xcr0, xsave_len, is_ring_3, is_nested], entries) = words.split_first_chunk()?;
        let (entries, []) = entries.as_chunks() else { return None };
        let entries: Vec<_> = entries.iter().copied().map(entry_of).collect();
        Some(Self {
            model: CpuModel::NAMES.get(usize::try_from(model).ok()?)?.1,
            cpuid: CpuId::from_entries(&entries).ok()?,
            cr4,
            xcr0,
            xsave_len: usize::try_from(xsave_len).ok()?,
            flavour: Flavour {
                landing: if is_ring_3 == 0 { Landing::Ring0 } else { Landing::Ring3 },
                mmu: if is_nested == 0 { Mmu::Shadow } else { Mmu::Nested },
            },
        })
    }

    /// MAXPHYADDR, CPUID leaf 0x8000_0008.
    pub(super) fn physical_address_bits(&self) -> u32 {
        let bits = leaf(&self.cpuid, 0x8000_0008).map_or(36, |entry| entry.eax & 0xff);
        bits.clamp(36, 52)
    }

    /// Gives `vcpu` the XCR0.
    pub(super) fn set_xcr0(&self, vcpu: &mut Vcpu) -> Result<(), VmError> {
        if self.xsave_len == 0 { Ok(()) } else { set_xcr0(vcpu, self.xcr0) }
    }

    /// Narrows the XCR0 to what KVM takes.
    pub(super) fn narrow_xcr0(&mut self, vcpu: &mut Vcpu) -> Result<(), VmError> {
        const NO_AVX512: u64 = 0b111;
        if self.xsave_len == 0 {
            return Ok(());
        }
        let wanted = self.xcr0;
        let mut result = set_xcr0(vcpu, wanted).map(|()| wanted);
        for narrower in [wanted & NO_AVX512, XCR0_LEGACY] {
            result = result.or_else(|_| set_xcr0(vcpu, narrower).map(|()| narrower));
        }
        self.xcr0 = result?;
        if self.xcr0 != wanted && self.model.is_fixed() {
            let model = self.model.name();
            return Err(VmError::Unusable(format!("no {model}: KVM keeps no state of its wider registers")));
        }
        if self.xcr0 != wanted {
            self.xsave_len = image_len(self.xcr0);
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "each word holds two numbers")]
fn entry_of([leaf, flags_eax, ebx_ecx, edx]: [u64; 4]) -> kvm_cpuid_entry2 {
    kvm_cpuid_entry2 {
        function: leaf as u32,
        index: (leaf >> 32) as u32,
        flags: flags_eax as u32,
        eax: (flags_eax >> 32) as u32,
        ebx: ebx_ecx as u32,
        ecx: (ebx_ecx >> 32) as u32,
        edx: edx as u32,
        ..Default::default()
    }
}

/// Gives `vcpu` this XCR0.
pub(super) fn set_xcr0(vcpu: &mut Vcpu, xcr0: u64) -> Result<(), VmError> {
    let mut xcrs = kvm_xcrs { nr_xcrs: 1, ..Default::default() };
    xcrs.xcrs[0] = kvm_xcr { xcr: 0, value: xcr0, ..Default::default() };
    vcpu.fd().set_xcrs(&xcrs).map_err(VmError::ioctl("KVM_SET_XCRS"))
}

/// What `model` shows.
fn model_cpuid(model: CpuModel) -> Result<CpuId, VmError> {
    const HAS_SUBLEAVES: u32 = 1;
    let entry = |(function, index): (u32, u32)| {
        let [eax, ebx, ecx, edx] = model.cpuid(function, index);
        let flags = if matches!(function, 7 | 0xd) { HAS_SUBLEAVES } else { 0 };
        kvm_cpuid_entry2 { function, index, flags, eax, ebx, ecx, edx, ..Default::default() }
    };
    let entries: Vec<_> = model.leaves().into_iter().map(entry).collect();
    CpuId::from_entries(&entries).map_err(|_| VmError::Full("leaves of CPUID"))
}

/// What KVM supports, less AMX, MPX and protection keys, whose state the guest does not get.
fn guest_cpuid(kvm: &Kvm, xcr0: u64) -> Result<CpuId, VmError> {
    const FEATURES: u32 = 7;
    const AMX: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    const MPX: u32 = 1 << 14;
    const PKU: u32 = 1 << 3 | 1 << 4;
    const XSTATE: u32 = 0xd;
    let mut cpuid =
        kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(VmError::ioctl("KVM_GET_SUPPORTED_CPUID"))?;
    for entry in cpuid.as_mut_slice() {
        match (entry.function, entry.index) {
            (FEATURES, 0) => {
                entry.ebx &= !MPX;
                entry.edx &= !AMX;
                entry.ecx &= !PKU;
            }
            #[expect(clippy::cast_possible_truncation, reason = "the low half")]
            (XSTATE, 0) => entry.eax &= xcr0 as u32,
            (XSTATE, 2..) if xcr0 >> entry.index.min(63) & 1 == 0 => {
                (entry.eax, entry.ebx, entry.ecx, entry.edx) = (0, 0, 0, 0);
            }
            _ => {}
        }
    }
    Ok(cpuid)
}

fn leaf(cpuid: &CpuId, function: u32) -> Option<&kvm_cpuid_entry2> {
    cpuid.as_slice().iter().find(|entry| entry.function == function && entry.index == 0)
}

/// PAE, OSFXSR, OSXMMEXCPT always; the rest where the *CPU* has it, for KVM's table may omit what runs.
fn cr4_for(cpuid: &CpuId, model: CpuModel) -> u64 {
    const ALWAYS: u64 = 1 << 5 | 1 << 9 | 1 << 10;
    const FSGSBASE: u64 = 1 << 16;
    const OSXSAVE: u64 = 1 << 18;
    const SMEP: u64 = 1 << 20;
    let mut cr4 = ALWAYS;
    if model.xcr0().1 {
        cr4 |= OSXSAVE;
    }
    if model.has_fsgsbase() {
        cr4 |= FSGSBASE;
    }
    if leaf(cpuid, 7).is_some_and(|entry| entry.ebx & 1 << 7 != 0) {
        cr4 |= SMEP;
    }
    cr4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_carry_all_of_it() {
        let entry = |function, index| kvm_cpuid_entry2 {
            function,
            index,
            flags: 1,
            eax: 0x8000_0002,
            ebx: 3,
            ecx: u32::MAX,
            edx: 5,
            ..Default::default()
        };
        let platform = Platform {
            model: CpuModel::V3,
            cpuid: CpuId::from_entries(&[entry(0xd, 2), entry(0x8000_0008, 0)]).unwrap(),
            cr4: 1 << 40,
            xcr0: 7,
            xsave_len: 832,
            flavour: Flavour { landing: Landing::Ring3, mmu: Mmu::Shadow },
        };
        let words = platform.to_words();
        let read = Platform::from_words(&words).unwrap();
        assert_eq!(read.to_words(), words);
        assert_eq!(read.cpuid.as_slice(), platform.cpuid.as_slice());
        assert_eq!((read.model, read.cr4, read.xcr0, read.xsave_len), (CpuModel::V3, 1 << 40, 7, 832));
        assert_eq!(read.flavour, platform.flavour);
        assert!(Platform::from_words(&words[..words.len() - 1]).is_none());
        assert!(Platform::from_words(&words[..4]).is_none());
    }
}
