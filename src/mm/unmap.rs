//! munmap(2) (`do_vmi_munmap` in the kernel's `mm/vma.c`).

use super::{AddressSpace, Inner, make_hole};
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};

impl AddressSpace {
    /// Unmaps whatever there is in the range. Errors are those of munmap(2).
    pub fn unmap(&self, addr: UserAddr, len: u64) -> Result<(), Errno> {
        let range = unmap_range(addr, len)?;
        let mut inner = self.lock();
        self.unmap_locked(&mut inner, range)
    }

    pub(super) fn unmap_locked(&self, inner: &mut Inner, range: PageRange) -> Result<(), Errno> {
        let removed = inner.vmas.remove(range)?;
        for (range, vma) in &removed {
            self.revoke(*range, make_hole)?;
            self.note_gone(*range, vma);
            self.forget_replaced(*range);
        }
        self.publish_stack_gap(inner);
        Ok(())
    }
}

fn unmap_range(addr: UserAddr, len: u64) -> Result<PageRange, Errno> {
    if !addr.is_page_aligned() || addr.raw() > TASK_SIZE || len > TASK_SIZE - addr.raw() {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::EINVAL)?;
    PageRange::with_len(addr, len).ok_or(Errno::EINVAL)
}
