//! What one instruction reads and writes, as its encoding says (iced-x86's tables).

use std::ops::Range;

use iced_x86::{
    CpuidFeature, Decoder, DecoderOptions, EncodingKind, Instruction, InstructionInfoFactory, MemorySize, Mnemonic,
    OpAccess, OpKind, Register, RflagsBits, UsedMemory,
};

use super::RFlags;
use super::operand::{MAX_LEN, value_of};
use super::state::{Reg, State};

/// gem5's m5op, which no other processor has, without its number of 16 bits (`include/gem5/asm/generic/m5ops.h`).
pub const M5OP: [u8; 2] = [0x0f, 0x04];
/// Its bytes.
pub const M5OP_LEN: usize = 4;

/// Memory that an instruction uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// GVA.
    pub addr: u64,
    /// Bytes.
    pub len: usize,
    /// Is it read?
    pub is_read: bool,
    /// Is it written?
    pub is_written: bool,
}

/// What an instruction does to registers.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Registers that it writes, changed or not; those of x87 and MXCSR are not among them.
    pub registers: Vec<Reg>,
    /// Flags that it leaves undefined (RFLAGS).
    pub undefined: u64,
}

/// Decodes instructions and says what they do. Keeps its memory from one to the next.
#[derive(Debug, Default)]
pub struct Effects {
    factory: Option<InstructionInfoFactory>,
}

