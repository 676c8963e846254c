//! Four-level page tables (Intel SDM volume 3, section 4.5), edited by the host while vCPUs walk them.
//!
//! Entries are atomics, tables are reached through [`TableMemory`], so all of it runs over plain memory in tests.
//! Three rules come from shadow paging, which does not see host edits of entries that point to tables:
//! a table is never freed, never gets another role, and an entry that points to a table keeps pointing to it.

use std::sync::atomic::{AtomicU64, Ordering};

use bitflags::bitflags;

/// Number of entries in a table.
pub const NR_ENTRIES: usize = 512;
/// Bytes mapped by one entry of a page table.
pub const PTE_SPAN: u64 = 1 << 12;
/// Bytes mapped by one entry of a page directory.
pub const PDE_SPAN: u64 = 1 << 21;

const ADDR_MASK: u64 = 0x000f_ffff_ffff_f000;

bitflags! {
    /// Bits of an entry besides the address.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Entry: u64 {
        /// The entry is valid.
        const PRESENT = 1 << 0;
        /// Writes are allowed.
        const WRITE = 1 << 1;
        /// CPL 3 is allowed.
        const USER = 1 << 2;
        /// The entry was used.
        const ACCESSED = 1 << 5;
        /// The page was written.
        const DIRTY = 1 << 6;
        /// In a page directory: maps 2 MiB.
        const HUGE = 1 << 7;
        /// Instruction fetches are refused.
        const NO_EXECUTE = 1 << 63;
    }
}

impl Entry {
    /// An entry that points to a table: the leaf alone decides about rights.
    const TABLE: Self = Self::PRESENT.union(Self::WRITE).union(Self::USER).union(Self::ACCESSED);
}

/// Where tables live.
pub trait TableMemory {
    /// Entry `index` (below [`NR_ENTRIES`]) of the table at `table` (GPA, a value that `allocate` returned).
    fn entry(&self, table: u64, index: usize) -> &AtomicU64;

    /// A zeroed table (GPA), or `None` when there is no room.
    fn allocate(&self) -> Option<u64>;
}

/// There is no room for another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTables;

/// A tree of tables. Only one thread edits at a time; any number of vCPUs walk.
#[derive(Debug)]
pub struct PageTable<M> {
    memory: M,
    root: u64,
}

/// Level 1 is the page table, level 4 the PML4.
#[expect(clippy::cast_possible_truncation, reason = "below 512")]
const fn index(va: u64, level: u32) -> usize {
    ((va >> (12 + 9 * (level - 1))) % NR_ENTRIES as u64) as usize
}

const fn span(level: u32) -> u64 {
    1 << (12 + 9 * (level - 1))
}

impl<M: TableMemory> PageTable<M> {
    /// An empty tree.
    pub fn new(memory: M) -> Result<Self, OutOfTables> {
        let root = memory.allocate().ok_or(OutOfTables)?;
        Ok(Self { memory, root })
    }

    /// GPA of the PML4, for CR3.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The memory that holds the tables.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Maps 4 KiB pages: `[va, end)` to `gpa` and on, all with `rights`. The range lies within one 2 MiB block.
    ///
    /// Over present entries this may only widen rights; to narrow them, [`clear`](Self::clear) first.
    pub fn map_pages(&self, va: u64, end: u64, gpa: u64, rights: Entry) -> Result<(), OutOfTables> {
        debug_assert!(va < end && va / PDE_SPAN == (end - 1) / PDE_SPAN);
        let Some(table) = self.leaf_table(va)? else { return Ok(()) };
        let mut value = gpa | (rights | Entry::PRESENT | Entry::ACCESSED | Entry::DIRTY).bits();
        for i in index(va, 1)..=index(end - 1, 1) {
            self.memory.entry(table, i).store(value, Ordering::Release);
            value += PTE_SPAN;
        }
        Ok(())
    }

    /// Maps the 2 MiB block at `va` by one entry, unless there is a table already: `Ok(false)` then.
    pub fn map_huge(&self, va: u64, gpa: u64, rights: Entry) -> Result<bool, OutOfTables> {
        debug_assert!(va.is_multiple_of(PDE_SPAN) && gpa.is_multiple_of(PDE_SPAN));
        let directory = self.directory(va)?;
        let entry = self.memory.entry(directory, index(va, 2));
        let old = Entry::from_bits_retain(entry.load(Ordering::Acquire));
        if old.contains(Entry::PRESENT) && !old.contains(Entry::HUGE) {
            return Ok(false);
        }
        let rights = rights | Entry::PRESENT | Entry::HUGE | Entry::ACCESSED | Entry::DIRTY;
        entry.store(gpa | rights.bits(), Ordering::Release);
        Ok(true)
    }

    /// Makes `[va, end)` not present. A 2 MiB entry goes whole, even if the range covers part of it.
    ///
    /// vCPUs may keep the old translations until the host mapping behind them is invalidated.
    pub fn clear(&self, va: u64, end: u64) {
        self.clear_level(self.root, 4, va, end);
    }

    fn clear_level(&self, table: u64, level: u32, mut va: u64, end: u64) {
        while va < end {
            let next = (va / span(level) + 1) * span(level);
            let slot = self.memory.entry(table, index(va, level));
            let entry = Entry::from_bits_retain(slot.load(Ordering::Acquire));
            if entry.contains(Entry::PRESENT) {
                if level == 1 || entry.contains(Entry::HUGE) {
                    slot.store(0, Ordering::Release);
                } else {
                    self.clear_level(entry.bits() & ADDR_MASK, level - 1, va, end.min(next));
                }
            }
            va = next;
        }
    }

