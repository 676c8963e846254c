//! The instruction that a traced thread executes: what is to be known before, and what is found after.

use iced_x86::Instruction;

use super::record::{Executed, Memory, Record};
use super::{Traced, Tracing, differences};
use crate::abi::UserAddr;
use crate::proc::Task;
use crate::vm::VmError;
use crate::x86::effects::{self, Access, M5OP, M5OP_LEN};
use crate::x86::operand::MAX_LEN;
use crate::x86::state::{Reg, State};

/// An instruction between its start and its end.
#[derive(Debug)]
pub(super) struct Open {
    pc: u64,
    bytes: Vec<u8>,
    /// `None` if there is none.
    instruction: Option<Instruction>,
    /// The registers at its start.
    before: Box<State>,
    /// What its iterations so far have used.
    memory: Vec<Memory>,
    /// How many there were.
    iterations: u64,
    /// What the next one will use, and what it will read.
    next: Vec<(Access, Vec<u8>)>,
}

impl Open {
    pub(super) fn pc(&self) -> u64 {
        self.pc
    }

    fn is_repeated(&self) -> bool {
        self.instruction.as_ref().is_some_and(effects::is_repeated)
    }

    /// Adds what an iteration has used. Neighbours are told together.
    fn add(&mut self, memory: Memory) {
        let len = memory.bytes.len() as u64;
        for last in self.memory.iter_mut().rev().take(2).filter(|last| last.is_write == memory.is_write) {
            if self.iterations > 0 && last.addr + last.bytes.len() as u64 == memory.addr {
                last.bytes.extend_from_slice(&memory.bytes);
                return;
            }
            if self.iterations > 0 && memory.addr + len == last.addr {
                last.bytes.splice(..0, memory.bytes);
                last.addr = memory.addr;
                return;
            }
        }
        self.memory.push(memory);
    }
}

impl Task {
    /// Before the next instruction, or the next iteration of a repeated one.
    pub(super) fn open_instruction(&mut self, traced: &mut Traced) {
        let Some(known) = &traced.known else { return };
        let pc = known.regs.rip;
        let mut open = match traced.open.take() {
            Some(open) if open.pc == pc && open.iterations > 0 => open,
            _ => {
                let mut bytes = vec![0; MAX_LEN];
                let len = self.process.mm.original_code(pc, &mut bytes);
                bytes.truncate(len);
                if let Some(ends) = &self.process.ends {
                    ends.breakpoints.hide(pc, &mut bytes);
                }
                let instruction = effects::decode(&bytes, pc);
                let is_m5op = self.process.settings.m5ops.is_some() && bytes.starts_with(&M5OP);
                let len_of_none = if is_m5op { M5OP_LEN } else { 0 };
                bytes.truncate(instruction.as_ref().map_or(len_of_none, Instruction::len));
                Open {
                    pc,
                    bytes,
                    instruction,
                    before: known.clone(),
                    memory: Vec::new(),
                    iterations: 0,
                    next: Vec::new(),
                }
            }
        };
        let accesses = open.instruction.as_ref().map_or_else(Vec::new, |it| traced.effects.accesses(it, known));
        open.next = accesses
            .into_iter()
            .map(|access| {
                let mut bytes = vec![0; if access.is_read { access.len } else { 0 }];
                let len = self.process.mm.copy_in_partly(UserAddr::new(access.addr), &mut bytes);
                bytes.truncate(len);
                (access, bytes)
            })
            .collect();
        traced.open = Some(open);
    }

    /// The thread has executed its instruction, or an iteration of it.
    pub(super) fn note_step(&mut self, tracing: &Tracing, traced: &mut Traced) -> Result<(), VmError> {
        let (Some(mut open), Some(known)) = (traced.open.take(), traced.known.take()) else { return Ok(()) };
        let changes_more = |it: &Instruction| effects::uses_extended_state(it) || effects::changes_bases(it);
        let is_unknown = open.instruction.as_ref().is_none_or(changes_more);
        let state = self.traced_state(if is_unknown || traced.is_stale { None } else { Some(&known) })?;
        traced.is_stale = false;
        self.end_iteration(&mut open);
        let goes_on = open.is_repeated() && tracing.folds_repeats && state.regs.rip == open.pc;
        traced.known = Some(Box::new(state));
        if goes_on {
            traced.open = Some(open);
        } else {
            self.emit_executed(tracing, traced, open, false);
        }
        Ok(())
    }

    fn end_iteration(&self, open: &mut Open) {
        for (access, before) in std::mem::take(&mut open.next) {
            if access.is_read {
                open.add(Memory { addr: access.addr, is_write: false, bytes: before });
            }
            if access.is_written
                && let Some(memory) = self.read_written(access.addr, access.len)
            {
                open.add(memory);
            }
        }
        open.iterations += 1;
    }

    /// What the thread was doing ends here: a fault or signal comes.
    pub(super) fn break_off(&mut self, tracing: &Tracing, traced: &mut Traced) {
        if let Some(open) = traced.open.take().filter(|open| open.iterations > 0) {
            self.emit_executed(tracing, traced, open, true);
        }
    }

    fn emit_executed(&self, tracing: &Tracing, traced: &mut Traced, open: Open, is_partial: bool) {
        let Some(state) = &traced.known else { return };
        let written = open.instruction.as_ref().map(|it| traced.effects.written(it)).unwrap_or_default();
        let which = Reg::all().filter(|reg| *reg != Reg::RIP);
        let mut registers = differences(&open.before, state, &written.registers, which);
        if !is_partial && state.regs.rip != open.pc.wrapping_add(open.bytes.len() as u64) {
            registers.push((Reg::RIP, state.regs.rip.to_le_bytes().to_vec()));
        }
        tracing.emit(&Record::Executed(Executed {
            thread: self.thread_number(),
            pc: open.pc,
            bytes: open.bytes,
            is_partial,
            undefined: written.undefined,
            registers,
            memory: open.memory,
        }));
    }
}
