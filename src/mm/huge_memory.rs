//! Huge pages (the kernel's `mm/huge_memory.c`): where memory is dense, 2 MiB at a time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::AddressSpace;
use super::fault::Access;
use super::vma::{Backing, Vma, VmaFlags};
use crate::abi::mman::MADV_COLLAPSE;
use crate::abi::{PAGE_SIZE, PageRange};
use crate::sys::map;
use crate::vm::machine::Mmu;
use crate::x86::paging::PDE_SPAN;

/// 4 KiB pages in a huge one.
const NR_PAGES: usize = (PDE_SPAN / PAGE_SIZE) as usize;
/// Of those, how many make a block a dense one.
const DENSE: usize = NR_PAGES / 8 * 7;

impl AddressSpace {
    /// Under a shadow MMU, leaf entries for 2 MiB that the host changes later have caused use-after-free in host
    /// kernels before 2026, so they are for nested paging alone. Nested paging uses them wherever the host page
    /// allows, whatever it is.
    pub(super) fn wants_huge_entry(&self, block: PageRange, vma: &Vma) -> bool {
        block.len() == PDE_SPAN && self.machine.flavour().mmu == Mmu::Nested && vma.backing == Backing::Anonymous
    }

    /// Is the guest filling the memory around `block`, one block after the other? If so, some of it has a page
    /// afterwards, the block can be [gathered](Self::gather), and its entries are for the range that is returned.
    ///
    /// That is all but the page farthest from what was filled before. Once the block is gathered, nothing else tells
    /// whether the guest gets there, and so whether the next block is worth as much memory. `addr` is what the guest
    /// wants to access; `block` is as much of the 2 MiB around it as lies in `whole`, the range of the VMA.
    pub(super) fn begin_gathering(
        &self,
        (addr, access): (u64, Access),
        block: PageRange,
        (whole, vma): (PageRange, &Vma),
    ) -> Option<PageRange> {
        let may_grow = access == Access::Write && is_gatherable(vma) && block.len() == PDE_SPAN;
        if !may_grow || self.has_entry(block.start()) || self.has_entry(block.end() - PAGE_SIZE) {
            return None;
        }
        let filled = if self.is_dense_before(block, whole) {
            PageRange::new(block.start(), block.end() - PAGE_SIZE)?
        } else if self.is_dense_behind(block, whole) {
            PageRange::new(block.start() + PAGE_SIZE, block.end())?
        } else {
            return None;
        };
        let begins = filled.contains(addr)
            && map::advise(self.arena.hva(filled.start()), PAGE_SIZE, libc::MADV_POPULATE_WRITE).is_ok();
        begins.then_some(filled)
    }

    /// Has the host give the block around `filled` all its pages, as a huge one where that is quick: a page then costs no
    /// fault in the host, and mostly none in a shadow MMU.
    ///
    /// Contents stay whatever is mapped there by now, so no lock is held and errors are ignored.
    pub(super) fn gather(&self, filled: PageRange) {
        let hva = self.arena.hva(filled.start() / PDE_SPAN * PDE_SPAN);
        let started = Instant::now();
        let is_huge = self.huge_pages.is_due() && map::advise(hva, PDE_SPAN, MADV_COLLAPSE).is_ok();
        self.huge_pages.note(is_huge, started.elapsed());
        if !is_huge {
            let _ = map::advise(hva, PDE_SPAN, libc::MADV_POPULATE_WRITE);
        }
    }

    fn is_dense_before(&self, block: PageRange, whole: PageRange) -> bool {
        block.start() - whole.start() >= PDE_SPAN
            && self.has_entry(block.start() - PAGE_SIZE)
            && self.is_dense(block.start() - PDE_SPAN)
    }

    fn is_dense_behind(&self, block: PageRange, whole: PageRange) -> bool {
        whole.end() - block.end() >= PDE_SPAN && self.has_entry(block.end()) && self.is_dense(block.end())
    }

    fn has_entry(&self, page: u64) -> bool {
        self.machine.tables().lookup(page).is_some()
    }

    /// Has nearly all of the block at `start` pages?
    fn is_dense(&self, start: u64) -> bool {
        let mut pages = [0; NR_PAGES];
        map::resident(self.arena.hva(start), &mut pages).is_ok()
            && pages.iter().filter(|page| **page & 1 == 1).count() >= DENSE
    }
}

fn is_gatherable(vma: &Vma) -> bool {
    let refused = VmaFlags::SHARED | VmaFlags::NORESERVE | VmaFlags::NOHUGEPAGE | VmaFlags::LOCKED;
    vma.backing == Backing::Anonymous && !vma.flags.intersects(refused)
}

/// Whether to ask for huge pages. In a virtual machine whose host has taken free memory back they may be far dearer than
/// the small pages that were freed last.
#[derive(Debug, Default)]
pub(super) struct HugePages {
    /// Blocks that get small pages before a huge one is tried again.
    pause: AtomicU32,
    /// How long the last pause was.
    last_pause: AtomicU32,
}

impl HugePages {
    /// Longer, and small pages had been quicker.
    const SLOW: Duration = Duration::from_millis(1);

    fn is_due(&self) -> bool {
        self.pause.load(Ordering::Relaxed) == 0 && host_allows()
    }

    /// One more block has got its pages. Threads that do this at the same time may lose count, which does not matter.
    fn note(&self, is_huge: bool, took: Duration) {
        let pause = self.pause.load(Ordering::Relaxed);
        let next = match (pause, is_huge && took < Self::SLOW) {
            (1.., _) => pause - 1,
            (0, true) => 0,
            (0, false) => (self.last_pause.load(Ordering::Relaxed) * 2).clamp(16, 1024),
        };
        if pause == 0 {
            self.last_pause.store(next, Ordering::Relaxed);
        }
        self.pause.store(next, Ordering::Relaxed);
    }
}

/// Does whoever runs this machine want huge pages at all? MADV_COLLAPSE does not ask.
fn host_allows() -> bool {
    static ALLOWS: OnceLock<bool> = OnceLock::new();
    *ALLOWS.get_or_init(|| {
        let modes = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        modes.is_ok_and(|modes| !modes.contains("[never]"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_tried_more_and_more_rarely() {
        let huge_pages = HugePages::default();
        let (quick, slow) = (Duration::from_micros(100), Duration::from_millis(5));
        let blocks_of_pause = || {
            huge_pages.note(true, slow);
            std::iter::repeat_with(|| huge_pages.note(false, quick))
                .take_while(|()| huge_pages.pause.load(Ordering::Relaxed) > 0)
                .count()
                + 1
        };
        assert_eq!((blocks_of_pause(), blocks_of_pause()), (16, 32));
        huge_pages.note(true, quick);
        assert_eq!(huge_pages.pause.load(Ordering::Relaxed), 0);
        assert_eq!(blocks_of_pause(), 16);
        huge_pages.note(false, quick);
        assert_eq!(huge_pages.pause.load(Ordering::Relaxed), 32, "there was none");
    }
}
