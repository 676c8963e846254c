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

/// Names of what [`register_values`] tells, in order.
pub const REGISTERS: [&str; 52] = [
    "fctrl", "fstat", "ftag", "mxcsr", "st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7", "zmm0", "zmm1", "zmm2",
    "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15",
    "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26", "zmm27",
    "zmm28", "zmm29", "zmm30", "zmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
];

/// The contents of the registers in `image`, those of vectors as wide as they can be. Where x87 was last, which only some
/// processors keep, is left out. A component that `image` does not hold is in its initial state.
pub fn register_values(image: &XsaveImage) -> Vec<Vec<u8>> {
    const XSTATE_BV: usize = FXSAVE_LEN;
    let held = image[XSTATE_BV..XSTATE_BV + 8].iter().rev().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
    let part = |component: u32, at: usize, len: usize| -> Vec<u8> {
        let start = match component {
            0 | 1 => Some(0),
            _ if held >> component & 1 == 0 => None,
            _ => usize::try_from(__cpuid_count(0xd, component).ebx).ok(),
        };
        let found = start.and_then(|start| image.get(start + at..start + at + len));
        found.map_or_else(|| vec![0; len], <[u8]>::to_vec)
    };
    let legacy = |component: u32, at: usize, initial: &[u8]| {
        if held >> component & 1 == 0 { initial.to_vec() } else { part(component, at, initial.len()) }
    };
    let mut values = vec![legacy(0, 0, &[0x7f, 3]), legacy(0, 2, &[0; 2]), legacy(0, 4, &[0])];
    // MXCSR is kept whatever the component is.
    values.push(part(1, 24, 4));
    values.extend((0..8).map(|number| legacy(0, 32 + 16 * number, &[0; 10])));
    values.extend((0..16).map(|number| {
        [legacy(1, 160 + 16 * number, &[0; 16]), part(2, 16 * number, 16), part(6, 32 * number, 32)].concat()
    }));
    values.extend((0..16).map(|number| part(7, 64 * number, 64)));
    values.extend((0..8).map(|number| part(5, 8 * number, 8)));
    values
}

/// # Safety
/// CPUID must report OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn xgetbv0() -> u64 {
    // SAFETY: register 0 always exists where the instruction does.
    unsafe { _xgetbv(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_held_is_in_its_initial_state() {
        let mut image: XsaveImage = [0xee; 4096];
        image[FXSAVE_LEN..XSAVE_MIN_LEN].fill(0);
        let named = |image: &XsaveImage, name: &str| {
            let place = REGISTERS.iter().position(|other| *other == name).unwrap();
            register_values(image)[place].clone()
        };
        assert_eq!(register_values(&image).len(), REGISTERS.len());
        assert_eq!((named(&image, "fctrl"), named(&image, "st7")), (vec![0x7f, 3], vec![0; 10]));
        assert_eq!(
            (named(&image, "zmm0"), named(&image, "zmm31"), named(&image, "k7")),
            (vec![0; 64], vec![0; 64], vec![0; 8])
        );
        image[FXSAVE_LEN] = 0b11;
        assert_eq!((named(&image, "fctrl"), named(&image, "st7")), (vec![0xee; 2], vec![0xee; 10]));
        assert_eq!(named(&image, "zmm0"), [[0xee; 16].as_slice(), &[0; 48]].concat());
        image[FXSAVE_LEN] = 0b111;
        assert_eq!(named(&image, "zmm15"), [[0xee; 32].as_slice(), &[0; 32]].concat());
    }
}
