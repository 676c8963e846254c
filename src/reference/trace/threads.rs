//! What the records so far say of each thread's registers.

use std::collections::BTreeMap;

use crate::proc::trace::record::{Executed, Record, Set};
use crate::x86::state::{Reg, Value, WIDEST};

/// The registers of a thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Registers(BTreeMap<Reg, Value>);

impl Registers {
    /// What `reg` holds.
    pub(super) fn value(&self, reg: Reg) -> Value {
        self.0.get(&reg).copied().unwrap_or([0; WIDEST])
    }

    /// Its low 64 bits.
    pub(super) fn word(&self, reg: Reg) -> u64 {
        let value = self.value(reg);
        value.first_chunk().map_or(0, |low| u64::from_le_bytes(*low))
    }

    fn apply(&mut self, sets: &[Set]) {
        for (reg, bytes) in sets {
            let value = self.0.entry(*reg).or_insert([0; WIDEST]);
            value[..bytes.len()].copy_from_slice(bytes);
        }
    }

    /// After an instruction. Where it does not say so, rip is behind it.
    pub(super) fn execute(&mut self, executed: &Executed) {
        let next = executed.pc.wrapping_add(executed.bytes.len() as u64);
        let rip = if executed.is_partial { executed.pc } else { next };
        self.apply(&[(Reg::RIP, rip.to_le_bytes().to_vec())]);
        self.apply(&executed.registers);
    }
}

/// The registers of all threads.
#[derive(Debug, Default)]
pub(super) struct Threads(BTreeMap<u32, Registers>);

impl Threads {
    /// Those of `thread`.
    pub(super) fn of(&mut self, thread: u32) -> &mut Registers {
        self.0.entry(thread).or_default()
    }

    /// Puts in what `record` says.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Thread { thread, registers, .. } | Record::Changed { thread, registers, .. } => {
                self.of(*thread).apply(registers);
            }
            Record::Called(called) => self.of(called.thread).apply(&called.registers),
            Record::Executed(executed) => self.of(executed.thread).execute(executed),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rip_goes_on_unless_it_is_said() {
        let mut threads = Threads::default();
        let executed = Executed { thread: 1, pc: 0x100, bytes: vec![0x90], ..Executed::default() };
        threads.apply(&Record::Executed(executed.clone()));
        assert_eq!(threads.of(1).word(Reg::RIP), 0x101);
        let jump = Executed { registers: vec![(Reg::RIP, 0x200_u64.to_le_bytes().to_vec())], ..executed };
        threads.apply(&Record::Executed(jump));
        assert_eq!(threads.of(1).word(Reg::RIP), 0x200);
    }
}
