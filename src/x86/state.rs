//! The complete state of user code, register by register, with the names that traces and dumps give them.

use std::arch::x86_64::__cpuid_count;
use std::fmt;
use std::sync::OnceLock;

use iced_x86::Register;

use super::xstate::XsaveImage;
use super::{RFlags, UserRegs};

/// Bytes of the widest register.
pub const WIDEST: usize = 64;

/// A register of user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u8);

/// The general registers in the order of their encoding.
const GENERAL: [(&str, Register); 16] = [
    ("rax", Register::RAX),
    ("rcx", Register::RCX),
    ("rdx", Register::RDX),
    ("rbx", Register::RBX),
    ("rsp", Register::RSP),
    ("rbp", Register::RBP),
    ("rsi", Register::RSI),
    ("rdi", Register::RDI),
    ("r8", Register::R8),
    ("r9", Register::R9),
    ("r10", Register::R10),
    ("r11", Register::R11),
    ("r12", Register::R12),
    ("r13", Register::R13),
    ("r14", Register::R14),
    ("r15", Register::R15),
];

impl Reg {
    /// The instruction pointer.
    pub const RIP: Self = Self(16);
    /// The flags.
    pub const RFLAGS: Self = Self(17);
    /// Base of FS.
    pub const FS_BASE: Self = Self(18);
    /// Base of GS.
    pub const GS_BASE: Self = Self(19);
    /// Control and status of SSE.
    pub const MXCSR: Self = Self(20);
    /// Control word of x87.
    pub const FCW: Self = Self(21);
    /// Status word of x87, which says which register is on top.
    pub const FSW: Self = Self(22);
    /// Which registers of x87 are in use, a bit each (the abridged tag word of FXSAVE).
    pub const FTW: Self = Self(23);
    /// The first register of x87, by its own number and not by its place on the stack; MMX uses its low 64 bits.
    const FP: u8 = 24;
    /// The first vector register.
    const VECTOR: u8 = 32;
    /// The first opmask register.
    const OPMASK: u8 = 64;
    const COUNT: u8 = 72;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Those that XSAVE keeps.
    pub fn extended() -> impl Iterator<Item = Self> {
        (Self::MXCSR.0..Self::COUNT).map(Self)
    }

    /// The others.
    pub fn basic() -> impl Iterator<Item = Self> {
        (0..Self::MXCSR.0).map(Self)
    }

    /// The general register of this number in encodings.
    pub fn general(number: u8) -> Self {
        Self(number % 16)
    }

    /// The register of x87 with this number of its own.
    pub fn x87_register(number: u8) -> Self {
        Self(Self::FP + number % 8)
    }

    /// The vector register of this number.
    pub fn vector(number: u8) -> Self {
        Self(Self::VECTOR + number % 32)
    }

    /// The opmask register of this number.
    pub fn opmask(number: u8) -> Self {
        Self(Self::OPMASK + number % 8)
    }

    /// The register that is, or holds, `register`; `None` for those that user code cannot change so, as segments, and for
    /// those of x87, whose place depends on what is on top.
    pub fn of(register: Register) -> Option<Self> {
        let number = |base: u8| u8::try_from(register.number()).ok().map(|number| Self(base + number));
        if register.is_gpr() {
            let full = register.full_register();
            let place = GENERAL.iter().position(|(_, it)| *it == full)?;
            return u8::try_from(place).ok().map(Self);
        }
        match register {
            _ if register.is_vector_register() => number(Self::VECTOR),
            _ if register.is_k() => number(Self::OPMASK),
            _ if register.is_mm() => number(Self::FP),
            _ => None,
        }
    }

    /// By number, as traces store it.
    pub fn from_number(number: u8) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Its number in traces.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Its length, in bytes.
    pub fn width(self) -> usize {
        match self.0 {
            20 => 4,
            21 | 22 => 2,
            23 => 1,
            Self::FP..Self::VECTOR => 10,
            Self::VECTOR..Self::OPMASK => WIDEST,
            _ => 8,
        }
    }

    /// Is it one of the 32 that hold vectors?
    pub fn is_vector(self) -> bool {
        (Self::VECTOR..Self::OPMASK).contains(&self.0)
    }

    /// Is it one of the eight of x87?
    pub fn is_x87(self) -> bool {
        (Self::FP..Self::VECTOR).contains(&self.0)
    }

    /// The eight of x87.
    pub fn x87() -> impl Iterator<Item = Self> {
        (Self::FP..Self::VECTOR).map(Self)
    }

    /// The 32 that hold vectors.
    pub fn vectors() -> impl Iterator<Item = Self> {
        (Self::VECTOR..Self::OPMASK).map(Self)
    }

