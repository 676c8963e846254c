//! Memslots: which host memory stands behind which guest-physical addresses.
//!
//! The arena is dealt out in chunks, in the order in which they are first used, so that reservations of terabytes
//! take neither guest-physical addresses nor kernel memory until they are touched.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use zerocopy::FromZeros;

use super::VmError;
use super::layout::{ARENA_GPA, SYSTEM_STEP, UNUSED_GPA};
use super::machine::VmHandle;
use super::system::SystemMemory;
use crate::abi::PAGE_SIZE;

/// Bytes of a chunk. Under shadow paging a memslot costs 8 bytes of kernel memory a page as soon as it is made.
pub const CHUNK_LEN: u64 = 16 << 20;

/// A memslot as KVM knows it.
#[derive(Clone, Copy, Debug)]
struct Slot {
    gpa: u64,
    hva: u64,
    len: u64,
    is_read_only: bool,
}

/// The memslots of one VM.
#[derive(Debug)]
pub struct Memslots {
    arena: u64,
    /// For each chunk of the arena its number in guest-physical order plus one, or 0 while it has no memslot.
    /// Read without the lock by the fault path; written under it, after KVM has the slot.
    chunks: Box<[AtomicU32]>,
    state: Mutex<State>,
    /// Steps of system memory that have memslots; changed under the lock.
    system_steps: AtomicU64,
    max_slots: usize,
    max_gpa: u64,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of KVM's slot numbers.
    slots: Vec<Slot>,
    arena_chunks: u32,
}

impl Memslots {
    /// For an arena of `len` bytes at `arena` (HVA, both multiples of [`CHUNK_LEN`]), at most `max_slots` slots and
    /// GPAs below `max_gpa`.
    pub fn new(arena: u64, len: u64, max_slots: usize, max_gpa: u64) -> Result<Self, VmError> {
        let chunks = usize::try_from(len / CHUNK_LEN).unwrap_or(usize::MAX);
        // Zeroed by the kernel: only the pages of chunks in use ever exist.
        let chunks = <[AtomicU32]>::new_box_zeroed_with_elems(chunks).map_err(|_| VmError::Full("chunks"))?;
        Ok(Self { arena, chunks, state: Mutex::default(), system_steps: AtomicU64::new(0), max_slots, max_gpa })
    }

    /// GPA of the arena byte at `hva`; gives its chunk a memslot if it has none.
    pub fn back(&self, vm: &VmHandle, hva: u64) -> Result<u64, VmError> {
        let offset = hva - self.arena;
        let chunk = usize::try_from(offset / CHUNK_LEN).unwrap_or(usize::MAX);
        let Some(number) = self.chunks.get(chunk) else { return Err(VmError::Full("arena chunks")) };
        let number = match number.load(Ordering::Acquire) {
            0 => self.add_chunk(vm, chunk)?,
            number => number - 1,
        };
        Ok(ARENA_GPA + u64::from(number) * CHUNK_LEN + offset % CHUNK_LEN)
    }

