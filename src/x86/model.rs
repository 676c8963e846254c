//! Processors that a program may be shown: the levels of the x86-64 psABI and gem5's processor. One table says what CPUID
//! tells of them, which instructions they have, and what /proc/cpuinfo calls that.
//!
//! Sources: x86-64 psABI 1.0, table 3.1 (levels); Intel SDM volume 2, CPUID, and AMD APM volume 3, appendix E (bits);
//! `arch/x86/include/asm/cpufeatures.h` of the kernel (names); gem5's `src/arch/x86/X86ISA.py`. Beside its level a processor
//! is QEMU's `qemu64`: the same on every host.

use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::str::FromStr;

use iced_x86::{CpuidFeature, Instruction, Mnemonic};

use super::xstate::{XCR0_LEGACY, host_xcr0, xsave_len};

/// Which processor a program sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CpuModel {
    /// The host's, as far as KVM shows it.
    #[default]
    Host,
    /// The baseline of the psABI.
    V1,
    /// With SSE3 to SSE4.2, POPCNT and CMPXCHG16B.
    V2,
    /// With AVX2, BMI1, BMI2, FMA, F16C, LZCNT, MOVBE and XSAVE.
    V3,
    /// With AVX-512 F, BW, CD, DQ and VL.
    V4,
    /// What gem5 shows, but for 3DNow!, which it says and no host has.
    Gem5,
}

/// A register of a leaf of CPUID that holds features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Leaf 1, edx.
    D1,
    /// Leaf 0x8000_0001, edx.
    D81,
    /// Leaf 1, ecx.
    C1,
    /// Leaf 0x8000_0001, ecx.
    C81,
    /// Leaf 7, ebx.
    B7,
}

/// The first level of the psABI that has a feature.
type Since = Option<CpuModel>;

/// Name in /proc/cpuinfo, register, bit, level.
type Feature = (&'static str, Word, u32, Since);

const V1: Since = Some(CpuModel::V1);
const V2: Since = Some(CpuModel::V2);
const V3: Since = Some(CpuModel::V3);
const V4: Since = Some(CpuModel::V4);

/// What is on no level is what gem5 shows, or nobody.
const FEATURES: [Feature; 68] = [
    ("fpu", Word::D1, 0, V1),
    ("vme", Word::D1, 1, V1),
    ("de", Word::D1, 2, V1),
    ("pse", Word::D1, 3, V1),
    ("tsc", Word::D1, 4, V1),
    ("msr", Word::D1, 5, V1),
    ("pae", Word::D1, 6, V1),
    ("mce", Word::D1, 7, V1),
    ("cx8", Word::D1, 8, V1),
    ("apic", Word::D1, 9, V1),
    ("sep", Word::D1, 11, V1),
    ("mtrr", Word::D1, 12, V1),
    ("pge", Word::D1, 13, V1),
    ("mca", Word::D1, 14, V1),
    ("cmov", Word::D1, 15, V1),
    ("pat", Word::D1, 16, V1),
    ("pse36", Word::D1, 17, V1),
    ("clflush", Word::D1, 19, V1),
    ("mmx", Word::D1, 23, V1),
    ("fxsr", Word::D1, 24, V1),
    ("sse", Word::D1, 25, V1),
    ("sse2", Word::D1, 26, V1),
    ("syscall", Word::D81, 11, V1),
    ("nx", Word::D81, 20, V1),
    ("mmxext", Word::D81, 22, None),
    ("fxsr_opt", Word::D81, 25, None),
    ("rdtscp", Word::D81, 27, None),
    ("lm", Word::D81, 29, V1),
    ("3dnowext", Word::D81, 30, None),
    ("3dnow", Word::D81, 31, None),
    ("pni", Word::C1, 0, V2),
    ("pclmulqdq", Word::C1, 1, None),
    ("monitor", Word::C1, 3, None),
    ("ssse3", Word::C1, 9, V2),
    ("fma", Word::C1, 12, V3),
    ("cx16", Word::C1, 13, V2),
    ("sse4_1", Word::C1, 19, V2),
    ("sse4_2", Word::C1, 20, V2),
    ("movbe", Word::C1, 22, V3),
    ("popcnt", Word::C1, 23, V2),
    ("aes", Word::C1, 25, None),
    ("xsave", Word::C1, 26, V3),
    // OSXSAVE, which /proc/cpuinfo does not show.
    ("", Word::C1, 27, V3),
    ("avx", Word::C1, 28, V3),
    ("f16c", Word::C1, 29, V3),
    ("rdrand", Word::C1, 30, None),
    ("lahf_lm", Word::C81, 0, V2),
    ("abm", Word::C81, 5, V3),
    ("sse4a", Word::C81, 6, None),
    ("fsgsbase", Word::B7, 0, None),
    ("bmi1", Word::B7, 3, V3),
    ("avx2", Word::B7, 5, V3),
    ("bmi2", Word::B7, 8, V3),
    ("rtm", Word::B7, 11, None),
    ("avx512f", Word::B7, 16, V4),
    ("avx512dq", Word::B7, 17, V4),
    ("rdseed", Word::B7, 18, None),
    ("adx", Word::B7, 19, None),
    ("avx512ifma", Word::B7, 21, None),
    ("clflushopt", Word::B7, 23, None),
    ("clwb", Word::B7, 24, None),
    ("avx512pf", Word::B7, 26, None),
    ("avx512er", Word::B7, 27, None),
    ("avx512cd", Word::B7, 28, V4),
    ("sha_ni", Word::B7, 29, None),
    ("avx512bw", Word::B7, 30, V4),
    ("avx512vl", Word::B7, 31, V4),
    ("tce", Word::C81, 17, None),
];

/// What a model makes of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It executes it.
    Executed,
    /// It has none such: #UD.
    Refused,
    /// It ignores the prefix that makes it another instruction: TZCNT is BSF, LZCNT is BSR.
    WithoutPrefix,
}

