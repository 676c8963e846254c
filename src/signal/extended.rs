//! x87, SSE and AVX state in signal frames (the kernel's `arch/x86/kernel/fpu/signal.c`).
//!
//! A frame holds an XSAVE image in standard format with the words of `struct _fpx_sw_bytes` in its unused part, and a
//! second magic word behind it. A CPU without XSAVE has the legacy region alone.

use crate::x86::xstate::{FXSAVE_LEN, XSAVE_MIN_LEN, XsaveImage};

/// `FP_XSTATE_MAGIC1`
const MAGIC1: u32 = 0x4650_5853;
/// `FP_XSTATE_MAGIC2`
const MAGIC2: u32 = 0x4650_5845;
const MAGIC2_LEN: usize = 4;
/// x87 and SSE: the legacy region, which is always restored.
const FPSSE: u64 = 0b11;

/// Offsets in the image.
mod at {
    pub(super) const FCW: usize = 0;
    pub(super) const FSW: usize = 2;
    pub(super) const MXCSR: usize = 24;
    pub(super) const MXCSR_MASK: usize = 28;
    /// Where the registers of x87 begin.
    pub(super) const ST: usize = 32;
    /// Where the registers of SSE begin.
    pub(super) const XMM: usize = 160;
    /// One past the registers of SSE.
    pub(super) const XMM_END: usize = 416;
    /// `struct _fpx_sw_bytes`
    pub(super) const SOFTWARE: usize = 464;
    /// XSTATE_BV
    pub(super) const XFEATURES: usize = 512;
    /// The rest of the header, which must be zero.
    pub(super) const HEADER_REST: usize = 520;
}

/// How a frame holds the state of a guest with this XCR0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    xcr0: u64,
    /// Bytes of the image.
    len: usize,
    has_xsave: bool,
}

impl Layout {
    /// For `xcr0` and an image of `xsave_len` bytes, 0 on a CPU without XSAVE.
    pub fn new(xcr0: u64, xsave_len: usize) -> Self {
        if xsave_len != 0 {
            Self { xcr0, len: xsave_len.min(size_of::<XsaveImage>()), has_xsave: true }
        } else {
            Self { xcr0: FPSSE, len: FXSAVE_LEN, has_xsave: false }
        }
    }

    /// Has the frame more than the legacy region?
    pub fn has_xsave(self) -> bool {
        self.has_xsave
    }

    /// Bytes in the frame.
    pub fn frame_len(self) -> usize {
        if self.has_xsave { self.len + MAGIC2_LEN } else { self.len }
    }

    /// What a frame gets of `image`.
    pub fn to_frame(self, image: &XsaveImage) -> Vec<u8> {
        let mut bytes = image[..self.len].to_vec();
        if !self.has_xsave {
            return bytes;
        }
        let number = |len: usize| u32::try_from(len).unwrap_or(0).to_le_bytes();
        let software = &mut bytes[at::SOFTWARE..FXSAVE_LEN];
        software.fill(0);
        software[..4].copy_from_slice(&MAGIC1.to_le_bytes());
        software[4..8].copy_from_slice(&number(self.frame_len()));
        software[8..16].copy_from_slice(&self.xcr0.to_le_bytes());
        software[16..20].copy_from_slice(&number(self.len));
        // Handlers may change the legacy region, whatever was in use when they began.
        let features = word(&bytes, at::XFEATURES) | FPSSE;
        bytes[at::XFEATURES..at::HEADER_REST].copy_from_slice(&features.to_le_bytes());
        bytes.extend_from_slice(&MAGIC2.to_le_bytes());
        bytes
    }

