//! System V shared memory: shmat(2) and shmdt(2) (the kernel's `ipc/shm.c`).
//!
//! The segment is attached on the host first, where the kernel chooses, and then moved to its place in the arena: so
//! nothing of the guest's is replaced before it is sure that the attachment succeeds, and how long it is.

#![expect(unsafe_code, reason = "moves an attached segment into the arena")]

use super::arena::WINDOW;
use super::vma::{Backing, ObjectId, Placement, Vma, VmaFlags};
use super::{AddressSpace, Inner};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr};
use crate::sys::map;

/// A segment that is attached on the host and not yet in its place; detached when dropped.
struct Attached {
    hva: crate::sys::copy::Hva,
    /// Bytes, whole pages.
    len: u64,
}

impl Attached {
    fn new(id: i32, flags: i32) -> Result<Self, Errno> {
        let mut attached = Self { hva: map::attach(id, flags)?, len: 0 };
        attached.len = map::segment_len(id)?.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        Ok(attached)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        map::detach(self.hva);
    }
}

impl AddressSpace {
    /// Attaches the segment `id` at `addr`, or where there is room. Errors are those of shmat(2).
    pub fn attach(&self, id: i32, addr: UserAddr, flags: i32) -> Result<UserAddr, Errno> {
        let has = |flag| flags & flag != 0;
        let addr = if has(libc::SHM_RND) { addr.page_floor() } else { addr };
        let is_misplaced = !addr.is_page_aligned() || addr.is_null() && has(libc::SHM_REMAP);
        if id < 0 || is_misplaced {
            return Err(Errno::EINVAL);
        }
        let attached = Attached::new(id, flags & (libc::SHM_RDONLY | libc::SHM_EXEC))?;
        let mut inner = self.lock();
        let range = self.segment_place(&inner, addr, attached.len, has(libc::SHM_REMAP))?;
        inner.vmas.check_room()?;
        let mut vma = inner.segment_vma(attached.len, flags);
        inner.check_limits(range, &mut vma)?;
        self.arena.assign(range)?;
        if !self.arena.is_contiguous(range.start(), range.len()) {
            return Err(Errno::ENOMEM);
        }
        self.place_segment(&mut inner, range, vma, attached)?;
        Ok(UserAddr::new(range.start()))
    }

    fn segment_place(&self, inner: &Inner, addr: UserAddr, len: u64, replaces: bool) -> Result<PageRange, Errno> {
        if !addr.is_null() {
            let range = inner.fixed(addr, len)?;
            return if replaces || inner.vmas.is_free(range) { Ok(range) } else { Err(Errno::EINVAL) };
        }
        let top_down = Placement::TopDown { base: inner.mmap_base };
        let range = inner.vmas.find_free(len, PAGE_SIZE, top_down)?;
        let crosses_border = range.start() / WINDOW != (range.end() - 1) / WINDOW;
        // A segment is one mapping on the host, and windows that are neighbours need not be neighbours there.
        if crosses_border && len <= WINDOW { inner.vmas.find_free(len, WINDOW, top_down) } else { Ok(range) }
    }

    /// Moves the segment over whatever is at `range`, which stays as it is if that fails.
    fn place_segment(&self, inner: &mut Inner, range: PageRange, vma: Vma, attached: Attached) -> Result<(), Errno> {
        let removed = inner.vmas.remove(range)?;
        let placed = inner.vmas.insert(range, vma).and_then(|()| {
            self.revoke(range, |hva, len| {
                // SAFETY: from the attachment, which is ours, to a range of the arena.
                unsafe { map::remap(attached.hva, attached.len, hva, len, 0) }
            })
        });
        if placed.is_err() {
            let _ = inner.vmas.remove(range);
            for (range, vma) in &removed {
                inner.vmas.insert(*range, vma.clone())?;
            }
        } else {
            // Nothing is left where it was.
            std::mem::forget(attached);
            for (range, vma) in &removed {
                self.note_gone(*range, vma);
            }
        }
        self.publish_stack_gap(inner);
        placed
    }

    /// Detaches what is left of the segment that was attached at `addr`. `EINVAL` if there is nothing.
    pub fn detach(&self, addr: UserAddr) -> Result<(), Errno> {
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.lock();
        let parts = inner.segment_parts(addr.raw());
        if parts.is_empty() {
            return Err(Errno::EINVAL);
        }
        parts.into_iter().try_for_each(|part| self.unmap_locked(&mut inner, part))
    }
}

impl Inner {
    fn segment_vma(&mut self, len: u64, flags: i32) -> Vma {
        let mut prot = Prot::READ;
        prot.set(Prot::WRITE, flags & libc::SHM_RDONLY == 0);
        prot.set(Prot::EXEC, flags & libc::SHM_EXEC != 0);
        self.next_object += 1;
        let backing = Backing::Segment { attachment: ObjectId(self.next_object), offset: 0, len };
        let mut vma = Vma::new(prot, VmaFlags::SHARED | self.lock_future, backing);
        vma.may.set(Prot::WRITE, prot.contains(Prot::WRITE));
        vma
    }

    /// The mappings that are still where the segment attached at `addr` put them (`ksys_shmdt`).
    fn segment_parts(&self, addr: u64) -> Vec<PageRange> {
        let from = self.vmas.iter().filter(|(range, _)| range.end() > addr);
        let mut first = None;
        let mut parts = Vec::new();
        for (range, vma) in from {
            let Backing::Segment { attachment, offset, len } = vma.backing else { continue };
            if range.start().wrapping_sub(addr) != offset {
                continue;
            }
            let (wanted, total) = *first.get_or_insert((attachment, len));
            if range.end() - addr > total && !parts.is_empty() {
                break;
            }
            if attachment == wanted {
                parts.push(range);
            }
        }
        parts
    }
}
