//! Records of an instruction trace, and how they are stored: the same bytes go from the traced process to the command and
//! into files.
//!
//! A record is its length, a kind and fields. Numbers are little-endian groups of seven bits, the last one without the top
//! bit; strings of bytes have their length before them.

use crate::x86::state::{Reg, Value, WIDEST};

/// A register and what it holds now, of as many bytes as were written. What it has above them is as it was.
pub type Set = (Reg, Vec<u8>);

/// Memory that an instruction read or wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// GVA.
    pub addr: u64,
    /// Was it written?
    pub is_write: bool,
    /// Before it was read, or after it was written.
    pub bytes: Vec<u8>,
}

/// An executed instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Its thread.
    pub thread: u32,
    /// Its address (GVA).
    pub pc: u64,
    /// Its encoding.
    pub bytes: Vec<u8>,
    /// Is this a part of a repeated instruction that a fault or signal has interrupted? Then the rest follows.
    pub is_partial: bool,
    /// Flags that it leaves undefined (RFLAGS).
    pub undefined: u64,
    /// Registers that it wrote; rip if it does not go on behind it.
    pub registers: Vec<Set>,
    /// Memory that it used.
    pub memory: Vec<Memory>,
}

/// A system call that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// Its thread.
    pub thread: u32,
    /// Its number.
    pub nr: u64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// What it returned, if it did.
    pub result: Option<u64>,
    /// Registers that it changed.
    pub registers: Vec<Set>,
    /// Memory that it changed.
    pub memory: Vec<Memory>,
}

/// An event in a traced run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A program begins.
    Program {
        /// How repeated instructions are counted: one each, or one an iteration?
        folds_repeats: bool,
        /// The file of the program, as it was named.
        name: Vec<u8>,
    },
    /// All registers of a thread, which is traced from here on.
    Thread {
        /// Which.
        thread: u32,
        /// All its registers.
        registers: Vec<Set>,
        /// Memory that the program finds: its initial stack.
        memory: Vec<Memory>,
    },
    /// An instruction was executed.
    Executed(Executed),
    /// A system call was made.
    Called(Called),
    /// An instruction was not executed, or was one that makes exceptions.
    Fault {
        /// Whose.
        thread: u32,
        /// The signal that it is.
        signal: u32,
        /// `si_code`
        code: i32,
        /// `si_addr`
        addr: u64,
        /// The exception.
        vector: u64,
    },
    /// A signal is delivered.
    Signal {
        /// To whom.
        thread: u32,
        /// Which.
        signal: u32,
        /// `si_code`
        code: i32,
    },
    /// Registers and memory changed otherwise: a handler was started.
    Changed {
        /// Whose.
        thread: u32,
        /// Which registers.
        registers: Vec<Set>,
        /// What memory.
        memory: Vec<Memory>,
    },
    /// The region of interest ends; what comes after another [`Record::Thread`] is the next one.
    Left {
        /// Which thread left it.
        thread: u32,
    },
    /// The process has ended, and the trace with it.
    End,
}

/// What is no trace, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no record of a trace")]
pub struct Malformed;

const PROGRAM: u8 = 0;
const THREAD: u8 = 1;
const EXECUTED: u8 = 2;
const PARTIAL: u8 = 3;
const CALLED: u8 = 4;
const NEVER_RETURNED: u8 = 5;
const FAULT: u8 = 6;
const SIGNAL: u8 = 7;
const CHANGED: u8 = 8;
const LEFT: u8 = 9;
const END: u8 = 10;

