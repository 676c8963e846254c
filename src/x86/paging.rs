//! Four-level page tables (Intel SDM volume 3, section 4.5), edited by the host while vCPUs walk them.
//!
//! Entries are atomics, tables are reached through [`TableMemory`], so all of it runs over plain memory in tests.
//! Three rules come from shadow paging, which does not see host edits of entries that point to tables:
//! a table is never freed, never gets another role, and an entry that points to a table keeps pointing to it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
        /// Left to software: the entry had been used when its use was last [taken](PageTable::take_use).
        const TOUCHED = 1 << 9;
        /// Instruction fetches are refused.
        const NO_EXECUTE = 1 << 63;
    }
}

impl Entry {
    /// An entry that points to a table: the leaf alone decides about rights.
    const TABLE: Self = Self::PRESENT.union(Self::WRITE).union(Self::USER).union(Self::ACCESSED);
    /// How an entry was used. Where use is tracked, it stays in an entry that is not present.
    const USE: Self = Self::ACCESSED.union(Self::DIRTY).union(Self::TOUCHED);
}

/// How many 4 KiB pages of a range were used by way of its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageUse {
    /// Read, written or executed since the last time.
    pub used: u64,
    /// Of those, written.
    pub written: u64,
    /// Of those, used for the first time.
    pub first: u64,
}

