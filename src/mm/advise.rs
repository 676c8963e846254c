//! madvise(2) (the kernel's `mm/madvise.c`).

use super::vma::{Vma, VmaFlags};
use super::{AddressSpace, Inner};
use crate::abi::mman::MADV_COLLAPSE;
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr};
use crate::sys::map;

/// What an advice does to the VMA, beside what the host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Nothing,
    Set(VmaFlags),
    Clear(VmaFlags),
    /// Takes the place of the flags that exclude it.
    Replace(VmaFlags, VmaFlags),
}

const READ_AHEAD: VmaFlags = VmaFlags::SEQUENTIAL.union(VmaFlags::RANDOM);
const HUGE: VmaFlags = VmaFlags::HUGEPAGE.union(VmaFlags::NOHUGEPAGE);

/// The advices that are passed on; all others are `EINVAL`, as on a kernel built without them.
///
/// MADV_GUARD_INSTALL is left out: the host would report such a page as a bus error, not as SIGSEGV. So are the
/// two that poison host memory.
fn mark(advice: i32) -> Result<Mark, Errno> {
    Ok(match advice {
        libc::MADV_NORMAL => Mark::Clear(READ_AHEAD),
        libc::MADV_RANDOM => Mark::Replace(READ_AHEAD, VmaFlags::RANDOM),
        libc::MADV_SEQUENTIAL => Mark::Replace(READ_AHEAD, VmaFlags::SEQUENTIAL),
        libc::MADV_DONTFORK => Mark::Set(VmaFlags::DONTFORK),
        libc::MADV_DOFORK => Mark::Clear(VmaFlags::DONTFORK),
        libc::MADV_WIPEONFORK => Mark::Set(VmaFlags::WIPEONFORK),
        libc::MADV_KEEPONFORK => Mark::Clear(VmaFlags::WIPEONFORK),
        libc::MADV_HUGEPAGE => Mark::Replace(HUGE, VmaFlags::HUGEPAGE),
        libc::MADV_NOHUGEPAGE => Mark::Replace(HUGE, VmaFlags::NOHUGEPAGE),
        libc::MADV_DONTDUMP => Mark::Set(VmaFlags::DONTDUMP),
        libc::MADV_DODUMP => Mark::Clear(VmaFlags::DONTDUMP),
        libc::MADV_WILLNEED
        | libc::MADV_DONTNEED
        | libc::MADV_DONTNEED_LOCKED
        | libc::MADV_FREE
        | libc::MADV_REMOVE
        | libc::MADV_MERGEABLE
        | libc::MADV_UNMERGEABLE
        | libc::MADV_COLD
        | libc::MADV_PAGEOUT
        | libc::MADV_POPULATE_READ
        | libc::MADV_POPULATE_WRITE
        | MADV_COLLAPSE => Mark::Nothing,
        _ => return Err(Errno::EINVAL),
    })
}

impl AddressSpace {
    /// Advises the host about the part of its memory behind the range. Errors are those of madvise(2).
    pub fn advise(&self, addr: UserAddr, len: u64, advice: i32) -> Result<(), Errno> {
        let mark = mark(advice)?;
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        let rounded = len.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::EINVAL)?;
        if rounded == 0 {
            return Ok(());
        }
        addr.raw().checked_add(rounded).ok_or(Errno::EINVAL)?;
        let range = PageRange::with_len(addr, rounded).ok_or(Errno::ENOMEM)?;
        let mut inner = self.lock();
        self.advise_range(&mut inner, range, advice, mark)
    }

    /// As Linux does, goes on behind a hole and reports it at the end, but stops at another error.
    fn advise_range(&self, inner: &mut Inner, range: PageRange, advice: i32, mark: Mark) -> Result<(), Errno> {
        let parts: Vec<(PageRange, Vma)> =
            inner.vmas.iter_range(range).map(|part| (part.range, part.vma.clone())).collect();
        let stops_at_hole = matches!(advice, libc::MADV_POPULATE_READ | libc::MADV_POPULATE_WRITE);
        let mut next = range.start();
        let mut has_hole = false;
        for (part, vma) in parts {
            has_hole |= part.start() != next;
            if has_hole && stops_at_hole {
                break;
            }
            self.advise_vma(inner, part, &vma, advice, mark)?;
            next = part.end();
        }
        if has_hole || next != range.end() { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    fn advise_vma(&self, inner: &mut Inner, range: PageRange, vma: &Vma, advice: i32, mark: Mark) -> Result<(), Errno> {
        self.on_host(range, |hva, len| map::advise(hva, len, advice))?;
        let flags = match mark {
            Mark::Nothing => vma.flags,
            Mark::Set(flags) => vma.flags | flags,
            Mark::Clear(flags) => vma.flags - flags,
            Mark::Replace(old, new) => (vma.flags - old) | new,
        };
        if flags == vma.flags {
            return Ok(());
        }
        inner.vmas.update(range, |vma| vma.flags = flags)
    }
}
