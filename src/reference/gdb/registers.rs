//! The registers as gdb knows them (its `features/i386/*.xml`), one table for the description and for the values.

use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::OnceLock;

use gdbstub::arch::{Arch, RegId, Registers as GdbRegisters};

use crate::proc::debugger::Parked;
use crate::x86::descriptor::{USER_CS, USER_DS};
use crate::x86::state::{Reg, State};

/// x86-64 as this runner has it.
#[derive(Debug)]
pub(super) enum X86_64 {}

impl Arch for X86_64 {
    type Usize = u64;
    type Registers = Registers;
    type BreakpointKind = usize;
    type RegId = Number;

    fn target_description_xml() -> Option<&'static str> {
        static XML: OnceLock<String> = OnceLock::new();
        Some(XML.get_or_init(|| description(fields())))
    }
}

/// The number of a register in the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(usize);

impl Number {
    /// The register.
    pub(super) fn field(self) -> Option<&'static Field> {
        fields().get(self.0)
    }
}

impl RegId for Number {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        let field = fields().get(id)?;
        Some((Self(id), NonZeroUsize::new(field.len)))
    }
}

/// All of them, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Registers {
    bytes: Vec<u8>,
    rip: u64,
}

impl Registers {
    /// Those of a stopped thread.
    pub(super) fn of(parked: &Parked) -> Self {
        let bytes = fields().iter().flat_map(|field| field.read(parked)).collect();
        Self { bytes, rip: parked.state.regs.rip }
    }

    /// Makes them those of the thread.
    pub(super) fn store(&self, parked: &mut Parked) {
        let mut rest = self.bytes.as_slice();
        for field in fields() {
            let Some((bytes, behind)) = rest.split_at_checked(field.len) else { return };
            if field.read(parked) != bytes {
                field.write(parked, bytes);
            }
            rest = behind;
        }
    }
}

impl GdbRegisters for Registers {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.rip
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.bytes.iter().for_each(|byte| write_byte(Some(*byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let len: usize = fields().iter().map(|field| field.len).sum();
        self.bytes = bytes.get(..len).ok_or(())?.to_vec();
        Ok(())
    }
}

/// A register in the description.
#[derive(Clone, Debug)]
pub(super) struct Field {
    feature: &'static str,
    name: String,
    kind: &'static str,
    /// Bytes.
    len: usize,
    from: From,
}

/// Where a register's value comes from.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Bytes of a register, from this one on.
    Register(Reg, usize),
    /// A selector, which is always the same.
    Selector(u16),
    /// ST(i).
    Stack(u8),
    /// Tags of x87, two bits a register.
    Tags,
    /// A part of x87's environment: offset in FXSAVE's image, and bytes there.
    Environment(usize, usize),
    /// The number of the system call that the thread is at, or -1.
    Call,
}

impl Field {
    /// Bytes of its value.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Its value, in `len` bytes.
    pub(super) fn read(&self, parked: &Parked) -> Vec<u8> {
        let state = &parked.state;
        let mut value = match self.from {
            From::Register(reg, at) => state.value(reg)[at..at + self.len.min(64 - at)].to_vec(),
            From::Selector(selector) => selector.to_le_bytes().to_vec(),
            From::Stack(place) => state.value(physical(state, place))[..10].to_vec(),
            From::Tags => tags(state).to_le_bytes().to_vec(),
            From::Environment(at, len) if state.uses_x87() => state.image[at..at + len].to_vec(),
            From::Environment(..) => Vec::new(),
            From::Call => parked.call.map_or(u64::MAX, |nr| nr).to_le_bytes().to_vec(),
        };
        value.resize(self.len, 0);
        value
    }