impl Record {
    /// Appends the record to `to`. `last` is where the instruction before it ends.
    pub fn write(&self, last: &mut u64, to: &mut Vec<u8>) {
        let mut body = Writer(Vec::with_capacity(64));
        match self {
            Self::Program { folds_repeats, name } => {
                body.kind(PROGRAM).number((*folds_repeats).into()).bytes(name);
            }
            Self::Thread { thread, registers, memory } => {
                body.kind(THREAD).number((*thread).into()).sets(registers).memory(memory);
            }
            Self::Executed(executed) => {
                let Executed { thread, pc, bytes, is_partial, undefined, registers, memory } = executed;
                body.kind(if *is_partial { PARTIAL } else { EXECUTED }).number((*thread).into());
                body.signed(pc.wrapping_sub(*last).cast_signed()).bytes(bytes).number(*undefined);
                body.sets(registers).memory(memory);
                *last = pc.wrapping_add(bytes.len() as u64);
            }
            Self::Called(Called { thread, nr, arguments, result, registers, memory }) => {
                body.kind(if result.is_some() { CALLED } else { NEVER_RETURNED }).number((*thread).into()).number(*nr);
                arguments.iter().chain(result).for_each(|&value| {
                    body.number(value);
                });
                body.sets(registers).memory(memory);
            }
            Self::Fault { thread, signal, code, addr, vector } => {
                body.kind(FAULT).number((*thread).into()).number((*signal).into()).signed((*code).into());
                body.number(*addr).number(*vector);
            }
            Self::Signal { thread, signal, code } => {
                body.kind(SIGNAL).number((*thread).into()).number((*signal).into()).signed((*code).into());
            }
            Self::Changed { thread, registers, memory } => {
                body.kind(CHANGED).number((*thread).into()).sets(registers).memory(memory);
            }
            Self::Left { thread } => {
                body.kind(LEFT).number((*thread).into());
            }
            Self::End => {
                body.kind(END);
            }
        }
        let mut whole = Writer(std::mem::take(to));
        whole.bytes(&body.0);
        *to = whole.0;
    }

    /// Reads the record at the start of `from`, and says how long it is; `None` if it is not all there.
    pub fn read(last: &mut u64, from: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut reader = Reader(from);
        let Ok(len) = reader.number() else {
            return if from.len() > 9 { Err(Malformed) } else { Ok(None) };
        };
        let len = usize::try_from(len).map_err(|_| Malformed)?;
        let Some(body) = reader.0.get(..len) else { return Ok(None) };
        let whole = from.len() - reader.0.len() + len;
        let mut reader = Reader(body);
        let record = reader.record(last)?;
        if reader.0.is_empty() { Ok(Some((record, whole))) } else { Err(Malformed) }
    }
}

/// The low `len` bytes of a value.
pub fn set(reg: Reg, value: &Value, len: usize) -> Set {
    (reg, value[..len.min(WIDEST)].to_vec())
}

struct Writer(Vec<u8>);

impl Writer {
    fn kind(&mut self, kind: u8) -> &mut Self {
        self.0.push(kind);
        self
    }

    fn number(&mut self, mut value: u64) -> &mut Self {
        while value > 0x7f {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
        self
    }

    /// Small ones of either sign are short.
    fn signed(&mut self, value: i64) -> &mut Self {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn sets(&mut self, sets: &[Set]) -> &mut Self {
        self.number(sets.len() as u64);
        for (reg, value) in sets {
            self.0.push(reg.number());
            self.bytes(value);
        }
        self
    }

    fn memory(&mut self, memory: &[Memory]) -> &mut Self {
        self.number(memory.len() as u64);
        for Memory { addr, is_write, bytes } in memory {
            self.number(*addr).number((*is_write).into()).bytes(bytes);
        }
        self
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).ok_or(Malformed)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.number()?).map_err(|_| Malformed)
    }