/// The instruction at the start of `code`, if there is one.
pub fn decode(code: &[u8], rip: u64) -> Option<Instruction> {
    let code = &code[..code.len().min(MAX_LEN)];
    let instruction = Decoder::with_ip(64, code, rip, DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// Is it repeated, one iteration a step?
pub fn is_repeated(instruction: &Instruction) -> bool {
    instruction.is_string_instruction() && (instruction.has_rep_prefix() || instruction.has_repne_prefix())
}

/// Can it use registers that XSAVE keeps?
pub fn uses_extended_state(instruction: &Instruction) -> bool {
    use CpuidFeature::{
        ADX, BMI1, BMI2, CET_IBT, CLFLUSHOPT, CLFSH, CLWB, CMOV, CMPXCHG16B, CPUID, CX8, FSGSBASE, INTEL186, INTEL286,
        INTEL386, INTEL386_ONLY, INTEL486, INTEL8086, LZCNT, MOVBE, MULTIBYTENOP, PAUSE, POPCNT, PREFETCHW, RDPID,
        RDPMC, RDRAND, RDSEED, RDTSCP, SYSCALL, TSC, X64,
    };
    const BASIC: &[CpuidFeature] = &[
        ADX,
        BMI1,
        BMI2,
        CLFLUSHOPT,
        CLFSH,
        CLWB,
        CMOV,
        CMPXCHG16B,
        CPUID,
        CX8,
        FSGSBASE,
        INTEL186,
        INTEL286,
        INTEL386,
        INTEL386_ONLY,
        INTEL486,
        INTEL8086,
        LZCNT,
        MOVBE,
        MULTIBYTENOP,
        PAUSE,
        POPCNT,
        PREFETCHW,
        RDPID,
        RDPMC,
        RDRAND,
        RDSEED,
        RDTSCP,
        SYSCALL,
        TSC,
        X64,
        CET_IBT,
    ];
    !instruction.cpuid_features().iter().all(|feature| BASIC.contains(feature))
}

/// Can it change the base of FS or GS?
pub fn changes_bases(instruction: &Instruction) -> bool {
    use Mnemonic::{Lfs, Lgs, Mov, Pop, Wrfsbase, Wrgsbase};
    match instruction.mnemonic() {
        Lfs | Lgs | Wrfsbase | Wrgsbase => true,
        Mov | Pop => matches!(instruction.op0_register(), Register::FS | Register::GS),
        _ => false,
    }
}

impl Effects {
    /// The memory that `instruction` uses, executed in `state`. Of a repeated one, it is what its next iteration uses.
    pub fn accesses(&mut self, instruction: &Instruction, state: &State) -> Vec<Access> {
        if is_repeated(instruction) && count(instruction, state) == 0 {
            return Vec::new();
        }
        let info = self.factory.get_or_insert_with(InstructionInfoFactory::new).info(instruction);
        let mut accesses = Vec::new();
        for memory in info.used_memory() {
            let (is_read, is_written) = match memory.access() {
                OpAccess::Read | OpAccess::CondRead => (true, false),
                OpAccess::Write | OpAccess::CondWrite => (false, true),
                OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
                OpAccess::None | OpAccess::NoMemAccess => continue,
            };
            for (addr, len) in places(instruction, memory, state) {
                accesses.push(Access { addr, len, is_read, is_written });
            }
        }
        accesses
    }

    /// The registers that `instruction` reads, and those that it writes.
    pub fn used(&mut self, instruction: &Instruction) -> (Vec<Reg>, Vec<Reg>) {
        let info = self.factory.get_or_insert_with(InstructionInfoFactory::new).info(instruction);
        let mut used = (Vec::new(), Vec::new());
        let mut note = |reg: Reg, is_read: bool, is_written: bool| {
            for (_, list) in [(is_read, &mut used.0), (is_written, &mut used.1)].into_iter().filter(|(is_it, _)| *is_it)
            {
                if !list.contains(&reg) {
                    list.push(reg);
                }
            }
        };
        for register in info.used_registers() {
            if let Some(reg) = Reg::of(register.register()) {
                use OpAccess::{CondRead, CondWrite, Read, ReadCondWrite, ReadWrite, Write};
                let access = register.access();
                let is_read = matches!(access, Read | CondRead | ReadWrite | ReadCondWrite);
                note(reg, is_read, matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite));
            }
        }
        let [reads, writes] = [instruction.rflags_read(), instruction.rflags_modified()].map(|bits| bits & !X87_FLAGS);
        note(Reg::RFLAGS, reads != RflagsBits::NONE, writes != RflagsBits::NONE);
        used
    }

    /// The registers that `instruction` writes.
    pub fn written(&mut self, instruction: &Instruction) -> Written {
        let (_, mut registers) = self.used(instruction);
        // Where those of MMX are depends on what is on top of x87's stack.
        registers.retain(|reg| !reg.is_x87());
        Written { registers, undefined: undefined(instruction) }
    }
}

/// Flags that are not in RFLAGS, but in x87's status word.
const X87_FLAGS: u32 = RflagsBits::C0 | RflagsBits::C1 | RflagsBits::C2 | RflagsBits::C3;

/// Iterations that a repeated instruction has left.
fn count(instruction: &Instruction, state: &State) -> u64 {
    let is_short = instruction_address_size(instruction) == 4;
    if is_short { state.regs.rcx & u64::from(u32::MAX) } else { state.regs.rcx }
}

fn instruction_address_size(instruction: &Instruction) -> u64 {
    let short = [Register::ESI, Register::EDI];
    let bases = (0..instruction.op_count()).any(|index| {
        use iced_x86::OpKind::{MemoryESEDI, MemorySegEDI, MemorySegESI};
        matches!(instruction.op_kind(index), MemoryESEDI | MemorySegEDI | MemorySegESI)
    });
    if bases || short.contains(&instruction.memory_base()) { 4 } else { 8 }
}

fn undefined(instruction: &Instruction) -> u64 {
    let bits = instruction.rflags_undefined();
    let pairs = [
        (RflagsBits::OF, RFlags::OF),
        (RflagsBits::SF, RFlags::SF),
        (RflagsBits::ZF, RFlags::ZF),
        (RflagsBits::AF, RFlags::AF),
        (RflagsBits::CF, RFlags::CF),
        (RflagsBits::PF, RFlags::PF),
        (RflagsBits::DF, RFlags::DF),
        (RflagsBits::AC, RFlags::AC),
    ];
    pairs.iter().filter(|(bit, _)| bits & bit != 0).fold(0, |mask, (_, flag)| mask | flag.bits())
}

/// Where `memory` is, and how long: one place, or one for each element that a gather or scatter uses.
fn places(instruction: &Instruction, memory: &UsedMemory, state: &State) -> Vec<(u64, usize)> {
    let len = len(instruction, memory.memory_size(), state);
    let vsib_size = usize::try_from(memory.vsib_size()).unwrap_or(0);
    if vsib_size == 0 {
        let addr = memory.virtual_address(0, |register, _, _| value_of(register, &state.regs, state.bases));
        let Some(addr) = addr.map(|addr| addr.wrapping_add_signed(bit_offset(instruction, state))) else {
            return Vec::new();
        };
        return match masked(instruction, len, state) {
            None => vec![(addr, len)],
            Some(parts) => parts.into_iter().map(|part| (addr + part.start as u64, part.len())).collect(),
        };
    }
    let index = memory.index();
    let value = |register: Register| Reg::of(register).map(|reg| state.value(reg));
    let Some(indices) = value(index) else { return Vec::new() };
    let is_evex = instruction.encoding() == EncodingKind::EVEX;
    let other = if instruction.op0_register() == Register::None {
        instruction.op1_register()
    } else {
        instruction.op0_register()
    };
    let elements = (index.size() / vsib_size).min(other.size() / len.max(1));
    let mask = if is_evex { value(instruction.op_mask()) } else { value(instruction.op2_register()) };
    let is_used = |element: usize| match mask {
        None => true,
        Some(mask) if is_evex => mask[element / 8] >> (element % 8) & 1 != 0,
        Some(mask) => mask[element * len + len - 1] & 0x80 != 0,
    };
    let addr_of = |element: usize| {
        memory.virtual_address(element, |register, element, size| {
            if register == index {
                let at = &indices[element * size..][..size];
                // Indices of 32 bits are signed.
                return match *at {
                    [a, b, c, d] => Some(i64::from(i32::from_le_bytes([a, b, c, d])).cast_unsigned()),
                    _ => at.try_into().ok().map(u64::from_le_bytes),
                };
            }
            value_of(register, &state.regs, state.bases)
        })
    };
    (0..elements).filter(|&element| is_used(element)).filter_map(addr_of).map(|addr| (addr, len)).collect()
}

/// How many bytes behind its operand an instruction for single bits finds the one that a register names.
fn bit_offset(instruction: &Instruction, state: &State) -> i64 {
    use Mnemonic::{Bt, Btc, Btr, Bts};
    let is_by_register = instruction.op0_kind() == OpKind::Memory && instruction.op1_kind() == OpKind::Register;
    if !is_by_register || !matches!(instruction.mnemonic(), Bt | Bts | Btr | Btc) {
        return 0;
    }
    let register = instruction.op1_register();
    let bits: u8 = match register.size() {
        2 => 16,
        4 => 32,
        _ => 64,
    };
    let value = state.regs.general(register).unwrap_or(0);
    let signed = (value << (64 - bits)).cast_signed() >> (64 - bits);
    signed.div_euclid(bits.into()) * i64::from(bits / 8)
}

/// The parts of a memory operand of `len` bytes that a masked store or move uses; `None` for others.
fn masked(instruction: &Instruction, len: usize, state: &State) -> Option<Vec<Range<usize>>> {
    use Mnemonic::{
        Maskmovdqu, Maskmovq, Vcompresspd, Vcompressps, Vexpandpd, Vexpandps, Vmaskmovdqu, Vmaskmovpd, Vmaskmovps,
        Vpcompressb, Vpcompressd, Vpcompressq, Vpcompressw, Vpexpandb, Vpexpandd, Vpexpandq, Vpexpandw, Vpmaskmovd,
        Vpmaskmovq,
    };
    let value = |register: Register| Reg::of(register).map(|reg| state.value(reg));
    let element = match instruction.mnemonic() {
        Maskmovdqu | Maskmovq | Vmaskmovdqu => 1,
        _ => instruction.memory_size().element_size().max(1),
    };
    let count = len / element;
    let is_used: Box<dyn Fn(usize) -> bool> = match instruction.mnemonic() {
        Maskmovdqu | Maskmovq | Vmaskmovdqu => {
            let mask = value(instruction.op2_register())?;
            Box::new(move |index| mask[index] & 0x80 != 0)
        }
        Vmaskmovps | Vmaskmovpd | Vpmaskmovd | Vpmaskmovq => {
            let mask = value(instruction.op1_register())?;
            Box::new(move |index| mask[index * element + element - 1] & 0x80 != 0)
        }
        mnemonic if instruction.has_op_mask() && instruction.encoding() == EncodingKind::EVEX => {
            let mask = value(instruction.op_mask())?;
            let is_set = move |index: usize| mask[index / 8] >> (index % 8) & 1 != 0;
            match mnemonic {
                Vcompresspd | Vcompressps | Vpcompressb | Vpcompressd | Vpcompressq | Vpcompressw | Vexpandpd
                | Vexpandps | Vpexpandb | Vpexpandd | Vpexpandq | Vpexpandw => {
                    let together = (0..count).filter(|&index| is_set(index)).count();
                    Box::new(move |index| index < together)
                }
                _ if instruction.op0_kind() == OpKind::Memory || is_move(mnemonic) => Box::new(is_set),
                _ => return None,
            }
        }
        _ => return None,
    };
    let mut parts: Vec<Range<usize>> = Vec::new();
    for start in (0..count).filter(|&index| is_used(index)).map(|index| index * element) {
        match parts.last_mut() {
            Some(last) if last.end == start => last.end += element,
            _ => parts.push(start..start + element),
        }
    }
    Some(parts)
}

/// Does it take from memory what its mask says, and nothing else?
fn is_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic::{
        Vmovapd, Vmovaps, Vmovdqa32, Vmovdqa64, Vmovdqu8, Vmovdqu16, Vmovdqu32, Vmovdqu64, Vmovsd, Vmovss, Vmovupd,
        Vmovups,
    };
    matches!(
        mnemonic,
        Vmovapd
            | Vmovaps
            | Vmovdqa32
            | Vmovdqa64
            | Vmovdqu8
            | Vmovdqu16
            | Vmovdqu32
            | Vmovdqu64
            | Vmovsd
            | Vmovss
            | Vmovupd
            | Vmovups
    )
}

