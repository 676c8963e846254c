//! Memory operands that an instruction may not have: at addresses that are not canonical, or not aligned as it demands
//! (Intel SDM volume 1, 4.6.4 and volume 2, 2.4).

use iced_x86::{Decoder, DecoderOptions, EncodingKind, Instruction, Mnemonic, OpKind, Register};

use super::{UserRegs, Vector};

/// Longest instruction, in bytes.
pub const MAX_LEN: usize = 15;

/// The exception that the instruction at the start of `code` makes for its memory operand, with `regs` and the bases of
/// FS and GS; `None` if that is not at fault, or there is no such instruction.
pub fn fault(code: &[u8], regs: &UserRegs, bases: (u64, u64)) -> Option<Vector> {
    let instruction = Decoder::with_ip(64, code, regs.rip, DecoderOptions::NONE).decode();
    if instruction.is_invalid() || matches!(instruction.mnemonic(), Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2) {
        return None;
    }
    if matches!(instruction.mnemonic(), Mnemonic::Ldmxcsr | Mnemonic::Vldmxcsr) {
        // Reserved bits, if not the address.
        return Some(Vector::GP);
    }
    let operands = 0..instruction.op_count();
    let operand = operands.into_iter().find(|&index| instruction.op_kind(index) == OpKind::Memory)?;
    let value = |register, _, _| value_of(register, regs, bases);
    let addr = instruction.virtual_address(operand, 0, value)?;
    let len = instruction.memory_size().size().max(1) as u64;
    if wants_alignment(&instruction) && !addr.is_multiple_of(len.min(64)) {
        return Some(Vector::GP);
    }
    if !is_canonical(addr) || !is_canonical(addr.wrapping_add(len - 1)) {
        return Some(if instruction.memory_segment() == Register::SS { Vector::SS } else { Vector::GP });
    }
    None
}

fn is_canonical(addr: u64) -> bool {
    const SIGN: u32 = 64 - 48;
    (addr << SIGN).cast_signed() >> SIGN == addr.cast_signed()
}

/// Must the operand be aligned to its length? SSE demands it except of the moves that say otherwise, AVX only of those that
/// say so.
fn wants_alignment(instruction: &Instruction) -> bool {
    use Mnemonic::{
        Lddqu, Movdqu, Movupd, Movups, Pcmpestri, Pcmpestrm, Pcmpistri, Pcmpistrm, Vmovapd, Vmovaps, Vmovdqa,
        Vmovdqa32, Vmovdqa64, Vmovntdq, Vmovntdqa, Vmovntpd, Vmovntps,
    };
    let mnemonic = instruction.mnemonic();
    match instruction.encoding() {
        EncodingKind::Legacy => {
            let may_be_anywhere =
                matches!(mnemonic, Lddqu | Movdqu | Movupd | Movups | Pcmpestri | Pcmpestrm | Pcmpistri | Pcmpistrm);
            instruction.memory_size().size() == 16 && !may_be_anywhere
        }
        _ => matches!(
            mnemonic,
            Vmovapd | Vmovaps | Vmovdqa | Vmovdqa32 | Vmovdqa64 | Vmovntdq | Vmovntdqa | Vmovntpd | Vmovntps
        ),
    }
}

/// The value of a register that is part of an address, with the bases of FS and GS. `None` for registers that only gathers
/// and scatters use for addresses.
pub fn value_of(register: Register, regs: &UserRegs, (fs, gs): (u64, u64)) -> Option<u64> {
    let value = match register {
        Register::FS => fs,
        Register::GS => gs,
        Register::CS | Register::DS | Register::ES | Register::SS => 0,
        _ => regs.general(register)?,
    };
    Some(match register.size() {
        4 => value & u64::from(u32::MAX),
        // That of xlatb.
        1 => value & 0xff,
        _ => value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: u64 = 1 << 60;

    fn fault_at(code: &[u8], rax: u64) -> Option<Vector> {
        fault(code, &UserRegs { rax, rsp: BAD, ..UserRegs::default() }, (0, 0))
    }

    #[test]
    fn sse_demands_alignment_and_avx_does_not() {
        let (addps, movups, vaddps) = ([0x0f, 0x58, 0x00], [0x0f, 0x10, 0x00], [0xc5, 0xf8, 0x58, 0x00]);
        let vmovaps = [0xc5, 0xfc, 0x28, 0x00];
        assert_eq!(fault_at(&addps, 0x1001), Some(Vector::GP));
        assert_eq!(fault_at(&addps, 0x1000), None);
        assert_eq!(fault_at(&movups, 0x1001), None);
        assert_eq!(fault_at(&vaddps, 0x1001), None);
        assert_eq!(fault_at(&vmovaps, 0x1010), Some(Vector::GP), "32 bytes");
    }

    #[test]
    fn addresses_are_canonical() {
        let (fld, popcnt) = ([0xd9, 0x00], [0xf3, 0x0f, 0xb8, 0x00]);
        assert_eq!(fault_at(&fld, BAD), Some(Vector::GP));
        assert_eq!(fault_at(&popcnt, (1 << 47) - 3), Some(Vector::GP), "its end");
        assert_eq!(fault_at(&popcnt, 0x1003), None);
        assert_eq!(fault_at(&[0x0f, 0x10, 0x04, 0x24], 0), Some(Vector::SS), "by the stack pointer");
        assert_eq!(fault_at(&[0x0f, 0x58, 0x44, 0x24, 0x08], 0), Some(Vector::GP), "not aligned either");
    }

    #[test]
    fn what_is_undefined_stays_so() {
        assert_eq!(fault_at(&[0x0f, 0x0b], BAD), None, "ud2");
        assert_eq!(fault_at(&[0xf0, 0x90, 0x90], BAD), None, "lock nop");
        assert_eq!(fault_at(&[0x06], BAD), None);
    }
}