    /// Makes `bytes` its value; returns whether it is.
    pub(super) fn write(&self, parked: &mut Parked, bytes: &[u8]) -> bool {
        if let From::Selector(_) | From::Environment(..) | From::Call = self.from {
            // Without a number the call that it is at is not made again, which it is not.
            return self.read(parked) == bytes || matches!(self.from, From::Call) && bytes == [0xff; 8];
        }
        let state = parked.state_mut();
        match self.from {
            From::Register(reg, at) => {
                let len = reg.width().min(bytes.len());
                state.set(reg, at, &bytes[..len]);
            }
            From::Stack(place) => state.set(physical(state, place), 0, &bytes[..10]),
            From::Tags => {
                let tags = u16::from_le_bytes([bytes[0], bytes[1]]);
                let used = (0..8).fold(0u8, |used, number| used | u8::from(tags >> (2 * number) & 3 != 3) << number);
                state.set(Reg::FTW, 0, &[used]);
            }
            From::Selector(_) | From::Environment(..) | From::Call => {}
        }
        true
    }
}

fn physical(state: &State, place: u8) -> Reg {
    let top = state.value(Reg::FSW)[1] >> 3 & 7;
    Reg::x87_register((place + top) % 8)
}

/// The tag word as FSTENV writes it.
fn tags(state: &State) -> u16 {
    let used = state.value(Reg::FTW)[0];
    (0..8).fold(0, |tags, number| {
        let value = state.value(Reg::x87_register(number));
        let exponent = u16::from_le_bytes([value[8], value[9]]) & 0x7fff;
        let tag = match exponent {
            _ if used >> number & 1 == 0 => 3,
            0x7fff => 2,
            0 if value[..8] == [0; 8] => 1,
            0 => 2,
            _ if value[7] & 0x80 != 0 => 0,
            _ => 2,
        };
        tags | tag << (2 * number)
    })
}

fn fields() -> &'static [Field] {
    static FIELDS: OnceLock<Vec<Field>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let mut fields = Fields(Vec::new());
        fields.core();
        fields.sse();
        fields.one("linux", "orig_rax", "int", 8, From::Call);
        fields.one("segments", "fs_base", "int", 8, From::Register(Reg::FS_BASE, 0));
        fields.one("segments", "gs_base", "int", 8, From::Register(Reg::GS_BASE, 0));
        let xcr0 = crate::x86::xstate::host_xcr0();
        if xcr0 >> 2 & 1 != 0 {
            fields.vectors("avx", ("ymm", "h"), 0..16, ("uint128", 16), 16);
        }
        if xcr0 >> 5 & 7 == 7 {
            fields.avx512();
        }
        fields.0
    })
}

struct Fields(Vec<Field>);

impl Fields {
    fn one(&mut self, feature: &'static str, name: &str, kind: &'static str, len: usize, from: From) {
        self.0.push(Field { feature, name: name.into(), kind, len, from });
    }

    fn core(&mut self) {
        const GENERAL: [(&str, u8); 16] = [
            ("rax", 0),
            ("rbx", 3),
            ("rcx", 1),
            ("rdx", 2),
            ("rsi", 6),
            ("rdi", 7),
            ("rbp", 5),
            ("rsp", 4),
            ("r8", 8),
            ("r9", 9),
            ("r10", 10),
            ("r11", 11),
            ("r12", 12),
            ("r13", 13),
            ("r14", 14),
            ("r15", 15),
        ];
        for (name, number) in GENERAL {
            let kind = if matches!(number, 4 | 5) { "data_ptr" } else { "int64" };
            self.one("core", name, kind, 8, From::Register(Reg::general(number), 0));
        }
        self.one("core", "rip", "code_ptr", 8, From::Register(Reg::RIP, 0));
        self.one("core", "eflags", "i386_eflags", 4, From::Register(Reg::RFLAGS, 0));
        for (name, selector) in [("cs", USER_CS), ("ss", USER_DS), ("ds", 0), ("es", 0), ("fs", 0), ("gs", 0)] {
            self.one("core", name, "int32", 4, From::Selector(selector));
        }
        for place in 0..8 {
            self.one("core", &format!("st{place}"), "i387_ext", 10, From::Stack(place));
        }
        self.one("core", "fctrl", "int", 4, From::Register(Reg::FCW, 0));
        self.one("core", "fstat", "int", 4, From::Register(Reg::FSW, 0));
        self.one("core", "ftag", "int", 4, From::Tags);
        for (name, at, len) in [("fiseg", 12, 2), ("fioff", 8, 4), ("foseg", 20, 2), ("fooff", 16, 4), ("fop", 6, 2)] {
            self.one("core", name, "int", 4, From::Environment(at, len));
        }
    }

