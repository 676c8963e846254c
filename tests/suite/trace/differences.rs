//! What a trace and qemu-user may differ in; docs/qemu.md says why.

use iced_x86::{Instruction, Mnemonic, Register};

use super::read::Line;

/// One kind of difference.
pub(super) struct Difference {
    /// What differs, as the table in docs/qemu.md names it.
    pub(super) what: &'static str,
    /// Is it this one?
    pub(super) allows: fn(&Seen) -> bool,
}

/// Something that differs after an instruction.
pub(super) struct Seen<'a> {
    pub(super) line: &'a Line,
    pub(super) instruction: &'a Instruction,
    /// A register; "memory" that was written, or a "signal" that is no step.
    pub(super) name: &'a str,
    /// In the trace.
    pub(super) ours: &'a [u8],
    /// Under QEMU.
    pub(super) theirs: &'a [u8],
}

impl Seen<'_> {
    /// Of a register of 64 bits or less.
    fn bits(&self) -> u64 {
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default());
        word(self.ours) ^ word(self.theirs)
    }

    fn is(&self, mnemonics: &[Mnemonic]) -> bool {
        mnemonics.contains(&self.instruction.mnemonic())
    }

    fn is_x87_register(&self) -> bool {
        self.name.strip_prefix("fp").is_some_and(|number| number.len() == 1)
    }

    fn is_x87_instruction(&self) -> bool {
        format!("{:?}", self.instruction.mnemonic()).starts_with('F')
    }

    /// As `f32`, the values differ by no more than this part of them; or the processor took a denormal number for zero.
    fn is_close(&self, part: f32) -> bool {
        let floats = |bytes: &[u8]| {
            let (words, _) = bytes.as_chunks::<4>();
            words.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<_>>()
        };
        let same = |(one, other): (f32, f32)| {
            one.to_bits() == other.to_bits()
                || (one - other).abs() <= part * other.abs()
                || one.is_infinite() && other.abs() > 1e18
        };
        floats(self.ours).into_iter().zip(floats(self.theirs)).all(same)
    }

    /// Only what is below the 53 bits of a double.
    fn is_below_double(&self) -> bool {
        let mantissa = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default());
        self.ours[8..10] == self.theirs[8..10] && mantissa(self.ours).abs_diff(mantissa(self.theirs)) < 1 << 12
    }
}

// Of x87's status, whose lowest bits are exceptions.
const IE_SF: u64 = 0x41;
const PE: u64 = 0x20;
const C1: u64 = 0x200;

const TRANSCENDENTAL: &[Mnemonic] = &[
    Mnemonic::Fsin,
    Mnemonic::Fcos,
    Mnemonic::Fsincos,
    Mnemonic::Fptan,
    Mnemonic::Fpatan,
    Mnemonic::F2xm1,
    Mnemonic::Fyl2x,
    Mnemonic::Fyl2xp1,
];
const APPROXIMATE: &[Mnemonic] = &[
    Mnemonic::Rcpps,
    Mnemonic::Rcpss,
    Mnemonic::Rsqrtps,
    Mnemonic::Rsqrtss,
    Mnemonic::Vrcpps,
    Mnemonic::Vrcpss,
    Mnemonic::Vrsqrtps,
    Mnemonic::Vrsqrtss,
];
const SAVING: &[Mnemonic] = &[Mnemonic::Fnstenv, Mnemonic::Fnsave];
const TELLING: &[Mnemonic] = &[
    Mnemonic::Cpuid,
    Mnemonic::Xgetbv,
    Mnemonic::Rdtsc,
    Mnemonic::Rdtscp,
    Mnemonic::Rdrand,
    Mnemonic::Rdseed,
    Mnemonic::Rdpid,
];

/// All that are allowed.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "undefined flags",
        allows: |it| it.name == "rflags" && it.line.undefined != 0 && it.bits() & !it.line.undefined == 0,
    },
    Difference {
        what: "what tells of the machine",
        allows: |it| it.is(TELLING) && ["rax", "rbx", "rcx", "rdx"].contains(&it.name),
    },
    Difference {
        what: "CF of blsi",
        allows: |it| it.name == "rflags" && it.is(&[Mnemonic::Blsi]) && it.bits() & !(it.line.undefined | 1) == 0,
    },
    Difference { what: "DE of MXCSR", allows: |it| it.name == "mxcsr" && it.bits() == 2 },
    Difference {
        what: "approximations",
        allows: |it| it.name.starts_with("zmm") && it.is(APPROXIMATE) && it.is_close(1.5 / 4096.0),
    },
    Difference {
        what: "gathers by xmm4 and ymm4",
        allows: |it| matches!(it.instruction.memory_index(), Register::XMM4 | Register::YMM4),
    },
    Difference {
        what: "exponents of MMX registers",
        allows: |it| {
            let is_mmx = (0..it.instruction.op_count()).any(|index| it.instruction.op_register(index).is_mm());
            is_mmx && it.is_x87_register() && it.ours[..8] == it.theirs[..8] && it.ours[8..10] == [0xff; 2]
        },
    },
    Difference { what: "C1 of x87", allows: |it| it.name == "fsw" && it.is_x87_instruction() && it.bits() & !C1 == 0 },
    Difference {
        what: "transcendental functions",
        allows: |it| {
            it.is(TRANSCENDENTAL)
                && (it.is_x87_register() && it.is_below_double() || it.name == "fsw" && it.bits() & !(C1 | PE) == 0)
        },
    },
    Difference {
        what: "overflow and underflow of x87's stack",
        allows: |it| {
            let has_trapped = it.line.registers.iter().any(|(name, value)| name == "fsw" && value[0] & 0x41 == 0x41)
                || it.ours[..1] == it.theirs[..1] && it.name == "fsw";
            let is_indefinite = || it.ours[..10] == [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];
            it.is_x87_instruction()
                && match it.name {
                    "fsw" => has_trapped && it.bits() & !(IE_SF | C1) == 0,
                    "ftw" => has_trapped,
                    _ => it.is_x87_register() && is_indefinite(),
                }
        },
    },
    Difference {
        what: "x87 loads in single precision",
        allows: |it| {
            it.is(&[Mnemonic::Fld]) && (it.is_x87_register() || it.name == "fsw" && it.bits() & !(PE | C1) == 0)
        },
    },
    Difference {
        what: "the environment of x87",
        // Pointers, and the upper halves of three words. The registers that fnsave writes come at 28.
        allows: |it| {
            let is_free = |at: usize| (12..28).contains(&at) || at < 12 && at % 4 >= 2;
            let mut bytes = it.ours.iter().zip(it.theirs).enumerate();
            it.name == "memory" && it.is(SAVING) && bytes.all(|(at, (one, other))| one == other || is_free(at))
        },
    },
];