    /// Its name when `len` bytes of it are meant, which matters for vectors alone: xmm, ymm or zmm.
    pub fn name(self, len: usize) -> impl fmt::Display {
        let prefix = match (self.is_vector(), len) {
            (true, ..=16) => "xmm",
            (true, ..=32) => "ymm",
            (true, _) => "zmm",
            (false, _) if self.is_x87() => "fp",
            (false, _) if self.0 >= Self::OPMASK => "k",
            _ => return Name(self.word(), None),
        };
        let base = match self.0 {
            Self::OPMASK.. => Self::OPMASK,
            Self::VECTOR.. => Self::VECTOR,
            _ => Self::FP,
        };
        Name(prefix, Some(self.0 - base))
    }

    fn word(self) -> &'static str {
        const OTHERS: [&str; 8] = ["rip", "rflags", "fs_base", "gs_base", "mxcsr", "fcw", "fsw", "ftw"];
        let place = usize::from(self.0);
        GENERAL.get(place).map_or_else(|| OTHERS.get(place - 16).copied().unwrap_or("?"), |(name, _)| name)
    }
}

struct Name(&'static str, Option<u8>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        self.1.map_or(Ok(()), |number| write!(f, "{number}"))
    }
}

/// A register's contents, least byte first; those that it does not have are zero.
pub type Value = [u8; WIDEST];

/// Where XSAVE keeps what, in standard format: bytes from the start of the image.
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    ymm_high: usize,
    opmask: usize,
    zmm_high: usize,
    zmm_16: usize,
}

impl Offsets {
    /// Of this processor.
    pub fn of_processor() -> Self {
        // In a virtual machine CPUID costs microseconds.
        static OFFSETS: OnceLock<Offsets> = OnceLock::new();
        *OFFSETS.get_or_init(|| {
            let at = |component| usize::try_from(__cpuid_count(0xd, component).ebx).unwrap_or(0);
            Self { ymm_high: at(2), opmask: at(5), zmm_high: at(6), zmm_16: at(7) }
        })
    }
}

/// The complete state of user code.
#[derive(Clone, Debug)]
pub struct State {
    /// General registers, rip and flags.
    pub regs: UserRegs,
    /// Bases of FS and GS.
    pub bases: (u64, u64),
    /// The rest.
    pub image: XsaveImage,
    offsets: Offsets,
}

impl State {
    /// From its parts.
    pub fn new(regs: UserRegs, bases: (u64, u64), image: XsaveImage) -> Self {
        Self { regs, bases, image, offsets: Offsets::of_processor() }
    }

    /// What `reg` holds.
    pub fn value(&self, reg: Reg) -> Value {
        let mut value = [0; WIDEST];
        let number = usize::from(reg.0);
        match reg.0 {
            0..16 => put(&mut value, self.regs.general(GENERAL[number].1).unwrap_or(0)),
            16 => put(&mut value, self.regs.rip),
            17 => put(&mut value, self.regs.rflags),
            18 => put(&mut value, self.bases.0),
            19 => put(&mut value, self.bases.1),
            20 => value[..4].copy_from_slice(&self.image[24..28]),
            21 => value[..2].copy_from_slice(&self.x87(0, 0x37f)),
            22 => value[..2].copy_from_slice(&self.x87(2, 0)),
            23 => value[..1].copy_from_slice(&self.x87(4, 0)[..1]),
            Reg::FP..Reg::VECTOR => {
                let top = usize::from(self.x87(2, 0)[1] >> 3 & 7);
                let place = (number - usize::from(Reg::FP) + 8 - top) % 8;
                value[..10].copy_from_slice(self.component(0, 32 + 16 * place, 10));
            }
            Reg::VECTOR..Reg::OPMASK => self.vector(number - usize::from(Reg::VECTOR), &mut value),
            _ => {
                let place = self.offsets.opmask + 8 * (number - usize::from(Reg::OPMASK));
                value[..8].copy_from_slice(self.component(5, place, 8));
            }
        }
        value
    }

    /// Has `reg` hold `bytes`, from its byte `at` on. What it does not have is left out.
    pub fn set(&mut self, reg: Reg, at: usize, bytes: &[u8]) {
        let number = usize::from(reg.0);
        match reg.0 {
            0..20 => {
                let mut value = self.value(reg);
                value[at..at + bytes.len()].copy_from_slice(bytes);
                let value = u64::from_le_bytes(std::array::from_fn(|index| value[index]));
                match reg.0 {
                    0..16 => self.regs.general_mut(GENERAL[number].1).map_or((), |general| *general = value),
                    16 => self.regs.rip = value,
                    17 => self.regs.rflags = RFlags::sanitised(value),
                    18 => self.bases.0 = value,
                    _ => self.bases.1 = value,
                }
            }
            20 => self.image[24 + at..24 + at + bytes.len()].copy_from_slice(bytes),
            21..Reg::VECTOR => {
                let place = match reg.0 {
                    21 => 0,
                    22 => 2,
                    23 => 4,
                    _ => {
                        let top = usize::from(self.x87(2, 0)[1] >> 3 & 7);
                        32 + 16 * ((number - usize::from(Reg::FP) + 8 - top) % 8)
                    }
                };
                self.put(0, place + at, bytes);
            }
            Reg::VECTOR..Reg::OPMASK => self.set_vector(number - usize::from(Reg::VECTOR), at, bytes),
            _ => self.put(5, self.offsets.opmask + 8 * (number - usize::from(Reg::OPMASK)) + at, bytes),
        }
    }

