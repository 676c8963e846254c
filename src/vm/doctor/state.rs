//! State that KVM keeps for the guest across an exit: vector and x87 registers, segment bases.

use std::hint::black_box;
use std::sync::atomic::Ordering;

use super::check::{Answer, Check, Failure, Need};
use super::routines::Routine;
use super::scratch::{Page, RW, Scratch};
use crate::vm::Trap;
use crate::x86::{UserRegs, Vector};

pub(super) const CHECKS: &[Check] = &[
    Check { what: "x87 and SSE", need: Need::Must, perform: x87_and_sse },
    Check { what: "AVX", need: Need::May, perform: avx },
    Check { what: "AVX-512", need: Need::May, perform: avx512 },
    Check { what: "XCR0", need: Need::May, perform: xcr0 },
    Check { what: "FS and GS", need: Need::Must, perform: segments },
    Check { what: "wrfsbase", need: Need::May, perform: user_segments },
];

const FROM: Page = Page(1);
const TO: Page = Page(2);

/// State components in XCR0 (SDM volume 1, section 13.1).
const XCR0_AVX: u64 = 1 << 2;
const XCR0_AVX512: u64 = 0xe0;

/// Offsets in an FXSAVE image (SDM volume 1, section 10.5.1) and values that differ from those after reset.
mod fxsave {
    pub(super) const LEN: usize = 512;
    /// 53-bit precision, rounding down, all exceptions masked.
    pub(super) const CONTROL: [u8; 2] = 0x067f_u16.to_le_bytes();
    /// Abridged tag word: all eight registers are in use.
    pub(super) const TAGS: (usize, u8) = (4, 0xff);
    /// Rounding towards zero, all exceptions masked.
    pub(super) const MXCSR: (usize, [u8; 4]) = (24, 0x7f80_u32.to_le_bytes());
    pub(super) const X87: usize = 32;
    pub(super) const X87_LEN: usize = 10;
    pub(super) const XMM: usize = 160;
    pub(super) const XMM_END: usize = 416;
}

fn x87_and_sse(scratch: &mut Scratch) -> Result<Answer, Failure> {
    let image = fxsave_image();
    exchange(scratch, "x87 and SSE code", Routine::Fxsave, &image)?;
    let saved = scratch.read::<{ fxsave::LEN }>(TO);
    // Of the rest the CPU may make what it likes (addresses of the last instruction, reserved bytes).
    let mut kept = [0; fxsave::LEN];
    for range in fxsave_ranges() {
        kept[range.clone()].copy_from_slice(&saved[range]);
    }
    if kept == image { Ok(Answer::yes("kept over system calls")) } else { Err(lost()) }
}

fn fxsave_ranges() -> impl Iterator<Item = std::ops::Range<usize>> {
    let registers = (0..8).map(|i| fxsave::X87 + 16 * i).map(|start| start..start + fxsave::X87_LEN);
    let (tags, mxcsr) = (fxsave::TAGS.0, fxsave::MXCSR.0);
    [0..2, tags..tags + 1, mxcsr..mxcsr + 4, fxsave::XMM..fxsave::XMM_END].into_iter().chain(registers)
}

fn fxsave_image() -> [u8; fxsave::LEN] {
    let pattern = pattern::<{ fxsave::LEN }>();
    let mut image = [0; fxsave::LEN];
    for range in fxsave_ranges() {
        image[range.clone()].copy_from_slice(&pattern[range]);
    }
    image[..2].copy_from_slice(&fxsave::CONTROL);
    let ((tags, all), (mxcsr, rounding)) = (fxsave::TAGS, fxsave::MXCSR);
    image[tags] = all;
    image[mxcsr..mxcsr + 4].copy_from_slice(&rounding);
    image
}

fn avx(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const LEN: usize = 16 * 32;
    vectors::<LEN>(scratch, XCR0_AVX, "AVX code", Routine::Avx)
}

fn avx512(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const LEN: usize = 32 * 64 + 8 * 2;
    vectors::<LEN>(scratch, XCR0_AVX512, "AVX-512 code", Routine::Avx512)
}