    fn signed(&mut self) -> Result<i64, Malformed> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn code(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.signed()?).map_err(|_| Malformed)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.small()?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Each has two bytes at least.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count: usize = self.small()?;
        if count <= self.0.len() / 2 { Ok(count) } else { Err(Malformed) }
    }

    fn sets(&mut self) -> Result<Vec<Set>, Malformed> {
        let count = self.count()?;
        (0..count)
            .map(|_| {
                let reg = Reg::from_number(self.byte()?).ok_or(Malformed)?;
                let value = self.bytes()?;
                if value.len() <= reg.width() { Ok((reg, value.to_vec())) } else { Err(Malformed) }
            })
            .collect()
    }

    fn memory(&mut self) -> Result<Vec<Memory>, Malformed> {
        let count = self.count()?;
        (0..count)
            .map(|_| {
                let (addr, is_write) = (self.number()?, self.number()? != 0);
                Ok(Memory { addr, is_write, bytes: self.bytes()?.to_vec() })
            })
            .collect()
    }

    fn record(&mut self, last: &mut u64) -> Result<Record, Malformed> {
        Ok(match self.byte()? {
            PROGRAM => Record::Program { folds_repeats: self.number()? != 0, name: self.bytes()?.to_vec() },
            THREAD => Record::Thread { thread: self.small()?, registers: self.sets()?, memory: self.memory()? },
            kind @ (EXECUTED | PARTIAL) => Record::Executed(self.executed(last, kind == PARTIAL)?),
            kind @ (CALLED | NEVER_RETURNED) => {
                let (thread, nr) = (self.small()?, self.number()?);
                let mut arguments = [0; 6];
                for argument in &mut arguments {
                    *argument = self.number()?;
                }
                let result = if kind == CALLED { Some(self.number()?) } else { None };
                let (registers, memory) = (self.sets()?, self.memory()?);
                Record::Called(Called { thread, nr, arguments, result, registers, memory })
            }
            FAULT => Record::Fault {
                thread: self.small()?,
                signal: self.small()?,
                code: self.code()?,
                addr: self.number()?,
                vector: self.number()?,
            },
            SIGNAL => Record::Signal { thread: self.small()?, signal: self.small()?, code: self.code()? },
            CHANGED => Record::Changed { thread: self.small()?, registers: self.sets()?, memory: self.memory()? },
            LEFT => Record::Left { thread: self.small()? },
            END => Record::End,
            _ => return Err(Malformed),
        })
    }

    fn executed(&mut self, last: &mut u64, is_partial: bool) -> Result<Executed, Malformed> {
        let thread = self.small()?;
        let pc = last.wrapping_add(self.signed()?.cast_unsigned());
        let bytes = self.bytes()?.to_vec();
        *last = pc.wrapping_add(bytes.len() as u64);
        let (undefined, registers, memory) = (self.number()?, self.sets()?, self.memory()?);
        Ok(Executed { thread, pc, bytes, is_partial, undefined, registers, memory })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let registers = vec![(Reg::RIP, vec![1, 2, 3, 4, 5, 6, 7, 8]), (Reg::FTW, vec![0xff])];
        let memory = vec![Memory { addr: u64::MAX, is_write: true, bytes: vec![0; 300] }];
        vec![
            Record::Program { folds_repeats: true, name: b"./prog".to_vec() },
            Record::Thread { thread: 7, registers: registers.clone(), memory: memory.clone() },
            Record::Executed(Executed {
                thread: 7,
                pc: 0x40_0000,
                bytes: vec![0x90],
                is_partial: false,
                undefined: 0x10,
                registers: registers.clone(),
                memory: memory.clone(),
            }),
            Record::Executed(Executed { pc: 0x3f_0000, is_partial: true, ..Executed::default() }),
            Record::Called(Called { nr: 1, result: Some(u64::MAX), memory: memory.clone(), ..Called::default() }),
            Record::Called(Called { nr: 231, result: None, ..Called::default() }),
            Record::Fault { thread: 1, signal: 11, code: -6, addr: 1 << 63, vector: 14 },
            Record::Signal { thread: 1, signal: 10, code: i32::MIN },
            Record::Changed { thread: 1, registers, memory },
            Record::Left { thread: 2 },
            Record::End,
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut bytes, mut last) = (Vec::new(), 0);
        records().iter().for_each(|record| record.write(&mut last, &mut bytes));
        let (mut rest, mut last, mut found) = (&bytes[..], 0, Vec::new());
        while let Some((record, len)) = Record::read(&mut last, rest).unwrap() {
            found.push(record);
            rest = &rest[len..];
        }
        assert_eq!(found, records());
        assert!(rest.is_empty());
    }

    #[test]
    fn a_part_of_a_record_is_no_record() {
        for record in records() {
            let mut bytes = Vec::new();
            record.write(&mut 0, &mut bytes);
            for len in 0..bytes.len() {
                assert_eq!(Record::read(&mut 0, &bytes[..len]), Ok(None), "{record:?} {len}");
            }
        }
        assert_eq!(Record::read(&mut 0, &[1, 99]), Err(Malformed));
        assert_eq!(Record::read(&mut 0, &[2, END, 0]), Err(Malformed), "too long");
        assert_eq!(Record::read(&mut 0, &[0xff; 12]), Err(Malformed));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Record::read(&mut 0, &bytes);
        }
    }
}