impl CpuModel {
    /// All of them by name.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("host", Self::Host),
        ("x86-64", Self::V1),
        ("x86-64-v2", Self::V2),
        ("x86-64-v3", Self::V3),
        ("x86-64-v4", Self::V4),
        ("gem5", Self::Gem5),
    ];

    /// As the user names it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, model)| *model == self).map_or("", |(name, _)| name)
    }

    /// Is it not the host's processor?
    pub fn is_fixed(self) -> bool {
        self != Self::Host
    }

    /// XCR0, and whether there is XSAVE at all.
    pub fn xcr0(self) -> (u64, bool) {
        match self {
            Self::Host => (host_xcr0(), super::xstate::has_xsave()),
            Self::V1 | Self::V2 | Self::Gem5 => (XCR0_LEGACY, false),
            Self::V3 => (0b111, true),
            Self::V4 => (0xe7, true),
        }
    }

    /// `AT_HWCAP`. gem5 sets another one than its CPUID says (`X86Process::argsInit`).
    pub fn hwcap(self) -> u32 {
        match self {
            Self::Host => __cpuid(1).edx,
            Self::Gem5 => 0x078b_fbff,
            _ => self.word(Word::D1),
        }
    }

    /// Has it RDTSCP?
    pub fn has_rdtscp(self) -> bool {
        !self.is_fixed() || self.word(Word::D81) >> 27 & 1 == 1
    }

    /// Has it the instructions that read and write the bases of FS and GS?
    pub fn has_fsgsbase(self) -> bool {
        match self {
            Self::Host => host_word(Word::B7) & 1 != 0,
            _ => self.word(Word::B7) & 1 != 0,
        }
    }

    /// Names of what it has as /proc/cpuinfo shows them.
    pub fn flags(self) -> impl Iterator<Item = &'static str> {
        FEATURES.into_iter().filter(move |feature| self.has(feature) && !feature.0.is_empty()).map(|(name, ..)| name)
    }

    /// Names of what it has and this host does not.
    pub fn missing_on_host(self) -> Vec<&'static str> {
        /// What only an operating system uses; and AMD's name for what SSE has of MMX, which Intel does not say twice.
        const NOT_MISSED: [&str; 17] = [
            "vme", "de", "pse", "msr", "pae", "mce", "apic", "sep", "mtrr", "pge", "mca", "pat", "pse36", "monitor",
            "tce", "fxsr_opt", "mmxext",
        ];
        let (xcr0, _) = self.xcr0();
        let lacks = |(name, word, bit, _): &Feature| host_word(*word) >> bit & 1 == 0 && !NOT_MISSED.contains(name);
        let mut missing: Vec<&str> =
            FEATURES.iter().filter(|feature| self.has(feature) && lacks(feature)).map(|(name, ..)| *name).collect();
        if self.is_fixed() && host_xcr0() & xcr0 != xcr0 {
            missing.push("state of wider registers");
        }
        missing.retain(|name| !name.is_empty());
        missing
    }

    /// The leaves of CPUID that it has, with their subleaves. All others are zero.
    pub fn leaves(self) -> Vec<(u32, u32)> {
        let (_, has_xsave) = self.xcr0();
        let mut leaves = vec![(0, 0), (1, 0), (7, 0)];
        if has_xsave {
            leaves.extend([(0xd, 0), (0xd, 1), (0xd, 2), (0xd, 5), (0xd, 6), (0xd, 7)]);
        }
        leaves.extend((0x8000_0000..=0x8000_0008).map(|leaf| (leaf, 0)));
        leaves
    }

    /// What `cpuid` says: eax, ebx, ecx, edx. Not for the host's.
    pub fn cpuid(self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let (xcr0, has_xsave) = self.xcr0();
        let is_gem5 = self == Self::Gem5;
        let signature = if is_gem5 { 0x0002_0f51 } else { 0x0006_0fb1 };
        let word = |word| self.word(word);
        match leaf {
            0 => self.vendor(if is_gem5 {
                8
            } else if has_xsave {
                0xd
            } else {
                7
            }),
            // Cache lines of 64 bytes.
            1 => [signature, if is_gem5 { 0x0805 } else { 0x0800 }, word(Word::C1), word(Word::D1)],
            7 if subleaf == 0 => [0, word(Word::B7), 0, 0],
            0xd if has_xsave => xstate(xcr0, subleaf),
            0x8000_0000 => self.vendor(0x8000_0008),
            0x8000_0001 => [signature, if is_gem5 { 0x0405 } else { 0 }, word(Word::C81), word(Word::D81)],
            0x8000_0002..=0x8000_0004 => self.brand(leaf - 0x8000_0002),
            0x8000_0005 if is_gem5 => [0xff08_ff08, 0xff20_ff20, 0x4002_0140, 0x4002_0140],
            0x8000_0006 if is_gem5 => [0, 0x4200_4200, 0x0400_8140, 0],
            0x8000_0007 if is_gem5 => [0x8000_0018, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
            0x8000_0008 if is_gem5 => [0x3030, 0, 0, 0],
            // 64 KiB, 512 KiB and 16 MiB of cache.
            0x8000_0005 => [0x01ff_01ff, 0x01ff_01ff, 0x4002_0140, 0x4002_0140],
            0x8000_0006 => [0, 0x4200_4200, 0x0200_8140, 0x0080_8140],
            // A time-stamp counter that never changes its pace.
            0x8000_0007 => [0, 0, 0, 1 << 8],
            0x8000_0008 => [0x3028, 0, 0, 0],
            _ => [0; 4],
        }
    }

    /// The vendor's name, and the last leaf.
    fn vendor(self, last: u32) -> [u32; 4] {
        let name = if self == Self::Gem5 { *b"HygonGenuine" } else { *b"AuthenticAMD" };
        [last, letters(&name, 0), letters(&name, 8), letters(&name, 4)]
    }

    /// A third of the processor's name.
    fn brand(self, third: u32) -> [u32; 4] {
        let mut name = [0; 48];
        let text = if self == Self::Gem5 { "Fake gem5 x86_64 CPU" } else { self.name() };
        name[..text.len()].copy_from_slice(text.as_bytes());
        let start = third as usize * 16;
        [0, 4, 8, 12].map(|at| letters(&name, start + at))
    }

    fn has(self, &(name, word, bit, _): &Feature) -> bool {
        let _ = name;
        self.is_fixed() && self.word(word) >> bit & 1 == 1
    }

    fn word(self, wanted: Word) -> u32 {
        if self == Self::Gem5 {
            return match wanted {
                Word::D1 => 0xefdb_fbff,
                // Less 3DNow! and its extension.
                Word::D81 => 0xebd3_fbff & !(3 << 30),
                Word::C1 => 0x0209,
                Word::C81 => 0x0002_0001,
                Word::B7 => 0x0180_0000,
            };
        }
        let own = |since: Since| since.is_some_and(|since| since <= self);
        let bits = FEATURES.iter().filter(|(_, word, _, since)| *word == wanted && own(*since));
        let bits = bits.fold(0, |bits, (_, _, bit, _)| bits | 1 << bit);
        // AMD repeats there what leaf 1 says.
        const REPEATED: u32 = 0x0183_f3ff;
        if wanted == Word::D81 { bits | self.word(Word::D1) & REPEATED } else { bits }
    }

    /// The instructions that it has.
    pub fn instructions(self) -> InstructionSet {
        InstructionSet {
            words: WORDS.map(|word| if self.is_fixed() { self.word(word) } else { u32::MAX }),
            model: self,
        }
    }
}