    fn sse(&mut self) {
        self.vectors("sse", ("xmm", ""), 0..16, ("vec128", 16), 0);
        self.one("sse", "mxcsr", "i386_mxcsr", 4, From::Register(Reg::MXCSR, 0));
    }

    fn avx512(&mut self) {
        self.vectors("avx512", ("xmm", ""), 16..32, ("vec128", 16), 0);
        self.vectors("avx512", ("ymm", "h"), 16..32, ("uint128", 16), 16);
        for number in 0..8 {
            self.one("avx512", &format!("k{number}"), "uint64", 8, From::Register(Reg::opmask(number), 0));
        }
        self.vectors("avx512", ("zmm", "h"), 0..32, ("v2ui128", 32), 32);
    }

    fn vectors(
        &mut self,
        feature: &'static str,
        (prefix, suffix): (&str, &str),
        numbers: std::ops::Range<u8>,
        (kind, len): (&'static str, usize),
        at: usize,
    ) {
        for number in numbers {
            let from = From::Register(Reg::vector(number), at);
            self.one(feature, &format!("{prefix}{number}{suffix}"), kind, len, from);
        }
    }
}

/// Types that gdb's own descriptions define, by feature.
const TYPES: [(&str, &str); 3] = [
    (
        "core",
        r#"<flags id="i386_eflags" size="4"><field name="" start="22" end="31"/><field name="CF" start="0" end="0"/><field name="" start="1" end="1"/><field name="PF" start="2" end="2"/><field name="AF" start="4" end="4"/><field name="ZF" start="6" end="6"/><field name="SF" start="7" end="7"/><field name="TF" start="8" end="8"/><field name="IF" start="9" end="9"/><field name="DF" start="10" end="10"/><field name="OF" start="11" end="11"/><field name="NT" start="14" end="14"/><field name="RF" start="16" end="16"/><field name="VM" start="17" end="17"/><field name="AC" start="18" end="18"/><field name="VIF" start="19" end="19"/><field name="VIP" start="20" end="20"/><field name="ID" start="21" end="21"/></flags>"#,
    ),
    ("sse", VECTOR_TYPES),
    ("avx512", AVX512_TYPES),
];

const VECTOR_TYPES: &str = r#"<vector id="v8bf16" type="bfloat16" count="8"/><vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/><vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/><union id="vec128"><field name="v8_bfloat16" type="v8bf16"/><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union><flags id="i386_mxcsr" size="4"><field name="IE" start="0" end="0"/><field name="DE" start="1" end="1"/><field name="ZE" start="2" end="2"/><field name="OE" start="3" end="3"/><field name="UE" start="4" end="4"/><field name="PE" start="5" end="5"/><field name="DAZ" start="6" end="6"/><field name="IM" start="7" end="7"/><field name="DM" start="8" end="8"/><field name="ZM" start="9" end="9"/><field name="OM" start="10" end="10"/><field name="UM" start="11" end="11"/><field name="PM" start="12" end="12"/><field name="FZ" start="15" end="15"/></flags>"#;

const AVX512_TYPES: &str = r#"<vector id="v8bf16" type="bfloat16" count="8"/><vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/><vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/><vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/><union id="vec128"><field name="v8_bfloat16" type="v8bf16"/><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/><field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union><vector id="v2ui128" type="uint128" count="2"/>"#;

fn description(fields: &[Field]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>",
    );
    let mut features: Vec<&str> = fields.iter().map(|field| field.feature).collect();
    features.dedup();
    for feature in features {
        let _ = write!(xml, "<feature name=\"org.gnu.gdb.i386.{feature}\">");
        TYPES.iter().filter(|(name, _)| *name == feature).for_each(|(_, types)| xml.push_str(types));
        for field in fields.iter().filter(|field| field.feature == feature) {
            let (name, bits, kind) = (&field.name, 8 * field.len, field.kind);
            let _ = write!(xml, "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\"/>");
        }
        xml.push_str("</feature>");
    }
    xml.push_str("</target>");
    xml
}