    /// What maps `va`: its GPA and rights, or `None`.
    pub fn lookup(&self, va: u64) -> Option<(u64, Entry)> {
        let mut table = self.root;
        for level in (1..=4).rev() {
            let raw = self.memory.entry(table, index(va, level)).load(Ordering::Acquire);
            let entry = Entry::from_bits_retain(raw);
            if !entry.contains(Entry::PRESENT) {
                return None;
            }
            if level == 1 || entry.contains(Entry::HUGE) {
                let base = raw & ADDR_MASK & !(span(level) - 1);
                return Some((base + va % span(level), Entry::from_bits_truncate(raw)));
            }
            table = raw & ADDR_MASK;
        }
        None
    }

    /// The page table of the block around `va`; `None` where a 2 MiB entry maps it.
    fn leaf_table(&self, va: u64) -> Result<Option<u64>, OutOfTables> {
        let directory = self.directory(va)?;
        self.next_table(directory, index(va, 2))
    }

    fn directory(&self, va: u64) -> Result<u64, OutOfTables> {
        let mut table = self.root;
        for level in [4, 3] {
            // No 1 GiB entries are ever made, so there is always a table below.
            table = self.next_table(table, index(va, level))?.ok_or(OutOfTables)?;
        }
        Ok(table)
    }

    fn next_table(&self, table: u64, index: usize) -> Result<Option<u64>, OutOfTables> {
        let slot = self.memory.entry(table, index);
        let raw = slot.load(Ordering::Acquire);
        let entry = Entry::from_bits_retain(raw);
        if entry.contains(Entry::PRESENT | Entry::HUGE) {
            return Ok(None);
        }
        if entry.contains(Entry::PRESENT) {
            return Ok(Some(raw & ADDR_MASK));
        }
        let new = self.memory.allocate().ok_or(OutOfTables)?;
        slot.store(new | Entry::TABLE.bits(), Ordering::Release);
        Ok(Some(new))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Plain {
        words: Vec<AtomicU64>,
        used: Cell<u64>,
    }

    impl Plain {
        fn new(tables: usize) -> Self {
            Self { words: (0..tables * NR_ENTRIES).map(|_| AtomicU64::new(0)).collect(), used: Cell::new(0) }
        }
    }

    impl TableMemory for Plain {
        fn entry(&self, table: u64, index: usize) -> &AtomicU64 {
            &self.words[usize::try_from(table).unwrap() / 8 + index]
        }

        fn allocate(&self) -> Option<u64> {
            let table = self.used.get();
            if usize::try_from(table).unwrap() / 8 >= self.words.len() {
                return None;
            }
            self.used.set(table + 4096);
            Some(table)
        }
    }

    const RW: Entry = Entry::USER.union(Entry::WRITE);

    #[test]
    fn maps_and_clears_pages() {
        let table = PageTable::new(Plain::new(16)).unwrap();
        table.map_pages(0x40_1000, 0x40_4000, 0x1_0000_1000, RW).unwrap();
        assert_eq!(table.lookup(0x40_0fff), None);
        assert_eq!(table.lookup(0x40_1234).map(|(gpa, _)| gpa), Some(0x1_0000_1234));
        assert_eq!(table.lookup(0x40_3fff).map(|(gpa, _)| gpa), Some(0x1_0000_3fff));
        assert_eq!(table.lookup(0x40_4000), None);
        table.clear(0x40_2000, 0x40_3000);
        assert!(table.lookup(0x40_1000).is_some());
        assert_eq!(table.lookup(0x40_2000), None);
        assert!(table.lookup(0x40_3000).is_some());
    }

    #[test]
    fn rights_are_the_leafs() {
        let table = PageTable::new(Plain::new(16)).unwrap();
        table.map_pages(0x1000, 0x2000, 0x5000, Entry::USER | Entry::NO_EXECUTE).unwrap();
        let (_, entry) = table.lookup(0x1000).unwrap();
        assert!(entry.contains(Entry::USER | Entry::NO_EXECUTE | Entry::ACCESSED | Entry::DIRTY));
        assert!(!entry.contains(Entry::WRITE));
    }

    #[test]
    fn a_huge_entry_goes_whole_and_never_replaces_a_table() {
        let table = PageTable::new(Plain::new(16)).unwrap();
        assert_eq!(table.map_huge(0x20_0000, 0x4000_0000, RW), Ok(true));
        assert_eq!(table.lookup(0x3f_fabc).map(|(gpa, _)| gpa), Some(0x401f_fabc));
        table.map_pages(0x20_0000, 0x20_1000, 0x9000, RW).unwrap();
        assert_eq!(table.lookup(0x20_0000).map(|(gpa, _)| gpa), Some(0x4000_0000), "left to the huge entry");
        table.clear(0x30_0000, 0x30_1000);
        assert_eq!(table.lookup(0x20_0000), None);
        table.map_pages(0x20_0000, 0x20_1000, 0x9000, RW).unwrap();
        assert_eq!(table.map_huge(0x20_0000, 0x4000_0000, RW), Ok(false));
    }

    #[test]
    fn clearing_keeps_tables_for_the_same_place() {
        let table = PageTable::new(Plain::new(8)).unwrap();
        table.map_pages(0x1000, 0x2000, 0x5000, RW).unwrap();
        let used = table.memory().used.get();
        table.clear(0, 1 << 47);
        table.map_pages(0x1000, 0x2000, 0x6000, RW).unwrap();
        assert_eq!(table.memory().used.get(), used);
    }

    #[test]
    fn running_out_is_an_error() {
        let table = PageTable::new(Plain::new(4)).unwrap();
        table.map_pages(0x1000, 0x2000, 0x5000, RW).unwrap();
        assert_eq!(table.map_pages(1 << 40, (1 << 40) + 0x1000, 0x5000, RW), Err(OutOfTables));
    }
}