/// The instructions of a processor, ready to be asked about many.
#[derive(Clone, Copy, Debug)]
pub struct InstructionSet {
    model: CpuModel,
    words: [u32; WORDS.len()],
}

const WORDS: [Word; 5] = [Word::D1, Word::D81, Word::C1, Word::C81, Word::B7];

impl InstructionSet {
    /// Of which model.
    pub fn model(&self) -> CpuModel {
        self.model
    }

    /// What becomes of `instruction`. The host's processor executes all that it has.
    pub fn fate(&self, instruction: &Instruction) -> Fate {
        if !self.model.is_fixed() {
            return Fate::Executed;
        }
        let has = |word: Word, bit: u32| self.words[word as usize] >> bit & 1 == 1;
        match instruction.mnemonic() {
            Mnemonic::Tzcnt if !has(Word::B7, 3) => return Fate::WithoutPrefix,
            Mnemonic::Lzcnt if !has(Word::C81, 5) => return Fate::WithoutPrefix,
            // Unlike others of shadow stacks a no-operation where these are not in use: unwinders execute it everywhere.
            Mnemonic::Rdsspd | Mnemonic::Rdsspq => return Fate::Executed,
            Mnemonic::Lahf | Mnemonic::Sahf if !has(Word::C81, 0) => return Fate::Refused,
            _ => {}
        }
        let is_there = |feature: &CpuidFeature| match needs(*feature) {
            Need::Nothing => true,
            Need::Bit(word, bit) => has(word, bit),
            Need::More => false,
        };
        if instruction.cpuid_features().iter().all(is_there) { Fate::Executed } else { Fate::Refused }
    }
}