    /// The state that a frame asks for; `read(offset, to)` reads from it. `None` if the CPU would refuse it, or where
    /// nothing can be read. `current` is what the guest has now.
    pub fn from_frame(
        self,
        current: &XsaveImage,
        mut read: impl FnMut(usize, &mut [u8]) -> Option<()>,
    ) -> Option<XsaveImage> {
        let mut image = [0; size_of::<XsaveImage>()];
        read(0, &mut image[..FXSAVE_LEN])?;
        let wanted = match self.software(&image) {
            Some(Software { features, len }) => {
                let mut magic = [0; MAGIC2_LEN];
                read(len, &mut magic)?;
                if u32::from_le_bytes(magic) == MAGIC2 {
                    read(FXSAVE_LEN, &mut image[FXSAVE_LEN..len.min(self.len)])?;
                    features
                } else {
                    0
                }
            }
            None => 0,
        };
        if wanted == 0 {
            image[at::XFEATURES..at::HEADER_REST].copy_from_slice(&FPSSE.to_le_bytes());
        }
        if image[at::HEADER_REST..XSAVE_MIN_LEN].iter().any(|&byte| byte != 0) {
            return None;
        }
        let present = word(&image, at::XFEATURES);
        if present & !self.xcr0 != 0 {
            return None;
        }
        let loaded = if wanted == 0 { FPSSE } else { present & wanted };
        let mask = mxcsr_mask(current);
        if mxcsr(&image) & !mask != 0 {
            return None;
        }
        initialise_missing(&mut image, loaded);
        image[at::SOFTWARE..FXSAVE_LEN].fill(0);
        Some(image)
    }

    /// What the frame says of itself, if it is sound (`check_xstate_in_sigframe`).
    fn software(self, image: &XsaveImage) -> Option<Software> {
        let number = |offset| usize::try_from(half(image, at::SOFTWARE + offset)).ok();
        let (extended, len) = (number(4)?, number(16)?);
        let is_sound = self.has_xsave
            && half(image, at::SOFTWARE) == MAGIC1
            && (XSAVE_MIN_LEN..=self.len).contains(&len)
            && len <= extended;
        let features = word(image, at::SOFTWARE + 8) & self.xcr0;
        is_sound.then_some(Software { features, len })
    }
}

/// `struct _fpx_sw_bytes`, as far as it counts.
struct Software {
    features: u64,
    len: usize,
}

/// The state in which handlers and new programs begin.
pub fn initial() -> XsaveImage {
    let mut image = [0; size_of::<XsaveImage>()];
    image[at::MXCSR..at::MXCSR_MASK].copy_from_slice(&INITIAL_MXCSR.to_le_bytes());
    initialise_missing(&mut image, 0);
    image
}

const INITIAL_FCW: u16 = 0x37f;
const INITIAL_MXCSR: u32 = 0x1f80;

/// Makes the legacy region complete where it is not `loaded`, so that it can be loaded whatever is in it.
fn initialise_missing(image: &mut XsaveImage, loaded: u64) {
    if loaded & 1 == 0 {
        image[..at::MXCSR].fill(0);
        image[at::ST..at::XMM].fill(0);
        image[at::FCW..at::FSW].copy_from_slice(&INITIAL_FCW.to_le_bytes());
    }
    if loaded & 2 == 0 {
        image[at::XMM..at::XMM_END].fill(0);
    }
    image[at::XFEATURES..at::HEADER_REST].copy_from_slice(&(loaded | FPSSE).to_le_bytes());
}

/// The exceptions of x87 that are unmasked and have happened, as the low bits of its status word.
pub fn x87_exceptions(image: &XsaveImage) -> u32 {
    let word = |at: usize| u32::from(u16::from_le_bytes([image[at], image[at + 1]]));
    word(at::FSW) & !word(at::FCW)
}

/// The exceptions of SSE that are unmasked and have happened, as the low bits of MXCSR.
pub fn sse_exceptions(image: &XsaveImage) -> u32 {
    let mxcsr = mxcsr(image);
    mxcsr & !(mxcsr >> 7)
}

fn mxcsr(image: &XsaveImage) -> u32 {
    half(image, at::MXCSR)
}

