//! One instruction of a thread at a time, by the trap flag and its debug exception, unseen by the program.
//!
//! What the flag would leave behind, in pushed flags, in r11 of a system call, in the frame of a fault, is taken away again. A
//! program that sets the flag itself gets its own exceptions. A move to SS, behind which there is none, is made here.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::Task;
use crate::abi::{TASK_SIZE, UserAddr};
use crate::vm::{Trap, VmError};
use crate::x86::descriptor::USER_DS;
use crate::x86::effects;
use crate::x86::operand::{self, MAX_LEN};
use crate::x86::{PageFaultCode, RFlags, Vector};

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The instruction was executed, or one iteration of a repeated one: then rip is what it was.
    Done,
    /// The thread needs the runner first. The instruction was executed if that is a system call or an exception that comes
    /// behind one ([`is_behind`]); otherwise it comes again.
    Trap(Trap),
}

/// Is the instruction that made this trap executed, and rip behind it?
pub fn is_behind(trap: &Trap) -> bool {
    match trap {
        Trap::Syscall => true,
        Trap::Exception { vector, .. } => [Vector::DB, Vector::BP, Vector::OF].contains(vector),
        _ => false,
    }
}

impl Task {
    /// Executes the instruction at the thread's rip, and no other.
    ///
    /// Other threads of the same memory must be kept out of guest mode if nothing is to happen meanwhile ([`Turns`]).
    pub(super) fn step(&mut self) -> Result<Step, VmError> {
        let before = *self.vcpu.regs();
        let mut code = [0; MAX_LEN];
        let len = self.process.mm.original_code(before.rip, &mut code);
        let instruction = effects::decode(&code[..len], before.rip);
        let mnemonic = instruction.map_or(Mnemonic::INVALID, |instruction| instruction.mnemonic());
        if let Some(instruction) = instruction
            && self.loads_same_stack_segment(&instruction)
        {
            self.vcpu.regs_mut().rip = instruction.next_ip();
            return Ok(Step::Done);
        }
        if mnemonic == Mnemonic::Int1 {
            // So that its own exception is not taken for that of a step before.
            self.vcpu.take_single_step();
        }
        let is_own = before.rflags & RFlags::TF.bits() != 0;
        self.vcpu.regs_mut().rflags |= RFlags::TF.bits();
        let result = match self.process.mm.machine().run(&mut self.vcpu) {
            Ok(Trap::PageFault { addr, code }) if self.writes_own_text(addr, code) => self.run_with_open_text(),
            result => result,
        };
        if is_own {
            return result.map(Step::Trap);
        }
        let is_step = matches!(result, Ok(Trap::Exception { vector: Vector::DB, .. })) && mnemonic != Mnemonic::Int1;
        let loads_flags = matches!(mnemonic, Mnemonic::Popf | Mnemonic::Popfq | Mnemonic::Iret | Mnemonic::Iretq);
        if !(is_step && loads_flags) {
            self.vcpu.regs_mut().rflags &= !RFlags::TF.bits();
        }
        if matches!(result, Ok(Trap::Syscall)) {
            self.vcpu.regs_mut().r11 &= !RFlags::TF.bits();
        }
        if is_step && matches!(mnemonic, Mnemonic::Pushf | Mnemonic::Pushfq) {
            self.clear_pushed_flag();
        }
        if is_step { Ok(Step::Done) } else { result.map(Step::Trap) }
    }

    /// Is it a fault of an instruction that writes to its own page, which only code that has been looked at cannot?
    pub fn writes_own_text(&self, addr: u64, code: PageFaultCode) -> bool {
        code.contains(PageFaultCode::WRITE) && self.process.mm.is_write_to_own_text(addr, self.vcpu.regs().rip)
    }

    /// Executes that instruction.
    ///
    /// # Errors
    /// KVM's.
    pub fn step_over_own_text(&mut self) -> Result<Step, VmError> {
        let step = self.step()?;
        if step == Step::Done {
            self.vcpu.take_single_step();
        }
        Ok(step)
    }

    fn run_with_open_text(&mut self) -> Result<Trap, VmError> {
        /// An instruction with its code and its operands lies in no more pages.
        const MOST_PAGES: u32 = 8;
        let mm = self.process.mm.clone();
        mm.with_open_text(self.vcpu.regs().rip, || {
            let mut trap = mm.machine().run(&mut self.vcpu)?;
            for _ in 0..MOST_PAGES {
                match trap {
                    Trap::PageFault { addr, code } if addr < TASK_SIZE && mm.fault(addr, code.into()).is_ok() => {
                        trap = mm.machine().run(&mut self.vcpu)?;
                    }
                    _ => break,
                }
            }
            Ok(trap)
        })
    }

    /// Is it a move to SS of what is there? It changes nothing, and the debug exception would come one instruction late.
    fn loads_same_stack_segment(&self, instruction: &Instruction) -> bool {
        if instruction.mnemonic() != Mnemonic::Mov || instruction.op0_register() != Register::SS {
            return false;
        }
        let regs = self.vcpu.regs();
        let value = match instruction.op1_kind() {
            OpKind::Register => regs.general(instruction.op1_register()),
            OpKind::Memory if !matches!(instruction.memory_segment(), Register::FS | Register::GS) => {
                let mut word = [0; 2];
                let addr =
                    instruction.virtual_address(1, 0, |register, _, _| operand::value_of(register, regs, (0, 0)));
                let read = addr.map(|addr| self.process.mm.copy_in(UserAddr::new(addr), &mut word));
                matches!(read, Some(Ok(()))).then(|| u16::from_le_bytes(word).into())
            }
            _ => None,
        };
        value.is_some_and(|value| value & 0xffff == u64::from(USER_DS))
    }

    /// After a push of the flags.
    fn clear_pushed_flag(&self) {
        // Of its second byte.
        const TF: u8 = 1;
        let at = UserAddr::new(self.vcpu.regs().rsp.wrapping_add(1));
        let mut byte = [0];
        if self.process.mm.copy_in(at, &mut byte).is_ok() {
            // It was written just now.
            let _ = self.process.mm.copy_out(at, &[byte[0] & !TF]);
        }
    }
}

/// Lets the threads of one memory act one at a time, in the order in which they ask.
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// The number that the next one to ask gets.
    next: u64,
    /// The number of the one whose turn it is.
    current: u64,
}

impl Turns {
    /// Waits for the caller's turn, which lasts as long as what it returns.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut state = self.lock();
        let own = state.next;
        state.next += 1;
        while state.current != own {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }

    /// Keeps others from asking and ending while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized + '_ {
        self.lock()
    }

    /// In a process that was just made: there is only the calling thread, and it is nobody's turn.
    pub(super) fn restart(&self) {
        *self.lock() = Queue::default();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's turn.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.current += 1;
        if state.current != state.next {
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn turns_do_not_overlap() {
        let (turns, inside) = (Arc::new(Turns::default()), Arc::new(AtomicU32::new(0)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (turns, inside) = (turns.clone(), inside.clone());
                std::thread::spawn(move || {
                    for _ in 0..1000 {
                        let _turn = turns.take();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(turns.lock().current, 4000);
    }
}
