//! Traces for ChampSim (`inc/trace_instruction.h`): 64 bytes an instruction, to be compressed by xz(1) or gzip(1).
//!
//! ChampSim knows the kind of a branch by the registers that it reads and writes, so those are chosen for it.

use std::io::{self, Write};

use iced_x86::{FlowControl, Instruction};

use super::Sink;
use crate::proc::trace::record::{Executed, Record};
use crate::x86::effects::{self, Effects};
use crate::x86::state::Reg;

/// Numbers that mean something to ChampSim.
const STACK_POINTER: u8 = 6;
const FLAGS: u8 = 25;
const INSTRUCTION_POINTER: u8 = 26;
/// What an indirect branch reads that reads no register: its target is in memory.
const MEMORY: u8 = 250;
/// Others are numbered from here.
const FIRST: u8 = 100;

/// Writes records.
pub(super) struct ChampSim {
    to: Box<dyn Write>,
    effects: Effects,
}

/// An instruction as ChampSim reads it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Packed {
    is_branch: bool,
    is_taken: bool,
    written: [u8; 2],
    read: [u8; 4],
}

impl ChampSim {
    pub(super) fn new(to: Box<dyn Write>) -> Self {
        Self { to, effects: Effects::default() }
    }

    fn executed(&mut self, executed: &Executed) -> io::Result<()> {
        let instruction = effects::decode(&executed.bytes, executed.pc);
        let jumps = executed.registers.iter().any(|(reg, _)| *reg == Reg::RIP);
        let packed = instruction.map(|it| pack(&mut self.effects, &it, jumps)).unwrap_or_default();
        let mut bytes = [0; 64];
        bytes[..8].copy_from_slice(&executed.pc.to_le_bytes());
        bytes[8] = packed.is_branch.into();
        bytes[9] = packed.is_taken.into();
        bytes[10..12].copy_from_slice(&packed.written);
        bytes[12..16].copy_from_slice(&packed.read);
        for (at, most, is_write) in [(16, 2, true), (32, 4, false)] {
            let used = executed.memory.iter().filter(|memory| memory.is_write == is_write).take(most);
            for (place, memory) in bytes[at..].chunks_exact_mut(8).zip(used) {
                place.copy_from_slice(&memory.addr.to_le_bytes());
            }
        }
        self.to.write_all(&bytes)
    }
}

impl Sink for ChampSim {
    fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Executed(executed) if !executed.is_partial => self.executed(executed),
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.to.flush()
    }
}

fn pack(effects: &mut Effects, instruction: &Instruction, jumps: bool) -> Packed {
    let (read, written) = effects.used(instruction);
    let number = |reg: &Reg| match *reg {
        reg if reg == Reg::general(4) => STACK_POINTER,
        Reg::RFLAGS => FLAGS,
        reg => FIRST + reg.number(),
    };
    let mut read: Vec<u8> = read.iter().map(number).collect();
    let mut written: Vec<u8> = written.iter().map(number).collect();
    let flow = instruction.flow_control();
    let is_branch = !matches!(
        flow,
        FlowControl::Next | FlowControl::Interrupt | FlowControl::Exception | FlowControl::XbeginXabortXend
    ) && instruction.code() != iced_x86::Code::Syscall;
    if is_branch {
        let mut others = read.clone();
        others.retain(|number| ![STACK_POINTER, FLAGS].contains(number));
        if others.is_empty() {
            others.push(MEMORY);
        }
        (read, written) = match flow {
            FlowControl::UnconditionalBranch => (vec![], vec![]),
            FlowControl::IndirectBranch => (others, vec![]),
            FlowControl::Call => (vec![INSTRUCTION_POINTER, STACK_POINTER], vec![STACK_POINTER]),
            FlowControl::IndirectCall => {
                others.splice(..0, [INSTRUCTION_POINTER, STACK_POINTER]);
                (others, vec![STACK_POINTER])
            }
            FlowControl::Return => (vec![STACK_POINTER], vec![STACK_POINTER]),
            _ if read.contains(&FLAGS) => (vec![INSTRUCTION_POINTER, FLAGS], vec![]),
            // A count in rcx decides.
            _ => (vec![INSTRUCTION_POINTER, others[0]], vec![]),
        };
        written.insert(0, INSTRUCTION_POINTER);
    }
    let mut packed = Packed { is_branch, is_taken: is_branch && jumps, ..Packed::default() };
    packed.written.iter_mut().zip(written).for_each(|(place, number)| *place = number);
    packed.read.iter_mut().zip(read).for_each(|(place, number)| *place = number);
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    const SP: u8 = STACK_POINTER;
    const IP: u8 = INSTRUCTION_POINTER;
    const RAX: u8 = FIRST;
    const RCX: u8 = FIRST + 1;

    fn packed(code: &[u8]) -> Packed {
        pack(&mut Effects::default(), &effects::decode(code, 0x1000).unwrap(), true)
    }

    #[test]
    fn branches_are_what_champsim_takes_them_for() {
        for (name, code, read, written) in [
            ("jmp", &[0xeb, 0x10][..], [0; 4], [IP, 0]),
            ("jmp rax", &[0xff, 0xe0], [RAX, 0, 0, 0], [IP, 0]),
            ("jmp [rip]", &[0xff, 0x25, 0, 0, 0, 0], [MEMORY, 0, 0, 0], [IP, 0]),
            ("je", &[0x74, 0x10], [IP, FLAGS, 0, 0], [IP, 0]),
            ("jrcxz", &[0xe3, 0x10], [IP, RCX, 0, 0], [IP, 0]),
            ("call", &[0xe8, 0, 0, 0, 0], [IP, SP, 0, 0], [IP, SP]),
            ("call rax", &[0xff, 0xd0], [IP, SP, RAX, 0], [IP, SP]),
            ("ret", &[0xc3], [SP, 0, 0, 0], [IP, SP]),
        ] {
            assert_eq!(packed(code), Packed { is_branch: true, is_taken: true, written, read }, "{name}");
        }
    }

    #[test]
    fn others_are_no_branches() {
        let add = Packed { written: [RAX, FLAGS], read: [RAX, RCX, 0, 0], ..Packed::default() };
        assert_eq!(packed(&[0x48, 0x01, 0xc8]), add);
        assert!(!packed(&[0x0f, 0x05]).is_branch, "syscall");
    }
}