impl FromStr for CpuModel {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, model)| *model).ok_or_else(|| format!("there is no processor model {name}"))
    }
}

/// What an instruction needs besides long mode.
enum Need {
    Nothing,
    Bit(Word, u32),
    /// A feature that no model has.
    More,
}

fn needs(feature: CpuidFeature) -> Need {
    use CpuidFeature as F;
    let (word, bit) = match feature {
        F::SSE3 => (Word::C1, 0),
        F::PCLMULQDQ => (Word::C1, 1),
        F::SSSE3 => (Word::C1, 9),
        F::FMA => (Word::C1, 12),
        F::CMPXCHG16B => (Word::C1, 13),
        F::SSE4_1 => (Word::C1, 19),
        F::SSE4_2 => (Word::C1, 20),
        F::MOVBE => (Word::C1, 22),
        F::POPCNT => (Word::C1, 23),
        F::AES => (Word::C1, 25),
        F::XSAVE => (Word::C1, 26),
        F::AVX => (Word::C1, 28),
        F::F16C => (Word::C1, 29),
        F::RDRAND => (Word::C1, 30),
        F::LZCNT => (Word::C81, 5),
        F::SSE4A => (Word::C81, 6),
        F::RDTSCP => (Word::D81, 27),
        F::D3NOWEXT => (Word::D81, 30),
        F::D3NOW => (Word::D81, 31),
        F::FSGSBASE => (Word::B7, 0),
        F::BMI1 => (Word::B7, 3),
        F::AVX2 => (Word::B7, 5),
        F::BMI2 => (Word::B7, 8),
        F::RTM => (Word::B7, 11),
        F::AVX512F => (Word::B7, 16),
        F::AVX512DQ => (Word::B7, 17),
        F::RDSEED => (Word::B7, 18),
        F::ADX => (Word::B7, 19),
        F::AVX512_IFMA => (Word::B7, 21),
        F::CLFLUSHOPT => (Word::B7, 23),
        F::CLWB => (Word::B7, 24),
        F::AVX512PF => (Word::B7, 26),
        F::AVX512ER => (Word::B7, 27),
        F::AVX512CD => (Word::B7, 28),
        F::SHA => (Word::B7, 29),
        F::AVX512BW => (Word::B7, 30),
        F::AVX512VL => (Word::B7, 31),
        F::INTEL8086
        | F::INTEL186
        | F::INTEL286
        | F::INTEL386
        | F::INTEL486
        | F::X64
        | F::CLFSH
        | F::CMOV
        | F::CPUID
        | F::CX8
        | F::FPU
        | F::FPU287
        | F::FPU387
        | F::FXSR
        | F::MMX
        | F::MSR
        | F::SEP
        | F::SSE
        | F::SSE2
        | F::SYSCALL
        | F::TSC => return Need::Nothing,
        // Privileged: the processor says what it says to user code.
        F::MONITOR | F::RDPMC | F::SMM | F::INVPCID | F::SVM | F::VMX => return Need::Nothing,
        // Where they are unknown they are `nop` or `pause` of one byte less.
        F::CET_IBT
        | F::CLDEMOTE
        | F::MPX
        | F::MULTIBYTENOP
        | F::PAUSE
        | F::PREFETCHITI
        | F::PREFETCHW
        | F::PREFETCHWT1 => return Need::Nothing,
        _ => return Need::More,
    };
    Need::Bit(word, bit)
}

