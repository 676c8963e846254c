//! brk(2): the program break.

use super::map::{MapRequest, Where};
use super::vma::{STACK_GUARD_GAP, VmaName};
use super::{AddressSpace, Inner};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr};

/// The program break, in bytes of GVA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brk {
    /// Where the heap starts, page-aligned.
    pub start: u64,
    /// The break itself, any byte.
    pub current: u64,
}

impl AddressSpace {
    /// Sets where the heap starts, behind the program's last page.
    pub fn set_brk_start(&self, start: u64) {
        self.lock().brk = Brk { start, current: start };
    }

    /// Moves the break if that is possible, and returns where it is then, as the system call does.
    pub fn set_brk(&self, wanted: u64) -> u64 {
        let mut inner = self.lock();
        // brk(2) has no errors: a break that did not move is one.
        let _ = self.move_brk(&mut inner, wanted);
        inner.brk.current
    }

    fn move_brk(&self, inner: &mut Inner, wanted: u64) -> Result<(), Errno> {
        let Brk { start, current } = inner.brk;
        if wanted < start {
            return Err(Errno::EINVAL);
        }
        let old_end = current.next_multiple_of(PAGE_SIZE);
        let new_end = wanted.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        if let Some(freed) = PageRange::new(new_end, old_end) {
            self.unmap_locked(inner, freed)?;
        } else if let Some(added) = PageRange::new(old_end, new_end) {
            self.extend_heap(inner, added, wanted)?;
        } else if new_end != old_end {
            return Err(Errno::ENOMEM);
        }
        inner.brk.current = wanted;
        Ok(())
    }

    fn extend_heap(&self, inner: &mut Inner, added: PageRange, wanted: u64) -> Result<(), Errno> {
        // `check_data_rlimit` counts the heap alone here, unlike mmap(2).
        if wanted - inner.brk.start > inner.limits.data {
            return Err(Errno::ENOMEM);
        }
        let above = inner.vmas.find_at_or_above(added.start());
        let limit = above.map_or(u64::MAX, |(range, vma)| {
            if vma.grows_down() { range.start().saturating_sub(STACK_GUARD_GAP) } else { range.start() }
        });
        if added.end() + PAGE_SIZE > limit {
            return Err(Errno::ENOMEM);
        }
        let request = MapRequest {
            name: VmaName::Heap,
            ..MapRequest::anonymous(
                Where::FixedFree(UserAddr::new(added.start())),
                added.len(),
                Prot::READ | Prot::WRITE,
            )
        };
        self.map_locked(inner, &request).map(drop)
    }
}
