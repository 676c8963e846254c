//! Instructions that tell, executed here: replaced in the guest's code, or trapped by the processor where it can. And those
//! that the processor lacks which the guest sees.

use std::arch::x86_64::__cpuid_count;

use iced_x86::{Instruction, Mnemonic, Register};

use super::deterministic::send_due;
use crate::proc::Task;
use crate::proc::determinism::clock;
use crate::x86::model::Fate;
use crate::x86::{RFlags, UserRegs, Vector, effects, telling};

/// Bytes of the longest instruction.
const LONGEST: usize = 15;

/// Executes the instruction at the task's rip, if it is one that tells and made this exception. In a deterministic run this
/// is a point where another thread may go on.
pub fn tells(task: &mut Task, vector: Vector) -> bool {
    let model = task.process.mm.machine().model();
    let may_be = task.on_board().is_some() || model.is_fixed();
    if !may_be || !matches!(vector, Vector::UD | Vector::GP) {
        return false;
    }
    let Some(instruction) = instruction_at_rip(task).filter(telling::tells) else { return false };
    let is_refused = model.instructions().fate(&instruction) != Fate::Executed;
    let mut regs = *task.vcpu.regs();
    if is_refused || instruction.has_lock_prefix() || execute(task, &instruction, &mut regs).is_none() {
        return false;
    }
    regs.rip = instruction.next_ip();
    // Of the exception.
    regs.rflags &= !RFlags::RF.bits();
    let at = task.vcpu.regs().rip;
    *task.vcpu.regs_mut() = regs;
    task.begin_event(at, None);
    if let Some((board, seat)) = task.on_board() {
        board.pass(clock::INSTRUCTION);
        board.pass_point(seat, false);
    }
    send_due(task);
    task.end_event();
    true
}

/// As it is in the program.
fn instruction_at_rip(task: &Task) -> Option<Instruction> {
    let rip = task.vcpu.regs().rip;
    let mut code = [0; LONGEST];
    let len = task.process.mm.original_code(rip, &mut code);
    effects::decode(&code[..len], rip)
}

/// Says which instruction is undefined at the task's rip, if it is because the processor that the guest sees lacks it; once a
/// process.
pub fn say_refused(task: &Task) {
    let model = task.process.mm.machine().model();
    if !model.is_fixed() {
        return;
    }
    let Some(instruction) = instruction_at_rip(task) else { return };
    if model.instructions().fate(&instruction) == Fate::Refused && task.process.is_first_refusal() {
        let rip = task.vcpu.regs().rip;
        let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
        let function = task.process.function_at(rip).map_or_else(String::new, |function| format!(" in {function}"));
        let what = format_args!("{name} at {rip:#x}{function} is no instruction of {}", model.name());
        task.process.settings.say(what);
    }
}

/// `None` if the processor would raise an exception.
fn execute(task: &Task, instruction: &Instruction, regs: &mut UserRegs) -> Option<()> {
    let board = || task.on_board().map(|(board, _)| board);
    let low = |value: u64| value & u64::from(u32::MAX);
    match instruction.mnemonic() {
        Mnemonic::Rdtsc | Mnemonic::Rdtscp => {
            let time = board()?.tsc();
            (regs.rax, regs.rdx) = (low(time), time >> 32);
            if instruction.mnemonic() == Mnemonic::Rdtscp {
                regs.rcx = 0;
            }
        }
        Mnemonic::Cpuid => {
            let values = cpuid(task, low(regs.rax), low(regs.rcx));
            [regs.rax, regs.rbx, regs.rcx, regs.rdx] = values.map(u64::from);
        }
        Mnemonic::Xgetbv => {
            // The second one tells which components are in use, which depends on when the host saved them last.
            if low(regs.rcx) > 1 {
                return None;
            }
            let enabled = task.process.mm.machine().xcr0();
            (regs.rax, regs.rdx) = (low(enabled), enabled >> 32);
        }
        Mnemonic::Rdpid => {
            board()?;
            put(regs, instruction.op0_register(), 0)?;
        }
        Mnemonic::Rdrand | Mnemonic::Rdseed => {
            const STATUS: u64 = 0x8d5;
            const CARRY: u64 = 1;
            let mut bytes = [0; 8];
            board()?.fill_random(&mut bytes);
            put(regs, instruction.op0_register(), u64::from_le_bytes(bytes))?;
            regs.rflags = regs.rflags & !STATUS | CARRY;
        }
        _ => return None,
    }
    Some(())
}

/// Writes a register of 16, 32 or 64 bits.
fn put(regs: &mut UserRegs, register: Register, value: u64) -> Option<()> {
    let whole = regs.general_mut(register)?;
    *whole = match register.size() {
        2 => *whole & !0xffff | value & 0xffff,
        4 => value & u64::from(u32::MAX),
        _ => value,
    };
    Some(())
}

/// What the guest's processor says; of the host's, less what is a matter of chance: which processor it is, instructions whose results
/// are random or depend on time, and how often its clock ticks.
#[expect(clippy::cast_possible_truncation, reason = "registers of 32 bits")]
fn cpuid(task: &Task, leaf: u64, subleaf: u64) -> [u32; 4] {
    const HLE_RTM_RDSEED_MPX: u32 = 1 << 4 | 1 << 11 | 1 << 18 | 1 << 14;
    const PKU_WAITPKG_RDPID: u32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 22;
    const AMX: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    const HYBRID: u32 = 1 << 15;
    let (leaf, subleaf) = (leaf as u32, subleaf as u32);
    let model = task.process.mm.machine().model();
    if model.is_fixed() {
        return model.cpuid(leaf, subleaf);
    }
    let [mut eax, mut ebx, mut ecx, mut edx] =
        task.process.mm.machine().cpuid_shown(leaf, subleaf).unwrap_or_else(|| {
            let result = __cpuid_count(leaf, subleaf);
            [result.eax, result.ebx, result.ecx, result.edx]
        });
    match (leaf, subleaf) {
        (1, _) => {
            const RDRAND: u32 = 1 << 30;
            ebx &= 0x00ff_ffff;
            ecx &= !RDRAND;
        }
        (7, 0) => {
            ebx &= !HLE_RTM_RDSEED_MPX;
            ecx &= !PKU_WAITPKG_RDPID;
            edx &= !(AMX | HYBRID);
        }
        (0xb | 0x1f, _) => edx = 0,
        // In use now, which is not the same each time.
        (0xd, 1) => ebx = 0,
        (0x15 | 0x16 | 0x1a, _) => [eax, ebx, ecx, edx] = [0; 4],
        (0x8000_001e, _) => [eax, ebx, ecx] = [0; 3],
        _ => {}
    }
    [eax, ebx, ecx, edx]
}
