//! The peer of gem5's `X86NativeTrace` (`src/arch/x86/nativetrace.cc`): after each instruction, its registers as gem5 compares
//! them, 456 bytes without any header.

use std::io::{self, Write};

use super::Sink;
use super::threads::{Registers, Threads};
use crate::proc::trace::record::Record;
use crate::x86::state::Reg;

/// Bytes of a record.
const LEN: usize = 57 * 8;

/// Writes records.
pub(super) struct NativeTrace {
    to: Box<dyn Write>,
    threads: Threads,
    /// gem5 follows one thread.
    thread: Option<u32>,
    /// Has it executed an instruction that was not sent? What a system call changes belongs to it.
    is_ahead: bool,
}

impl NativeTrace {
    pub(super) fn new(to: Box<dyn Write>) -> Self {
        Self { to, threads: Threads::default(), thread: None, is_ahead: false }
    }

    fn send(&mut self, thread: u32) -> io::Result<()> {
        if std::mem::take(&mut self.is_ahead) {
            self.to.write_all(&packed(self.threads.of(thread)))?;
        }
        Ok(())
    }
}

impl Sink for NativeTrace {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        let (thread, is_instruction) = match record {
            Record::Thread { thread, .. } | Record::Changed { thread, .. } => (*thread, false),
            Record::Called(called) => (called.thread, false),
            Record::Executed(executed) => (executed.thread, !executed.is_partial),
            _ => return Ok(()),
        };
        if *self.thread.get_or_insert(thread) != thread {
            return Ok(());
        }
        if is_instruction {
            self.send(thread)?;
        }
        self.threads.apply(record);
        self.is_ahead |= is_instruction;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(thread) = self.thread {
            self.send(thread)?;
        }
        self.to.flush()
    }
}

fn packed(registers: &Registers) -> [u8; LEN] {
    /// rax rcx rdx rbx rsp rbp rsi rdi r8 .. r15: the order of encodings.
    const GENERAL: u8 = 16;
    let mut bytes = [0; LEN];
    let general = (0..GENERAL).map(Reg::general).chain([Reg::RIP]);
    let words = general.chain(Reg::x87()).map(|reg| registers.word(reg).to_le_bytes());
    bytes.chunks_exact_mut(8).zip(words).for_each(|(place, word)| place.copy_from_slice(&word));
    let vectors = bytes[25 * 8..].chunks_exact_mut(16).zip(Reg::vectors());
    vectors.for_each(|(place, reg)| place.copy_from_slice(&registers.value(reg)[..16]));
    bytes
}
