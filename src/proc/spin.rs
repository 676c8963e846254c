//! A thread of a deterministic run that waits for others in a loop without a system call.
//!
//! It was stopped anywhere. So it makes one step after the other until its registers are what they were before, and nothing has
//! changed in between: then it goes round and round until another thread changes memory. Of all states of the loop one is
//! picked that does not depend on where it was stopped, and there others go on.

use std::collections::HashMap;

use iced_x86::{InstructionInfoFactory, Mnemonic, OpAccess, Register};

use super::Task;
use super::step::Step;
use crate::abi::UserAddr;
use crate::vm::VmError;
use crate::x86::{UserRegs, effects, operand, telling};

/// Steps in which a loop must have been found.
const MOST_STEPS: usize = 4096;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stepped {
    /// Nothing but general registers can be different.
    Unchanged,
    Changed,
    /// What is to be executed next is more than a step.
    No,
}

impl Task {
    /// Is the thread in a loop that ends only when others change memory? Then it is at a place of the loop that is the same
    /// wherever it was before.
    pub fn is_waiting_in_loop(&mut self) -> Result<bool, VmError> {
        let mut seen: HashMap<UserRegs, usize> = HashMap::new();
        let mut states: Vec<UserRegs> = Vec::new();
        for _ in 0..MOST_STEPS {
            let state = *self.vcpu.regs();
            if let Some(&first) = seen.get(&state) {
                return self.go_to_lowest(&states[first..]);
            }
            seen.insert(state, states.len());
            states.push(state);
            match self.step_in_loop()? {
                Stepped::Unchanged => {}
                Stepped::Changed => (seen, states) = Default::default(),
                Stepped::No => return Ok(false),
            }
        }
        Ok(false)
    }

    /// The thread, which is at the first of the states of a loop, goes to the one with the lowest address.
    fn go_to_lowest(&mut self, states: &[UserRegs]) -> Result<bool, VmError> {
        let Some(lowest) = states.iter().min_by_key(|state| (state.rip, **state)) else { return Ok(false) };
        for _ in states {
            if self.vcpu.regs() == lowest {
                return Ok(true);
            }
            if self.step_in_loop()? != Stepped::Unchanged {
                return Ok(false);
            }
        }
        Ok(false)
    }

    fn step_in_loop(&mut self) -> Result<Stepped, VmError> {
        let regs = *self.vcpu.regs();
        let mut code = [0; operand::MAX_LEN];
        let len = self.process.mm.original_code(regs.rip, &mut code);
        let Some(instruction) = effects::decode(&code[..len], regs.rip) else { return Ok(Stepped::No) };
        if telling::tells(&instruction) || is_special(instruction.mnemonic()) {
            return Ok(Stepped::No);
        }
        let Ok(bases) = self.segment_bases() else { return Ok(Stepped::No) };
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(&instruction);
        let is_written = |access| {
            matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
        };
        let is_general = |register: Register| register.is_gpr() || register.is_ip();
        let changes_others =
            info.used_registers().iter().any(|used| is_written(used.access()) && !is_general(used.register()));
        let mut written = Vec::new();
        for memory in info.used_memory().iter().filter(|memory| is_written(memory.access())) {
            let addr = memory.virtual_address(0, |register, _, _| operand::value_of(register, &regs, bases));
            match (addr, memory.memory_size().size()) {
                (Some(addr), len @ 1..=64) => written.push((addr, self.bytes(addr, len))),
                _ => return Ok(Stepped::No),
            }
        }
        if !self.step_once()? {
            return Ok(Stepped::No);
        }
        let is_changed =
            changes_others || written.iter().any(|(addr, before)| self.bytes(*addr, before.len()) != *before);
        Ok(if is_changed { Stepped::Changed } else { Stepped::Unchanged })
    }

    fn bytes(&self, addr: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let len = self.process.mm.copy_in_partly(UserAddr::new(addr), &mut bytes);
        bytes.truncate(len);
        bytes
    }

    /// Executes one instruction. If it cannot be, as it is not yet or there is a signal, nothing has happened.
    fn step_once(&mut self) -> Result<bool, VmError> {
        let mm = self.process.mm.clone();
        Ok(self.step_and_fill(&mm)? == Step::Done && self.vcpu.take_single_step())
    }
}

/// Is it more than a step, or does it deal with the flag that makes steps?
fn is_special(mnemonic: Mnemonic) -> bool {
    use Mnemonic::{
        Int, Int1, Int3, Into, Iret, Iretd, Iretq, Popf, Popfd, Popfq, Pushf, Pushfd, Pushfq, Syscall, Sysenter,
        Wrfsbase, Wrgsbase,
    };
    matches!(
        mnemonic,
        Int | Int1
            | Int3
            | Into
            | Iret
            | Iretd
            | Iretq
            | Popf
            | Popfd
            | Popfq
            | Pushf
            | Pushfd
            | Pushfq
            | Syscall
            | Sysenter
            | Wrfsbase
            | Wrgsbase
    )
}
