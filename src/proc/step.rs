//! One instruction of a thread at a time, by the trap flag and its debug exception, unseen by the program.
//!
//! What the flag would leave behind, in pushed flags, in r11 of a system call, in the frame of a fault, is taken away again. A
//! program that sets the flag itself gets its own exceptions. A move to SS, behind which there is none, is made here.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

use super::Task;
use crate::abi::UserAddr;
use crate::vm::{Trap, VmError};
use crate::x86::descriptor::USER_DS;
use crate::x86::operand::{self, MAX_LEN};
use crate::x86::{RFlags, Vector, telling};

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The instruction was executed, or one iteration of a repeated one: then rip is what it was.
    Done,
    /// The thread needs the runner first. The instruction was executed if that is a system call or an exception that comes
    /// behind one; otherwise it comes again.
    Trap(Trap),
}

impl Task {
    /// Executes the instruction at the thread's rip, and no other.
    ///
    /// Other threads of the same memory must be kept out of guest mode if nothing is to happen meanwhile.
    pub(super) fn step(&mut self) -> Result<Step, VmError> {
        let before = *self.vcpu.regs();
        let mut code = [0; MAX_LEN];
        let len = self.process.mm.original_code(before.rip, &mut code);
        let instruction = telling::first(&code[..len], before.rip);
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
        let result = self.process.mm.machine().run(&mut self.vcpu);
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