fn vectors<const LEN: usize>(
    scratch: &mut Scratch,
    state: u64,
    what: &str,
    routine: Routine,
) -> Result<Answer, Failure> {
    if scratch.machine.xcr0() & state != state {
        return Ok(Answer::no("this CPU has none"));
    }
    let sent = pattern::<LEN>();
    exchange(scratch, what, routine, &sent)?;
    if scratch.read::<LEN>(TO) == sent { Ok(Answer::yes("kept over system calls")) } else { Err(lost()) }
}

/// `routine` loads its registers from `bytes`, leaves the guest, and stores them when it goes on.
fn exchange(scratch: &mut Scratch, what: &str, routine: Routine, bytes: &[u8]) -> Result<(), Failure> {
    scratch.map(FROM, RW)?;
    scratch.map(TO, RW)?;
    scratch.write(FROM, bytes);
    scratch.call(what, UserRegs { rdi: FROM.gva(), rsi: TO.gva(), ..Scratch::at(routine) })?;
    use_vector_registers();
    scratch.call_again(what)?;
    Ok(())
}

/// The host computes meanwhile.
fn use_vector_registers() {
    let values = black_box([1.5_f64; 64]);
    black_box(values.map(f64::sqrt));
}

fn lost() -> Failure {
    Failure::wrong("a system call changed the registers")
}

fn pattern<const LEN: usize>() -> [u8; LEN] {
    let mut next = 1_u8;
    std::array::from_fn(|_| {
        next = next.wrapping_mul(5).wrapping_add(113);
        next
    })
}

/// What `xgetbv` shows, which is what a program goes by.
fn xcr0(scratch: &mut Scratch) -> Result<Answer, Failure> {
    let wanted = scratch.machine.xcr0();
    match scratch.start(Scratch::at(Routine::Xgetbv))? {
        Trap::Syscall => {
            let regs = scratch.vcpu.regs();
            let shown = regs.rdx << 32 | regs.rax & 0xffff_ffff;
            let meaning = if shown == wanted {
                "extended state as the program sees it".to_owned()
            } else {
                format!("extended state as the program sees it; kvm-se asked for {wanted:#x}")
            };
            Ok(Answer::value(format!("{shown:#x}"), meaning))
        }
        Trap::Exception { vector: Vector::UD, .. } => Ok(Answer::no("this CPU has no XSAVE")),
        other => Err(Failure::trap("xgetbv", other)),
    }
}

/// Bases that the host sets are those the guest uses.
fn segments(scratch: &mut Scratch) -> Result<Answer, Failure> {
    place_segments(scratch)?;
    for (fs, gs) in [(FROM, TO), (TO, FROM)] {
        scratch.vcpu.set_segment_bases(fs.gva(), gs.gva())?;
        let regs = scratch.call("thread-local access", Scratch::at(Routine::Segments))?;
        if (regs.r8, regs.r9) != (fs.0, gs.0) {
            return Err(Failure::wrong("the guest has other bases than were set"));
        }
    }
    Ok(Answer::yes("thread-local storage"))
}

/// Bases that the guest sets itself are kept, and the host reads them.
fn user_segments(scratch: &mut Scratch) -> Result<Answer, Failure> {
    place_segments(scratch)?;
    scratch.vcpu.set_segment_bases(TO.gva(), FROM.gva())?;
    let regs = UserRegs { rdi: FROM.gva(), rsi: TO.gva(), ..Scratch::at(Routine::SetSegments) };
    match scratch.start(regs)? {
        Trap::Syscall => {}
        Trap::Exception { vector: Vector::UD, .. } => return Ok(Answer::no("this CPU has no FSGSBASE")),
        other => return Err(Failure::trap("wrfsbase", other)),
    }
    let regs = scratch.call("thread-local access", Scratch::at(Routine::Segments))?;
    if (regs.r8, regs.r9) != (FROM.0, TO.0) || scratch.vcpu.segment_bases()? != (FROM.gva(), TO.gva()) {
        return Err(Failure::wrong("bases that the guest set are lost"));
    }
    Ok(Answer::yes("a program may set FS and GS by itself"))
}

fn place_segments(scratch: &Scratch) -> Result<(), Failure> {
    for page in [FROM, TO] {
        scratch.map(page, RW)?;
        scratch.word(page, 0).store(page.0, Ordering::Relaxed);
    }
    Ok(())
}