/// Which bits of MXCSR may be set; a CPU that does not say so has the default.
fn mxcsr_mask(image: &XsaveImage) -> u32 {
    const DEFAULT: u32 = 0xffbf;
    match half(image, at::MXCSR_MASK) {
        0 => DEFAULT,
        mask => mask,
    }
}

fn half(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVX: Layout = Layout { xcr0: 0b111, len: 832, has_xsave: true };

    fn current() -> XsaveImage {
        let mut image = initial();
        for (index, byte) in image[at::ST..at::XMM_END].iter_mut().enumerate() {
            *byte = u8::try_from(index % 251).unwrap();
        }
        image[at::MXCSR_MASK..at::MXCSR_MASK + 4].copy_from_slice(&0xffffu32.to_le_bytes());
        image[576..832].fill(0xab);
        image[at::XFEATURES] = 0b111;
        image
    }

    fn load(frame: &[u8]) -> Option<XsaveImage> {
        AVX.from_frame(&current(), |offset, to| {
            to.copy_from_slice(frame.get(offset..offset + to.len())?);
            Some(())
        })
    }

    #[test]
    fn a_frame_says_what_is_in_it() {
        let frame = AVX.to_frame(&current());
        assert_eq!(frame.len(), 836);
        assert_eq!(half(&frame, 464), 0x4650_5853);
        assert_eq!(half(&frame, 468), 836);
        assert_eq!(word(&frame, 472), 7);
        assert_eq!(half(&frame, 480), 832);
        assert_eq!(half(&frame, 832), 0x4650_5845);
        assert_eq!(word(&AVX.to_frame(&[0; 4096]), at::XFEATURES), FPSSE);
    }

    #[test]
    fn what_goes_in_comes_out() {
        assert_eq!(load(&AVX.to_frame(&current())), Some(current()));
    }

    #[test]
    fn without_magic_only_the_legacy_region_counts() {
        for damage in [464, 832] {
            let mut frame = AVX.to_frame(&current());
            frame[damage] ^= 1;
            let image = load(&frame).unwrap();
            assert_eq!(image[..464], current()[..464]);
            assert_eq!(word(&image, at::XFEATURES), FPSSE);
        }
    }

    #[test]
    fn components_that_are_not_in_it_are_initialised() {
        let mut frame = AVX.to_frame(&current());
        frame[at::XFEATURES] = 0b100;
        let image = load(&frame).unwrap();
        assert_eq!(image[..at::MXCSR], initial()[..at::MXCSR]);
        assert_eq!(image[at::ST..at::XMM_END], [0; 384]);
        assert_eq!(word(&image, at::XFEATURES), 0b111);
        // Not asked for.
        frame[at::SOFTWARE + 8] = 0b011;
        assert_eq!(word(&load(&frame).unwrap(), at::XFEATURES), FPSSE);
    }

    #[test]
    fn what_the_cpu_would_refuse_is_refused() {
        for (place, value) in [(at::XFEATURES, 0x17), (at::HEADER_REST, 1), (570, 1), (at::MXCSR + 2, 1)] {
            let mut frame = AVX.to_frame(&current());
            frame[place] = value;
            assert_eq!(load(&frame), None, "{place}");
        }
        assert_eq!(load(&AVX.to_frame(&current())[..700]), None, "cannot be read");
    }

    #[test]
    fn unmasked_exceptions_are_found() {
        let mut image = initial();
        assert_eq!((x87_exceptions(&image) & 0x3f, sse_exceptions(&image) & 0x3f), (0, 0));
        image[at::FCW] = 0x7b;
        image[at::FSW] = 0x04;
        image[at::MXCSR..at::MXCSR_MASK].copy_from_slice(&(0x1f80u32 & !0x200 | 4).to_le_bytes());
        assert_eq!((x87_exceptions(&image) & 0x3f, sse_exceptions(&image) & 0x3f), (4, 4));
    }
}
