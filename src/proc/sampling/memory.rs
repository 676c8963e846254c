//! How a process of a profiled run uses its memory, measured as often as the recorder wants.
//!
//! One of its threads does it on its way out of guest mode. While none is there, none uses memory either.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::log::{Area, AreaUse};
use super::{Board, Record, now, own_pid};
use crate::abi::PAGE_SIZE;
use crate::mm::vma::{Backing, VmaName};
use crate::mm::{AddressSpace, MappingUse};
use crate::proc::view::Smaps;

/// What measures one memory.
#[derive(Debug)]
pub(super) struct Meter {
    /// The measurement that was made last.
    made: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    numbers: HashMap<Area, u64>,
    /// Names of files by device and inode, for mappings that are gone.
    files: HashMap<(u64, u64), Vec<u8>>,
    /// What was logged last of each area that is mapped.
    last: BTreeMap<u64, AreaUse>,
    /// When it was measured last.
    since: u64,
}

impl Meter {
    /// For memory that is new.
    pub(super) fn new(board: &Board) -> Self {
        let state = State { since: now(), ..State::default() };
        Self { made: AtomicU64::new(board.measurements()), state: Mutex::new(state) }
    }

    /// Keeps others from measuring while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held would have ended the run.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In a fork child, whose memory is a copy.
    pub(super) fn restart(&self, mm: &AddressSpace) {
        mm.restart_use();
        *self.lock() = State { since: now(), ..State::default() };
    }

    /// Is a measurement wanted that nobody has made yet? Then the caller makes it.
    #[inline]
    pub(super) fn is_due(&self, board: &Board) -> bool {
        let (wanted, made) = (board.measurements(), self.made.load(Ordering::Relaxed));
        wanted != made && self.made.compare_exchange(made, wanted, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Measures, and logs it as of the memory `image`.
    pub(super) fn measure(&self, mm: &AddressSpace, board: &Board, image: u64) {
        let mut state = self.lock();
        let Ok(mappings) = mm.take_use() else { return board.note_lost() };
        let time = now();
        let areas = state.changes(mm, &mappings, |number, area| {
            board.log(&Record::Area { image, number, area }.to_bytes());
        });
        let since = std::mem::replace(&mut state.since, time);
        board.log(&Record::Used { image, pid: own_pid(), since, time, areas }.to_bytes());
    }
}

impl State {
    /// What is to be logged of `mappings`; `name` gets areas that are new.
    fn changes(&mut self, mm: &AddressSpace, mappings: &[MappingUse], mut name: impl FnMut(u64, Area)) -> Vec<AreaUse> {
        let smaps = std::fs::read("/proc/self/smaps").unwrap_or_default();
        let smaps = Smaps::parse(&smaps);
        let mut now = BTreeMap::<u64, AreaUse>::new();
        for mapping in mappings {
            let (area, resident) = self.area(mm, mapping, &smaps);
            let next = self.numbers.len() as u64;
            let number = *self.numbers.entry(area.clone()).or_insert_with(|| {
                name(next, area);
                next
            });
            let sum = now.entry(number).or_insert_with(|| AreaUse {
                area: number,
                start: mapping.range.start(),
                ..AreaUse::default()
            });
            sum.used += mapping.pages.used;
            sum.written += mapping.pages.written;
            sum.first += mapping.pages.first;
            if !mapping.is_gone {
                sum.start = mapping.range.start();
                (sum.pages, sum.resident) = (mapping.range.nr_pages(), resident);
            }
        }
        let gone = self.last.values().filter(|last| !now.contains_key(&last.area));
        let gone = gone.map(|last| AreaUse { area: last.area, start: last.start, ..AreaUse::default() });
        let is_new = |area: &&AreaUse| {
            let last = self.last.get(&area.area).copied().unwrap_or_default();
            area.used > 0 || (area.start, area.pages, area.resident) != (last.start, last.pages, last.resident)
        };
        let changes = now.values().filter(is_new).copied().chain(gone).collect();
        now.retain(|_, area| area.pages > 0);
        self.last = now;
        changes
    }

    /// What the mapping is, and how many of its pages are in memory.
    fn area(&mut self, mm: &AddressSpace, mapping: &MappingUse, smaps: &Smaps<'_>) -> (Area, u64) {
        let MappingUse { range, vma, is_gone, .. } = mapping;
        let found = if *is_gone { None } else { Some(smaps.find(mm, *range, vma)) };
        let (mut offset, mut name) = (0, Vec::new());
        let resident = found.as_ref().map_or(0, |found| found.resident / PAGE_SIZE);
        if let Backing::File { file, offset: at } = &vma.backing {
            offset = *at;
            let known = self.files.entry((file.dev, file.ino)).or_default();
            if let Some(found) = found.filter(|found| !found.name.is_empty()) {
                known.clone_from(&found.name);
            }
            name.clone_from(known);
        } else if let Some(found) = found {
            name = found.name;
        } else if let VmaName::Heap = vma.name {
            name = b"[heap]".to_vec();
        }
        let at = if vma.grows_down() { range.end() } else { range.start() };
        (Area { at, offset, is_shared: vma.is_shared(), name }, resident)
    }
}