    fn set_vector(&mut self, number: usize, at: usize, bytes: &[u8]) {
        if let Some(number) = number.checked_sub(16) {
            return self.put(7, self.offsets.zmm_16 + 64 * number + at, bytes);
        }
        match at {
            0..16 => self.put(1, 160 + 16 * number + at, bytes),
            16..32 => self.put(2, self.offsets.ymm_high + 16 * number + at - 16, bytes),
            _ => self.put(6, self.offsets.zmm_high + 32 * number + at - 32, bytes),
        }
    }

    /// Bytes of a component, which is in use from now on.
    fn put(&mut self, component: u32, at: usize, bytes: &[u8]) {
        if component > 1 && at < 576 {
            return;
        }
        if !self.has(component) {
            let whole = match component {
                0 => 0..24,
                1 => 160..416,
                2 => self.offsets.ymm_high..self.offsets.ymm_high + 256,
                5 => self.offsets.opmask..self.offsets.opmask + 64,
                6 => self.offsets.zmm_high..self.offsets.zmm_high + 512,
                _ => self.offsets.zmm_16..self.offsets.zmm_16 + 1024,
            };
            if let Some(whole) = self.image.get_mut(whole) {
                whole.fill(0);
            }
            if component == 0 {
                self.image[32..160].fill(0);
                self.image[..2].copy_from_slice(&0x37fu16.to_le_bytes());
            }
            self.image[512 + component as usize / 8] |= 1 << (component % 8);
        }
        if let Some(place) = self.image.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn vector(&self, number: usize, value: &mut Value) {
        if let Some(number) = number.checked_sub(16) {
            return value.copy_from_slice(self.component(7, self.offsets.zmm_16 + 64 * number, 64));
        }
        value[..16].copy_from_slice(self.component(1, 160 + 16 * number, 16));
        value[16..32].copy_from_slice(self.component(2, self.offsets.ymm_high + 16 * number, 16));
        value[32..].copy_from_slice(self.component(6, self.offsets.zmm_high + 32 * number, 32));
    }

    /// Is x87's state another than the first one?
    pub fn uses_x87(&self) -> bool {
        self.has(0)
    }

    /// Opcode and addresses of the last x87 instruction and of its operand, which processors keep differently.
    pub fn x87_pointers(&self) -> [(&'static str, u64); 3] {
        let word = |at: usize, len: usize| {
            let mut word = [0; 8];
            word[..len].copy_from_slice(self.component(0, at, len));
            u64::from_le_bytes(word)
        };
        [("fop", word(6, 2)), ("fip", word(8, 8)), ("fdp", word(16, 8))]
    }

    fn x87(&self, at: usize, initial: u16) -> [u8; 2] {
        if self.has(0) { [self.image[at], self.image[at + 1]] } else { initial.to_le_bytes() }
    }

    /// What the processor has not got, and what it says is as it was at first, is zero.
    fn component(&self, number: u32, at: usize, len: usize) -> &[u8] {
        const ZEROS: Value = [0; WIDEST];
        let is_there = self.has(number) && (number < 2 || at >= 576);
        self.image.get(at..at + len).filter(|_| is_there).unwrap_or(&ZEROS[..len])
    }

    fn has(&self, component: u32) -> bool {
        self.image[512 + component as usize / 8] >> (component % 8) & 1 != 0
    }
}

fn put(value: &mut Value, word: u64) {
    value[..8].copy_from_slice(&word.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_register_has_its_own_name() {
        let names: std::collections::BTreeSet<String> = Reg::all().map(|reg| reg.name(64).to_string()).collect();
        assert_eq!(names.len(), usize::from(Reg::COUNT));
        assert!(
            ["rax", "r15", "rip", "rflags", "gs_base", "ftw", "fp7", "zmm31", "k0"]
                .iter()
                .all(|&it| names.contains(it))
        );
        assert_eq!(Reg::of(Register::AH), Some(Reg::general(0)));
        assert_eq!(Reg::of(Register::YMM17).map(|reg| reg.name(16).to_string()), Some("xmm17".into()));
    }

    #[test]
    fn registers_of_x87_have_numbers_of_their_own() {
        let mut image = [0; size_of::<XsaveImage>()];
        image[512] = 3;
        // ST(0) is register 6.
        image[3] = 6 << 3;
        image[32] = 0xaa;
        let state = State::new(UserRegs::default(), (0, 0), image);
        let holds = |number: u8| state.value(Reg(Reg::FP + number))[0];
        assert_eq!((holds(6), holds(0)), (0xaa, 0));
    }
}