    /// Gives memslots to the system memory handed out so far, and to what is handed out next.
    pub fn back_system(&self, vm: &VmHandle, system: &SystemMemory) -> Result<(), VmError> {
        if self.system_steps.load(Ordering::Acquire) >= system.nr_steps() {
            return Ok(());
        }
        let mut state = self.lock();
        while self.system_steps.load(Ordering::Relaxed) < system.nr_steps() {
            let gpa = self.system_steps.load(Ordering::Relaxed) * SYSTEM_STEP as u64;
            self.add(
                &mut state,
                vm,
                Slot { gpa, hva: system.host_addr() + gpa, len: SYSTEM_STEP as u64, is_read_only: false },
            )?;
            self.system_steps.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Gives the same slots to a new VM; what is contiguous becomes one.
    pub(super) fn rebuild(&self, vm: &VmHandle) -> Result<(), VmError> {
        let mut state = self.lock();
        let old = std::mem::take(&mut state.slots);
        merged(old).into_iter().try_for_each(|slot| self.add(&mut state, vm, slot))
    }

    /// GPA of `len` bytes at `hva` that are not the arena's, which the guest may read; they get a memslot of their own.
    pub(super) fn back_foreign(&self, vm: &VmHandle, hva: u64, len: u64) -> Result<u64, VmError> {
        let mut state = self.lock();
        let gpa = ARENA_GPA + u64::from(state.arena_chunks) * CHUNK_LEN;
        self.add(&mut state, vm, Slot { gpa, hva, len, is_read_only: true })?;
        state.arena_chunks += u32::try_from(len.div_ceil(CHUNK_LEN)).map_err(|_| VmError::Full("guest memory"))?;
        Ok(gpa)
    }

    /// Has all vCPUs forget what they remember of the guest's page tables.
    ///
    /// When a memslot goes, KVM drops all translations of the VM, its own and those of the processors
    /// (KVM_X86_QUIRK_SLOT_ZAP_ALL of the KVM API, on unless it is disabled). So one that nothing uses comes and goes.
    pub(super) fn forget_translations(&self, vm: &VmHandle, system: &SystemMemory) -> Result<(), VmError> {
        let state = self.lock();
        let mut region = kvm_userspace_memory_region {
            slot: u32::try_from(state.slots.len()).unwrap_or(u32::MAX),
            flags: KVM_MEM_READONLY,
            guest_phys_addr: UNUSED_GPA,
            memory_size: PAGE_SIZE,
            userspace_addr: system.host_addr(),
        };
        vm.set_memory_region(region)?;
        region.memory_size = 0;
        vm.set_memory_region(region)
    }

    /// Most memslots that KVM allows.
    pub(super) fn max_slots(&self) -> usize {
        self.max_slots
    }

    /// Number of memslots in use.
    pub fn nr_slots(&self) -> usize {
        self.lock().slots.len()
    }

    fn add_chunk(&self, vm: &VmHandle, chunk: usize) -> Result<u32, VmError> {
        let mut state = self.lock();
        // Another vCPU may have come first.
        let seen = self.chunks[chunk].load(Ordering::Acquire);
        if seen != 0 {
            return Ok(seen - 1);
        }
        let number = state.arena_chunks;
        let gpa = ARENA_GPA + u64::from(number) * CHUNK_LEN;
        self.add(
            &mut state,
            vm,
            Slot { gpa, hva: self.arena + chunk as u64 * CHUNK_LEN, len: CHUNK_LEN, is_read_only: false },
        )?;
        state.arena_chunks += 1;
        self.chunks[chunk].store(number + 1, Ordering::Release);
        Ok(number)
    }

    fn add(&self, state: &mut State, vm: &VmHandle, slot: Slot) -> Result<(), VmError> {
        if state.slots.len() >= self.max_slots || slot.gpa + slot.len > self.max_gpa {
            return Err(VmError::Full("guest memory"));
        }
        vm.set_memory_region(kvm_userspace_memory_region {
            slot: u32::try_from(state.slots.len()).unwrap_or(u32::MAX),
            flags: if slot.is_read_only { KVM_MEM_READONLY } else { 0 },
            guest_phys_addr: slot.gpa,
            memory_size: slot.len,
            userspace_addr: slot.hva,
        })?;
        state.slots.push(slot);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while the lock was held would have ended the run.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Slots with the same content, as few as possible.
fn merged(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.sort_by_key(|slot| slot.gpa);
    let mut merged: Vec<Slot> = Vec::with_capacity(slots.len());
    for slot in slots {
        match merged.last_mut() {
            Some(last) if last.continues_as(&slot) => last.len += slot.len,
            _ => merged.push(slot),
        }
    }
    merged
}

impl Slot {
    fn continues_as(&self, next: &Self) -> bool {
        self.gpa + self.len == next.gpa && self.hva + self.len == next.hva && self.is_read_only == next.is_read_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_slots_become_one() {
        let slot = |gpa, hva, is_read_only| Slot { gpa, hva, len: 0x1000, is_read_only };
        let slots = vec![
            slot(0x3000, 0x8000, false),
            slot(0x1000, 0x6000, false),
            slot(0x2000, 0x7000, false),
            slot(0x4000, 0x9000, true),
            slot(0x5000, 0xb000, true),
        ];
        let found: Vec<_> = merged(slots).iter().map(|slot| (slot.gpa, slot.hva, slot.len)).collect();
        assert_eq!(found, [(0x1000, 0x6000, 0x3000), (0x4000, 0x9000, 0x1000), (0x5000, 0xb000, 0x1000)]);
    }
}
