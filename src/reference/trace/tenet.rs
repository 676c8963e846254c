//! Traces for Tenet, a debugger of traces: a line for each instruction that is about to be executed, with the registers that
//! are others than before and the memory that the instruction before it used.
//!
//! It knows one thread and general registers: those of the first thread are written.

use std::io::{self, Write};

use super::Sink;
use super::threads::Threads;
use crate::proc::trace::record::{Memory, Record};
use crate::x86::state::Reg;

/// Writes lines.
pub(super) struct Tenet {
    to: Box<dyn Write>,
    threads: Threads,
    /// The thread that is written, when it is known.
    thread: Option<u32>,
    /// What the lines so far say of its registers.
    shown: Vec<Option<u64>>,
    /// What the next line says of memory.
    memory: Vec<Memory>,
    /// Is there something to say?
    is_ahead: bool,
}

/// Those that it knows.
fn registers() -> impl Iterator<Item = Reg> {
    (0..16).map(Reg::general).chain([Reg::RIP])
}

impl Tenet {
    pub(super) fn new(to: Box<dyn Write>) -> Self {
        let shown = registers().map(|_| None).collect();
        Self { to, threads: Threads::default(), thread: None, shown, memory: Vec::new(), is_ahead: false }
    }

    fn line(&mut self, thread: u32) -> io::Result<()> {
        if !std::mem::take(&mut self.is_ahead) {
            return Ok(());
        }
        let held = self.threads.of(thread);
        let mut separator = "";
        for (reg, shown) in registers().zip(&mut self.shown) {
            let value = held.word(reg);
            if *shown != Some(value) || reg == Reg::RIP {
                write!(self.to, "{separator}{}={value:#x}", reg.name(8))?;
                (*shown, separator) = (Some(value), ",");
            }
        }
        for Memory { addr, is_write, bytes } in self.memory.drain(..).filter(|memory| !memory.bytes.is_empty()) {
            write!(self.to, ",{}={addr:#x}:", if is_write { "mw" } else { "mr" })?;
            bytes.iter().try_for_each(|byte| write!(self.to, "{byte:02x}"))?;
        }
        writeln!(self.to)
    }
}

impl Sink for Tenet {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let (thread, memory) = match record {
            Record::Thread { thread, memory, .. } | Record::Changed { thread, memory, .. } => (*thread, memory),
            Record::Executed(executed) => (executed.thread, &executed.memory),
            Record::Called(called) => (called.thread, &called.memory),
            _ => return Ok(()),
        };
        if *self.thread.get_or_insert(thread) != thread {
            return Ok(());
        }
        if matches!(record, Record::Executed(_)) {
            self.line(thread)?;
        }
        self.threads.apply(record);
        self.memory.extend_from_slice(memory);
        self.is_ahead = true;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(thread) = self.thread {
            self.line(thread)?;
        }
        self.to.flush()
    }
}