fn host_word(word: Word) -> u32 {
    match word {
        Word::D1 => __cpuid(1).edx,
        Word::C1 => __cpuid(1).ecx,
        Word::D81 => __cpuid(0x8000_0001).edx,
        Word::C81 => __cpuid(0x8000_0001).ecx,
        Word::B7 => __cpuid_count(7, 0).ebx,
    }
}

/// Leaf 0xd. Where components lie in the image is the host's affair, for it writes it, and so is how long that is: a
/// software KVM leaves the host's XCR0 in force.
fn xstate(xcr0: u64, subleaf: u32) -> [u32; 4] {
    #[expect(clippy::cast_possible_truncation, reason = "no component has a bit above 7, nor a page of state")]
    match subleaf {
        0 => {
            let len = xsave_len();
            [xcr0 as u32, len, len, 0]
        }
        2.. if subleaf < 64 && xcr0 >> subleaf & 1 == 1 => {
            let component = __cpuid_count(0xd, subleaf);
            [component.eax, component.ebx, 0, 0]
        }
        _ => [0; 4],
    }
}

fn letters(name: &[u8], at: usize) -> u32 {
    name.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions};

    use super::*;

    const LEVELS: [CpuModel; 5] = [CpuModel::V1, CpuModel::V2, CpuModel::V3, CpuModel::V4, CpuModel::Gem5];

    fn fates(code: &[u8]) -> [Fate; 5] {
        let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
        assert!(!instruction.is_invalid() && instruction.len() == code.len(), "{code:x?}");
        LEVELS.map(|model| model.instructions().fate(&instruction))
    }

    #[test]
    fn each_level_has_its_instructions() {
        use Fate::{Executed as Y, Refused as N, WithoutPrefix as P};
        let expected: [(&str, &[u8], [Fate; 5]); 22] = [
            ("addps", &[0x0f, 0x58, 0xc0], [Y, Y, Y, Y, Y]),
            ("endbr64", &[0xf3, 0x0f, 0x1e, 0xfa], [Y, Y, Y, Y, Y]),
            ("pause", &[0xf3, 0x90], [Y, Y, Y, Y, Y]),
            ("syscall", &[0x0f, 0x05], [Y, Y, Y, Y, Y]),
            ("addsubps", &[0xf2, 0x0f, 0xd0, 0xc0], [N, Y, Y, Y, Y]),
            ("pshufb", &[0x66, 0x0f, 0x38, 0x00, 0xc0], [N, Y, Y, Y, Y]),
            ("pcmpgtq", &[0x66, 0x0f, 0x38, 0x37, 0xc0], [N, Y, Y, Y, N]),
            ("popcnt", &[0xf3, 0x0f, 0xb8, 0xc0], [N, Y, Y, Y, N]),
            ("lahf", &[0x9f], [N, Y, Y, Y, Y]),
            ("cmpxchg16b", &[0x48, 0x0f, 0xc7, 0x0f], [N, Y, Y, Y, N]),
            ("vxorps", &[0xc5, 0xf8, 0x57, 0xc0], [N, N, Y, Y, N]),
            ("andn", &[0xc4, 0xe2, 0xf8, 0xf2, 0xc0], [N, N, Y, Y, N]),
            ("movbe", &[0x0f, 0x38, 0xf0, 0x07], [N, N, Y, Y, N]),
            ("xgetbv", &[0x0f, 0x01, 0xd0], [N, N, Y, Y, N]),
            ("tzcnt", &[0xf3, 0x0f, 0xbc, 0xc0], [P, P, Y, Y, P]),
            ("lzcnt", &[0xf3, 0x0f, 0xbd, 0xc0], [P, P, Y, Y, P]),
            ("vpaddd of zmm", &[0x62, 0xf1, 0x7d, 0x48, 0xfe, 0xc0], [N, N, N, Y, N]),
            ("rdtscp", &[0x0f, 0x01, 0xf9], [N, N, N, N, Y]),
            ("aesenc", &[0x66, 0x0f, 0x38, 0xdc, 0xc0], [N, N, N, N, N]),
            ("rdfsbase", &[0xf3, 0x48, 0x0f, 0xae, 0xc0], [N, N, N, N, N]),
            ("rdsspq", &[0xf3, 0x48, 0x0f, 0x1e, 0xc8], [Y, Y, Y, Y, Y]),
            ("incsspq", &[0xf3, 0x48, 0x0f, 0xae, 0xe8], [N, N, N, N, N]),
        ];
        for (name, code, fate) in expected {
            assert_eq!(fates(code), fate, "{name}");
        }
        let aesenc = Decoder::new(64, expected[18].1, DecoderOptions::NONE).decode();
        assert_eq!(CpuModel::Host.instructions().fate(&aesenc), Fate::Executed);
    }

    #[test]
    fn cpuid_says_the_level() {
        let ecx = |model: CpuModel| model.cpuid(1, 0)[2];
        assert_eq!(LEVELS.map(ecx), [0, 0x0098_2201, 0x3cd8_3201, 0x3cd8_3201, 0x209]);
        assert_eq!(LEVELS.map(|model| model.cpuid(7, 0)[1]), [0, 0, 0x128, 0xd003_0128, 0x0180_0000]);
        let edx = 0x078b_fbff;
        assert_eq!(LEVELS.map(|model| model.cpuid(1, 0)[3]), [edx, edx, edx, edx, 0xefdb_fbff]);
        assert_eq!(LEVELS.map(|model| model.cpuid(0x8000_0001, 0)[2]), [0, 1, 0x21, 0x21, 0x2_0001]);
        assert_eq!(
            CpuModel::V1.cpuid(0x8000_0001, 0)[3] & (1 << 29 | 1 << 20 | 1 << 11 | 1),
            1 << 29 | 1 << 20 | 1 << 11 | 1
        );
        assert_eq!(CpuModel::V2.cpuid(0xd, 0), [0; 4]);
        let [features, len, ..] = CpuModel::V3.cpuid(0xd, 0);
        assert!(features == 7 && len >= 576);
        assert_eq!(CpuModel::V3.cpuid(0x8000_0002, 0)[0].to_le_bytes(), *b"x86-");
        assert_eq!(CpuModel::V2.hwcap(), 0x078b_fbff);
        assert!(CpuModel::V2.flags().any(|flag| flag == "sse4_2") && CpuModel::V2.flags().all(|flag| flag != "avx"));
    }

    #[test]
    fn all_leaves_are_listed() {
        for model in LEVELS {
            let listed = model.leaves();
            for (leaf, subleaf) in
                (0..0x20).chain(0x8000_0000..0x8000_0020).flat_map(|leaf| (0..9).map(move |sub| (leaf, sub)))
            {
                let is_listed =
                    listed.contains(&(leaf, subleaf)) || listed.contains(&(leaf, 0)) && leaf != 7 && leaf != 0xd;
                assert!(is_listed || model.cpuid(leaf, subleaf) == [0; 4], "{model:?} {leaf:x}.{subleaf}");
            }
        }
    }

    #[test]
    fn names_are_read() {
        assert_eq!("x86-64-v3".parse(), Ok(CpuModel::V3));
        assert!("x86-64-v5".parse::<CpuModel>().is_err());
        assert_eq!(CpuModel::Gem5.name(), "gem5");
    }
}
