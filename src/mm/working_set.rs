//! Which pages the guest uses (`mm/page_idle.c` and `mm/damon` of the kernel do it for whole machines), by the bits that the
//! processor, or a shadow MMU in its place, sets in page-table entries.
//!
//! What the host kernel reads and writes for a system call is not seen.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::vma::Vma;
use super::{AddressSpace, Inner};
use crate::abi::PageRange;
use crate::vm::VmError;
use crate::x86::paging::PageUse;

/// Mappings that were used and are gone.
#[derive(Debug, Default)]
pub(super) struct Gone(Mutex<Vec<MappingUse>>);

/// How a mapping was used for a time.
#[derive(Clone, Debug)]
pub struct MappingUse {
    /// Where it lies, or lay (GVA).
    pub range: PageRange,
    /// What it is.
    pub vma: Vma,
    /// How many of its pages were used.
    pub pages: PageUse,
    /// Is it there no more?
    pub is_gone: bool,
}

impl Gone {
    /// Beyond this many, what is alike is added up.
    const MOST: usize = 256;

    fn lock(&self) -> MutexGuard<'_, Vec<MappingUse>> {
        // A panic while the lock was held would have ended the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, range: PageRange, vma: &Vma, pages: PageUse) {
        let mut gone = self.lock();
        let is_full = gone.len() >= Self::MOST;
        let is_same = |other: &&mut MappingUse| {
            other.range == range && other.vma == *vma || is_full && other.vma.name == vma.name
        };
        match gone.iter_mut().find(is_same) {
            Some(same) => same.pages += pages,
            None => gone.push(MappingUse { range, vma: vma.clone(), pages, is_gone: true }),
        }
    }
}

impl AddressSpace {
    /// From now on, which pages are used can be [taken](Self::take_use). Nothing is mapped yet.
    pub fn track_use(&self) {
        self.machine.tables().track_use();
    }

    /// From now on, each page is a fault when it is used for the first time, and its use is tracked.
    pub fn track_first_use(&self) {
        self.track_use();
        self.fills_single_pages.store(true, Ordering::Relaxed);
    }

    /// Was the page at `addr` (GVA) used since it was mapped? Where use is tracked.
    pub fn was_used(&self, addr: u64) -> bool {
        self.machine.tables().was_used(addr)
    }

    /// How all mappings were used since the last time, those that are gone first; those without pages in the guest's tables
    /// are among them. Pages that are used from now on are used again.
    pub fn take_use(&self) -> Result<Vec<MappingUse>, VmError> {
        let inner = self.lock();
        let mut all = std::mem::take(&mut *self.gone.lock());
        for (range, vma) in inner.vmas.iter() {
            let pages = self.machine.tables().take_use(range.start(), range.end());
            all.push(MappingUse { range, vma: vma.clone(), pages, is_gone: false });
        }
        drop(inner);
        self.machine.forget_translations()?;
        Ok(all)
    }

    /// In a fork child: what its parent used is not its own use.
    pub fn restart_use(&self) {
        let inner = self.lock();
        self.gone.lock().clear();
        for (range, _) in inner.vmas.iter() {
            self.machine.tables().take_use(range.start(), range.end());
        }
    }

    /// The mapping `vma` at `range` has gone, its entries with it.
    pub(super) fn note_gone(&self, range: PageRange, vma: &Vma) {
        let tables = self.machine.tables();
        if tables.tracks_use() {
            let pages = tables.take_use(range.start(), range.end());
            tables.forget_use(range.start(), range.end());
            if pages != PageUse::default() {
                self.gone.add(range, vma, pages);
            }
        }
    }

    /// The mappings within `from` are about to move, their entries gone.
    pub(super) fn note_moved(&self, inner: &Inner, from: PageRange) {
        if self.machine.tables().tracks_use() {
            for part in inner.vmas.iter_range(from) {
                self.note_gone(part.range, part.vma);
            }
        }
    }
}
