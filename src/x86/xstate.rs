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

/// # Safety
/// CPUID must report OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn xgetbv0() -> u64 {
    // SAFETY: register 0 always exists where the instruction does.
    unsafe { _xgetbv(0) }
}
