//! mincore(2), mlock(2) and its family, msync(2).

use super::vma::VmaFlags;
use super::{AddressSpace, Inner};
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};
use crate::sys::map;

impl AddressSpace {
    /// One byte a page into the guest's `vector`: bit 0 says whether it is resident.
    pub fn resident(&self, addr: UserAddr, len: u64, vector: UserAddr) -> Result<(), Errno> {
        const STEP: u64 = 4096;
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        if !addr.is_user_range(len) {
            return Err(Errno::ENOMEM);
        }
        if !vector.is_user_range(len.div_ceil(PAGE_SIZE)) {
            return Err(Errno::EFAULT);
        }
        let (mut at, end) = (addr.raw(), addr.raw() + len.next_multiple_of(PAGE_SIZE));
        let mut to = vector;
        while at < end {
            let nr_pages = ((end - at) / PAGE_SIZE).min(STEP);
            let bytes = self.resident_pages(at, nr_pages)?;
            self.copy_out(to, &bytes)?;
            at += nr_pages * PAGE_SIZE;
            to = to.wrapping_add(nr_pages);
        }
        Ok(())
    }

    fn resident_pages(&self, start: u64, nr_pages: u64) -> Result<Vec<u8>, Errno> {
        let range = PageRange::new(start, start + nr_pages * PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        if !self.lock().vmas.covers_whole(range) {
            return Err(Errno::ENOMEM);
        }
        let mut vector = vec![0; usize::try_from(nr_pages).unwrap_or(0)];
        if self.arena.is_contiguous(start, range.len()) && self.arena.runs(start, range.len()).next().is_some() {
            map::resident(self.arena.hva(start), &mut vector)?;
        }
        Ok(vector)
    }

    /// The parts of `range` that the host has pages for.
    pub(super) fn resident_ranges(&self, range: PageRange) -> Vec<PageRange> {
        const STEP: usize = 4096;
        let mut ranges = Vec::new();
        for run in self.arena.runs(range.start(), range.len()) {
            let nr_pages = usize::try_from(run.len / PAGE_SIZE).unwrap_or(0);
            let first = range.start() + (run.hva - self.arena.hva(range.start()));
            for start in (0..nr_pages).step_by(STEP) {
                let mut vector = vec![0u8; STEP.min(nr_pages - start)];
                if map::resident(run.hva + start as u64 * PAGE_SIZE, &mut vector).is_err() {
                    continue;
                }
                for (page, _) in (start as u64..).zip(&vector).filter(|(_, resident)| **resident & 1 != 0) {
                    ranges.extend(PageRange::with_len(UserAddr::new(first + page * PAGE_SIZE), PAGE_SIZE));
                }
            }
        }
        ranges
    }

    /// How many bytes of `range` the host has pages for.
    pub fn resident_len(&self, range: PageRange) -> u64 {
        self.resident_ranges(range).iter().map(|range| range.len()).sum()
    }

    /// mlock2(2): `on_fault` leaves pages that are not there yet alone.
    pub fn lock_pages(&self, addr: UserAddr, len: u64, on_fault: bool) -> Result<(), Errno> {
        let Some(range) = lock_range(addr, len)? else { return Ok(()) };
        let mut inner = self.lock();
        let already: u64 = inner
            .vmas
            .iter_range(range)
            .filter(|part| part.vma.flags.contains(VmaFlags::LOCKED))
            .map(|part| part.range.len())
            .sum();
        if !inner.vmas.may_lock(range.len() - already, &inner.limits) && !may_lock_any() {
            return Err(if inner.limits.locked == 0 { Errno::EPERM } else { Errno::ENOMEM });
        }
        let flags = lock_flags(on_fault);
        self.set_locked(&mut inner, range, flags)
    }

    /// munlock(2).
    pub fn unlock_pages(&self, addr: UserAddr, len: u64) -> Result<(), Errno> {
        let Some(range) = lock_range(addr, len)? else { return Ok(()) };
        self.set_locked(&mut self.lock(), range, VmaFlags::empty())
    }

    /// mlockall(2); munlockall(2) is both false.
    pub fn lock_all(&self, current: bool, future: bool, on_fault: bool) -> Result<(), Errno> {
        let mut inner = self.lock();
        if current || future {
            let fits = !current || inner.vmas.usage().total <= inner.limits.locked;
            if !fits && !may_lock_any() {
                return Err(if inner.limits.locked == 0 { Errno::EPERM } else { Errno::ENOMEM });
            }
        }
        let flags = lock_flags(on_fault);
        inner.lock_future = if future { flags } else { VmaFlags::empty() };
        let flags = if current { flags } else { VmaFlags::empty() };
        if future && !current {
            return Ok(());
        }
        let all: Vec<PageRange> = inner.vmas.iter().map(|(range, _)| range).collect();
        for range in all {
            // As in Linux, what cannot be locked does not fail the call.
            let _ = self.set_locked(&mut inner, range, flags);
        }
        Ok(())
    }

    fn set_locked(&self, inner: &mut Inner, range: PageRange, flags: VmaFlags) -> Result<(), Errno> {
        const BOTH: VmaFlags = VmaFlags::LOCKED.union(VmaFlags::LOCKONFAULT);
        let parts: Vec<PageRange> = inner.vmas.iter_range(range).map(|part| part.range).collect();
        let mut next = range.start();
        for part in parts {
            if part.start() != next {
                return Err(Errno::ENOMEM);
            }
            next = part.end();
            inner.vmas.update(part, |vma| vma.flags = (vma.flags - BOTH) | flags)?;
            self.on_host(part, |hva, len| match (flags.contains(VmaFlags::LOCKED), flags) {
                (false, _) => map::unlock(hva, len),
                (true, flags) => map::lock(hva, len, u32::from(flags.contains(VmaFlags::LOCKONFAULT))),
            })?;
        }
        if next == range.end() { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// msync(2); the flags are checked by the caller.
    pub fn sync(&self, addr: UserAddr, len: u64, flags: i32) -> Result<(), Errno> {
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        let len = len.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        if len == 0 {
            return Ok(());
        }
        let range = PageRange::with_len(addr, len).ok_or(Errno::ENOMEM)?;
        let (parts, is_whole) = {
            let inner = self.lock();
            let parts: Vec<PageRange> = inner.vmas.iter_range(range).map(|part| part.range).collect();
            (parts, inner.vmas.covers_whole(range))
        };
        // Writing back sleeps, so the lock is not held; the ranges stay in the arena whatever happens to them.
        for part in parts {
            self.on_host(part, |hva, len| map::sync(hva, len, flags))?;
        }
        if is_whole { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

fn lock_flags(on_fault: bool) -> VmaFlags {
    if on_fault { VmaFlags::LOCKED | VmaFlags::LOCKONFAULT } else { VmaFlags::LOCKED }
}

/// CAP_IPC_LOCK lifts the limit.
pub(super) fn may_lock_any() -> bool {
    const CAP_IPC_LOCK: u32 = 14;
    crate::sys::effective_capabilities() >> CAP_IPC_LOCK & 1 == 1
}

/// Both ends are rounded outwards (`do_mlock`).
fn lock_range(addr: UserAddr, len: u64) -> Result<Option<PageRange>, Errno> {
    let start = addr.page_floor();
    let len = len.checked_add(addr.page_offset()).and_then(|len| len.checked_next_multiple_of(PAGE_SIZE));
    match len {
        Some(0) => Ok(None),
        Some(len) if start.raw().checked_add(len).is_none() => Err(Errno::EINVAL),
        Some(len) if start.raw() > TASK_SIZE || len > TASK_SIZE - start.raw() => Err(Errno::ENOMEM),
        Some(len) => Ok(PageRange::with_len(start, len)),
        None => Err(Errno::EINVAL),
    }
}