impl std::ops::AddAssign for PageUse {
    fn add_assign(&mut self, other: Self) {
        self.used += other.used;
        self.written += other.written;
        self.first += other.first;
    }
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
    /// Do entries say which pages are used? If not, they say that all are, which saves the processor the trouble.
    tracks_use: AtomicBool,
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
        Ok(Self { memory, root, tracks_use: AtomicBool::new(false) })
    }

    /// From now on, use can be [taken](Self::take_use) of what is mapped later, for which there are no 2 MiB entries.
    pub fn track_use(&self) {
        self.tracks_use.store(true, Ordering::Relaxed);
    }

    /// Does it?
    pub fn tracks_use(&self) -> bool {
        self.tracks_use.load(Ordering::Relaxed)
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
        let entries = index(va, 1)..=index(end - 1, 1);
        if self.tracks_use() {
            let mut value = gpa | (rights | Entry::PRESENT).bits();
            for i in entries {
                let fill = |old| Some(value | old & Entry::USE.bits());
                let _ = self.memory.entry(table, i).fetch_update(Ordering::AcqRel, Ordering::Acquire, fill);
                value += PTE_SPAN;
            }
            return Ok(());
        }
        let mut value = gpa | (rights | Entry::PRESENT | Entry::ACCESSED | Entry::DIRTY).bits();
        for i in entries {
            self.memory.entry(table, i).store(value, Ordering::Release);
            value += PTE_SPAN;
        }
        Ok(())
    }

    /// Maps the 2 MiB block at `va` by one entry, unless there is a table already or the use of each page is to be known:
    /// `Ok(false)` then.
    pub fn map_huge(&self, va: u64, gpa: u64, rights: Entry) -> Result<bool, OutOfTables> {
        debug_assert!(va.is_multiple_of(PDE_SPAN) && gpa.is_multiple_of(PDE_SPAN));
        if self.tracks_use() {
            return Ok(false);
        }
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

    fn clear_level(&self, table: u64, level: u32, va: u64, end: u64) {
        let tracks_use = self.tracks_use();
        self.each_leaf(table, level, (va, end), &mut |slot, entry| {
            if tracks_use {
                slot.fetch_and(Entry::USE.bits(), Ordering::AcqRel);
            } else if entry.contains(Entry::PRESENT) {
                slot.store(0, Ordering::Release);
            }
        });
    }

    /// The leaf entries of `[va, end)`, present or not, as far as there are tables.
    fn each_leaf(&self, table: u64, level: u32, (mut va, end): (u64, u64), act: &mut dyn FnMut(&AtomicU64, Entry)) {
        while va < end {
            let next = (va / span(level) + 1) * span(level);
            let slot = self.memory.entry(table, index(va, level));
            let entry = Entry::from_bits_retain(slot.load(Ordering::Acquire));
            if level == 1 || entry.contains(Entry::PRESENT | Entry::HUGE) {
                act(slot, entry);
            } else if entry.contains(Entry::PRESENT) {
                self.each_leaf(entry.bits() & ADDR_MASK, level - 1, (va, end.min(next)), act);
            }
            va = next;
        }
    }

    /// How many pages of `[va, end)` were used since the last time. They then count as unused, as soon as vCPUs have
    /// forgotten their translations.
    pub fn take_use(&self, va: u64, end: u64) -> PageUse {
        let mut sum = PageUse::default();
        self.each_leaf(self.root, 4, (va, end), &mut |slot, entry| {
            if entry.contains(Entry::ACCESSED) {
                let old = slot.fetch_and(!(Entry::ACCESSED | Entry::DIRTY).bits(), Ordering::AcqRel);
                slot.fetch_or(Entry::TOUCHED.bits(), Ordering::AcqRel);
                sum.used += 1;
                sum.written += u64::from(Entry::from_bits_retain(old).contains(Entry::DIRTY));
                sum.first += u64::from(!entry.contains(Entry::TOUCHED));
            }
        });
        sum
    }

    /// Was the page at `va` used since it was mapped?
    pub fn was_used(&self, va: u64) -> bool {
        let mut was_used = false;
        self.each_leaf(self.root, 4, (va, va + 1), &mut |_, entry| {
            was_used = entry.intersects(Entry::ACCESSED | Entry::TOUCHED);
        });
        was_used
    }

    /// What will be mapped in `[va, end)`, where nothing is mapped now, was never used.
    pub fn forget_use(&self, va: u64, end: u64) {
        self.each_leaf(self.root, 4, (va, end), &mut |slot, entry| {
            if !entry.is_empty() {
                slot.fetch_and(!Entry::USE.bits(), Ordering::AcqRel);
            }
        });
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
    fn use_is_counted_once_and_survives_clearing() {
        let table = PageTable::new(Plain::new(16)).unwrap();
        table.track_use();
        assert_eq!(table.map_huge(0x20_0000, 0x4000_0000, RW), Ok(false), "which pages, nobody would know");
        table.map_pages(0x1000, 0x4000, 0x5000, RW).unwrap();
        assert_eq!(table.take_use(0, 1 << 30), PageUse::default());
        // As a processor does for a write to the first page and a read of the second.
        let set = |va, bits: Entry| {
            let leaf = table.leaf_table(va).unwrap().unwrap();
            table.memory().entry(leaf, index(va, 1)).fetch_or(bits.bits(), Ordering::Relaxed);
        };
        set(0x1000, Entry::ACCESSED | Entry::DIRTY);
        set(0x2000, Entry::ACCESSED);
        table.clear(0x1000, 0x3000);
        assert_eq!((table.lookup(0x1000), table.lookup(0x2000)), (None, None));
        table.map_pages(0x1000, 0x2000, 0x5000, RW).unwrap();
        assert_eq!(table.take_use(0, 1 << 30), PageUse { used: 2, written: 1, first: 2 });
        assert_eq!(table.take_use(0, 1 << 30), PageUse::default());
        set(0x1000, Entry::ACCESSED);
        assert_eq!(table.take_use(0x1000, 0x2000), PageUse { used: 1, written: 0, first: 0 });
        table.clear(0x1000, 0x4000);
        table.forget_use(0x1000, 0x4000);
        table.map_pages(0x1000, 0x2000, 0x9000, RW).unwrap();
        set(0x1000, Entry::ACCESSED);
        assert_eq!(table.take_use(0, 1 << 30), PageUse { used: 1, written: 0, first: 1 });
    }

    #[test]
    fn running_out_is_an_error() {
        let table = PageTable::new(Plain::new(4)).unwrap();
        table.map_pages(0x1000, 0x2000, 0x5000, RW).unwrap();
        assert_eq!(table.map_pages(1 << 40, (1 << 40) + 0x1000, 0x5000, RW), Err(OutOfTables));
    }
}
