//! Traces for people and grep(1): a line an instruction, in the shape of Spike's commit log.
//!
//! ```text
//! P PROGRAM                               a program begins
//! T t7 rax=0x0 .. w[0x7ffe1000:4096]=..   all registers of a thread, and the stack that a program finds
//! i1 t7 0x401000 (31ed) rbp=0x0 rflags=0x246/0x10 r[0x7ffe1000:8]=0x1 w[..]=..
//! S i9 t7 write(0x1, 0x402000, 0x3, ..)=0x3 rax=0x3        a system call was made, and changed this
//! F i9 t7 SIGSEGV code=1 addr=0x0 vector=14                the next instruction makes this fault
//! H i9 t7 SIGUSR1 code=-6                                  a signal is delivered
//! A i9 t7 rsp=0x7ffe0800 w[..]=..                          registers and memory were changed by that
//! L i9 t7                                                  the region ends
//! E i9                                                     the process ended
//! ```

use std::io::{self, Write};

use super::Sink;
use crate::proc::trace::record::{Called, Executed, Memory, Record, Set};
use crate::syscall::{signal_name, table};
use crate::x86::state::Reg;

/// Writes lines.
pub(super) struct Text {
    to: Box<dyn Write>,
    /// Instructions so far.
    count: u64,
}

impl Text {
    pub(super) fn begin(mut to: Box<dyn Write>) -> io::Result<Self> {
        writeln!(to, "# kvm-se trace 1")?;
        Ok(Self { to, count: 0 })
    }

    fn executed(&mut self, executed: &Executed) -> io::Result<()> {
        let Executed { thread, pc, bytes, is_partial, undefined, registers, memory } = executed;
        let number = self.count + 1;
        if !is_partial {
            self.count = number;
        }
        let (to, mark) = (&mut self.to, if *is_partial { "~" } else { "" });
        write!(to, "i{number}{mark} t{thread} {pc:#x} (")?;
        bytes.iter().try_for_each(|byte| write!(to, "{byte:02x}"))?;
        write!(to, ")")?;
        sets(to, registers, *undefined)?;
        used(to, memory)?;
        writeln!(to)
    }

    fn called(&mut self, called: &Called) -> io::Result<()> {
        let Called { thread, nr, arguments, result, registers, memory } = called;
        let to = &mut self.to;
        write!(to, "S i{} t{thread} ", self.count)?;
        let entry = table::entry(*nr);
        match entry {
            Some(entry) => write!(to, "{}(", entry.name)?,
            None => write!(to, "syscall_{nr:#x}(")?,
        }
        let nr_arguments = entry.map_or(arguments.len(), |entry| entry.args.len());
        for (index, argument) in arguments.iter().take(nr_arguments).enumerate() {
            write!(to, "{}{argument:#x}", if index == 0 { "" } else { ", " })?;
        }
        match result {
            Some(result) => write!(to, ")={result:#x}")?,
            None => write!(to, ")=?")?,
        }
        sets(to, registers, 0)?;
        used(to, memory)?;
        writeln!(to)
    }
}

impl Sink for Text {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let (to, count) = (&mut self.to, self.count);
        match record {
            Record::Executed(executed) => self.executed(executed),
            Record::Called(called) => self.called(called),
            Record::Program { folds_repeats, name } => {
                writeln!(to, "# rep={}", if *folds_repeats { "one" } else { "iter" })?;
                writeln!(to, "P {}", name.escape_ascii())
            }
            Record::Thread { thread, registers, memory } => {
                write!(to, "T t{thread}")?;
                sets(to, registers, 0)?;
                used(to, memory)?;
                writeln!(to)
            }
            Record::Fault { thread, signal, code, addr, vector } => {
                let signal = name_of(*signal);
                writeln!(to, "F i{count} t{thread} {signal} code={code} addr={addr:#x} vector={vector}")
            }
            Record::Signal { thread, signal, code } => {
                writeln!(to, "H i{count} t{thread} {} code={code}", name_of(*signal))
            }
            Record::Changed { thread, registers, memory } => {
                write!(to, "A i{count} t{thread}")?;
                sets(to, registers, 0)?;
                used(to, memory)?;
                writeln!(to)
            }
            Record::Left { thread } => writeln!(to, "L i{count} t{thread}"),
            Record::End => writeln!(to, "E i{count}"),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.to.flush()
    }
}

fn name_of(signal: u32) -> String {
    signal_name(i32::try_from(signal).unwrap_or(0))
}

fn sets(to: &mut dyn Write, sets: &[Set], undefined: u64) -> io::Result<()> {
    for (reg, value) in sets {
        write!(to, " {}=", reg.name(value.len()))?;
        number(to, value)?;
        if *reg == Reg::RFLAGS && undefined != 0 {
            write!(to, "/{undefined:#x}")?;
        }
    }
    Ok(())
}

fn used(to: &mut dyn Write, memory: &[Memory]) -> io::Result<()> {
    for Memory { addr, is_write, bytes } in memory {
        write!(to, " {}[{addr:#x}:{}]=", if *is_write { 'w' } else { 'r' }, bytes.len())?;
        if bytes.len() <= 8 {
            number(to, bytes)?;
        } else {
            bytes.iter().try_for_each(|byte| write!(to, "{byte:02x}"))?;
        }
    }
    Ok(())
}

/// Least byte first as a number.
fn number(to: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() <= 8 {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        return write!(to, "{:#x}", u64::from_le_bytes(word));
    }
    write!(to, "0x")?;
    bytes.iter().rev().try_for_each(|byte| write!(to, "{byte:02x}"))
}