/// Bytes of an operand.
fn len(instruction: &Instruction, size: MemorySize, state: &State) -> usize {
    const LEGACY_AND_HEADER: usize = 576;
    match instruction.mnemonic() {
        Mnemonic::Xsave
        | Mnemonic::Xsave64
        | Mnemonic::Xsaveopt
        | Mnemonic::Xsaveopt64
        | Mnemonic::Xrstor
        | Mnemonic::Xrstor64
        | Mnemonic::Xsavec
        | Mnemonic::Xsavec64 => {
            let asked = state.regs.rax & u64::from(u32::MAX);
            // The compacted form is the shorter one.
            super::xstate::image_len(asked & super::xstate::host_xcr0()).max(LEGACY_AND_HEADER)
        }
        // How long a repeated one is depends on its count.
        _ if size == MemorySize::Unknown => instruction.memory_size().size(),
        _ => size.size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::UserRegs;

    fn accesses(code: &[u8], regs: UserRegs) -> Vec<Access> {
        let state = State::new(regs, (0x1000, 0x2000), [0; 4096]);
        Effects::default().accesses(&decode(code, regs.rip).unwrap(), &state)
    }

    fn read(addr: u64, len: usize) -> Access {
        Access { addr, len, is_read: true, is_written: false }
    }

    fn write(addr: u64, len: usize) -> Access {
        Access { addr, len, is_read: false, is_written: true }
    }

    #[test]
    fn addresses_are_computed() {
        let regs = UserRegs { rax: 0x5000, rbx: 8, rsp: 0x7000, rip: 0x40_0000, ..UserRegs::default() };
        // mov rax, fs:[0x28]
        assert_eq!(accesses(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0], regs), [read(0x1028, 8)]);
        // mov ecx, [rip+4]
        assert_eq!(accesses(&[0x8b, 0x0d, 4, 0, 0, 0], regs), [read(0x40_000a, 4)]);
        // mov [rax+rbx*4+1], cl
        assert_eq!(accesses(&[0x88, 0x4c, 0x98, 0x01], regs), [write(0x5021, 1)]);
        // push rax
        assert_eq!(accesses(&[0x50], regs), [write(0x6ff8, 8)]);
        // xlatb
        assert_eq!(accesses(&[0xd7], regs), [read(8, 1)]);
        // lea and a long nop touch nothing.
        assert_eq!(accesses(&[0x48, 0x8d, 0x00], regs), []);
        assert_eq!(accesses(&[0x0f, 0x1f, 0x40, 0x00], regs), []);
    }

    #[test]
    fn a_repeated_move_uses_one_element_at_a_time() {
        let regs = UserRegs { rsi: 0x100, rdi: 0x200, rcx: 3, ..UserRegs::default() };
        let movsq = [0xf3, 0x48, 0xa5];
        let mut found = accesses(&movsq, regs);
        found.sort_by_key(|access| access.addr);
        assert_eq!(found, [read(0x100, 8), write(0x200, 8)]);
        assert_eq!(accesses(&movsq, UserRegs { rcx: 0, ..regs }), []);
    }

    #[test]
    fn single_bits_are_where_the_register_says() {
        let regs = UserRegs { rdi: 0x5000, rcx: 100, ..UserRegs::default() };
        let change = |addr, len| Access { addr, len, is_read: true, is_written: true };
        // bts [rdi], ecx and rcx; bt [rdi], cx
        assert_eq!(accesses(&[0x0f, 0xab, 0x0f], regs), [change(0x500c, 4)]);
        assert_eq!(accesses(&[0x48, 0x0f, 0xab, 0x0f], regs), [change(0x5008, 8)]);
        assert_eq!(accesses(&[0x66, 0x0f, 0xa3, 0x0f], UserRegs { rcx: 0xffff, ..regs }), [read(0x4ffe, 2)]);
        assert_eq!(accesses(&[0x0f, 0xba, 0x2f, 0x11], regs), [change(0x5000, 4)], "bts dword [rdi], 17");
    }

    #[test]
    fn masked_moves_use_what_the_mask_says() {
        let regs = UserRegs { rax: 0x5000, ..UserRegs::default() };
        let accesses = |code: &[u8], reg: Reg, value: &[u8]| {
            let mut state = State::new(regs, (0, 0), [0; 4096]);
            state.set(reg, 0, value);
            Effects::default().accesses(&decode(code, 0).unwrap(), &state)
        };
        // vmaskmovps [rax], xmm1, xmm2
        let signs = [0, 0, 0, 0x80, 0, 0, 0, 0x7f, 0, 0, 0, 0x80, 0, 0, 0, 0xff];
        let masked = accesses(&[0xc4, 0xe2, 0x71, 0x2e, 0x10], Reg::vector(1), &signs);
        assert_eq!(masked, [write(0x5000, 4), write(0x5008, 8)]);
        const OPMASK: u64 = 1 << 5;
        if super::super::xstate::host_xcr0() & OPMASK == 0 {
            return;
        }
        let accesses = |code: &[u8], mask: u8| accesses(code, Reg::opmask(1), &[mask]);
        // vmovdqu32 [rax]{k1}, zmm1; vmovdqu32 zmm1{k1}, [rax]; vpcompressd [rax]{k1}, zmm1
        assert_eq!(accesses(&[0x62, 0xf1, 0x7e, 0x49, 0x7f, 0x08], 0b1_0110), [write(0x5004, 8), write(0x5010, 4)]);
        assert_eq!(accesses(&[0x62, 0xf1, 0x7e, 0x49, 0x6f, 0x08], 0b1), [read(0x5000, 4)]);
        assert_eq!(accesses(&[0x62, 0xf2, 0x7d, 0x49, 0x8b, 0x08], 0b1_0110), [write(0x5000, 12)]);
        assert_eq!(accesses(&[0x62, 0xf1, 0x7e, 0x48, 0x7f, 0x08], 0), [write(0x5000, 64)], "not masked");
    }

    #[test]
    fn x87_leaves_the_flags_alone() {
        let written = |code: &[u8]| Effects::default().written(&decode(code, 0).unwrap()).registers;
        assert_eq!(written(&[0xdb, 0xe3]), [], "fninit");
        assert!(written(&[0xdb, 0xf1]).contains(&Reg::RFLAGS), "fcomi");
    }

    #[test]
    fn undefined_flags_are_named() {
        // and eax, eax leaves AF undefined; mul leaves more so.
        let written = |code: &[u8]| Effects::default().written(&decode(code, 0).unwrap());
        assert_eq!(written(&[0x21, 0xc0]).undefined, RFlags::AF.bits());
        assert!(written(&[0x21, 0xc0]).registers.contains(&Reg::RFLAGS));
        assert_eq!(written(&[0x89, 0xc1]).registers, [Reg::general(1)]);
    }

    #[test]
    fn integer_code_leaves_vectors_alone() {
        let uses = |code: &[u8]| uses_extended_state(&decode(code, 0).unwrap());
        assert!(!uses(&[0x89, 0xc1]) && !uses(&[0xf3, 0x0f, 0x1e, 0xfa]), "mov, endbr64");
        assert!(
            uses(&[0x0f, 0x58, 0xc0]) && uses(&[0xd9, 0xe8]) && uses(&[0xc5, 0xf8, 0x77]),
            "addps, fld1, vzeroupper"
        );
        assert!(uses(&[0x0f, 0x77]), "emms");
    }
}
