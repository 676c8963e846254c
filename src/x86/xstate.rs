//! Extended state: which components XSAVE keeps (Intel SDM volume 1, chapter 13).

#![expect(unsafe_code, reason = "reads XCR0")]

use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// XCR0 bits for x87, SSE, AVX and AVX-512. AMX is left out: its tiles would have to be hidden from CPUID and from
/// `ARCH_REQ_XCOMP_PERM` as well. PKRU is left out because CR4.PKE is not set, MPX because Linux no longer has it.
const WANTED: u64 = 0xe7;

/// XCR0 of x87 and SSE, which every x86-64 CPU has.
pub const XCR0_LEGACY: u64 = 0b11;

/// Is there an XCR0 at all?
pub fn has_xsave() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    __cpuid(1).ecx & OSXSAVE != 0
}

/// The XCR0 that guests get at most: the host's own, without AMX, MPX and protection keys.
pub fn host_xcr0() -> u64 {
    if !has_xsave() {
        return XCR0_LEGACY;
    }
    // SAFETY: OSXSAVE says that the instruction exists and is enabled.
    let xcr0 = unsafe { xgetbv0() };
    xcr0 & WANTED
}

/// Bytes of an XSAVE image with all the components of the current XCR0.
pub fn xsave_len() -> u32 {
    __cpuid_count(0xd, 0).ebx
}

/// Extended state as KVM gives and takes it: an XSAVE image in standard format, which fits for want of AMX.
pub type XsaveImage = [u8; 4096];

/// Bytes of the legacy region, which is all that FXSAVE knows.
pub const FXSAVE_LEN: usize = 512;
/// Bytes of the legacy region and the XSAVE header.
pub const XSAVE_MIN_LEN: usize = FXSAVE_LEN + 64;

/// Bytes of an XSAVE image in standard format with the components of `xcr0`.
pub fn image_len(xcr0: u64) -> usize {
    let end_of = |component: u32| {
        let leaf = __cpuid_count(0xd, component);
        usize::try_from(leaf.eax + leaf.ebx).unwrap_or(0)
    };
    (2..63).filter(|component| xcr0 >> component & 1 == 1).map(end_of).fold(XSAVE_MIN_LEN, usize::max)
}

/// # Safety
/// CPUID must report OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn xgetbv0() -> u64 {
    // SAFETY: register 0 always exists where the instruction does.
    unsafe { _xgetbv(0) }
}
