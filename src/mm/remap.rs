//! mremap(2) (the kernel's `mm/mremap.c`).

#![expect(unsafe_code, reason = "moves host mappings inside the arena")]

use super::map::overmap;
use super::vma::{Backing, Placement, Vma, VmaFlags, VmaName};
use super::{AddressSpace, Inner, host_prot, make_hole};
use crate::abi::mman::RemapFlags;
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};
use crate::sys::copy::Hva;
use crate::sys::map;

/// The arguments of mremap(2), lengths in bytes and rounded up to pages.
#[derive(Clone, Copy, Debug)]
struct Remap {
    old: UserAddr,
    old_len: u64,
    new_len: u64,
    flags: RemapFlags,
}

impl AddressSpace {
    /// Moves or resizes a mapping. Errors are those of mremap(2).
    pub fn remap(
        &self,
        old: UserAddr,
        old_len: u64,
        new_len: u64,
        flags: RemapFlags,
        new: UserAddr,
    ) -> Result<UserAddr, Errno> {
        let (may_move, is_fixed) = (flags.contains(RemapFlags::MAYMOVE), flags.contains(RemapFlags::FIXED));
        let dont_unmap = flags.contains(RemapFlags::DONTUNMAP);
        if (is_fixed || dont_unmap) && !may_move || dont_unmap && old_len != new_len || !old.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        let round = |len: u64| len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0);
        let remap = Remap { old, old_len: round(old_len), new_len: round(new_len), flags };
        if remap.new_len == 0 {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.lock();
        if is_fixed { self.remap_to(&mut inner, remap, new) } else { self.remap_anywhere(&mut inner, remap, new) }
    }

    /// `mremap_to`: the new place is given.
    fn remap_to(&self, inner: &mut Inner, mut remap: Remap, new: UserAddr) -> Result<UserAddr, Errno> {
        let Remap { old, old_len, new_len, .. } = remap;
        if !new.is_page_aligned() || new_len > TASK_SIZE || new.raw() > TASK_SIZE - new_len {
            return Err(Errno::EINVAL);
        }
        let old_end = old.raw().checked_add(old_len).ok_or(Errno::EINVAL)?;
        if old_end > new.raw() && new.raw() + new_len > old.raw() {
            return Err(Errno::EINVAL);
        }
        if inner.vmas.find(old.raw()).is_none() {
            return Err(Errno::EFAULT);
        }
        let to = inner.fixed(new, new_len)?;
        self.unmap_locked(inner, to)?;
        if let Some(tail) = PageRange::new(old.raw() + new_len, old_end) {
            self.unmap_locked(inner, tail)?;
            remap.old_len = new_len;
        }
        let vma = inner.resizable(&remap)?;
        self.move_to(inner, remap, &vma, to)
    }

    fn remap_anywhere(&self, inner: &mut Inner, remap: Remap, hint: UserAddr) -> Result<UserAddr, Errno> {
        let Remap { old, old_len, new_len, flags } = remap;
        if inner.vmas.find(old.raw()).is_none() {
            return Err(Errno::EFAULT);
        }
        let dont_unmap = flags.contains(RemapFlags::DONTUNMAP);
        if old_len >= new_len && !dont_unmap {
            if let Some(tail) = PageRange::new(old.raw() + new_len, old.raw().saturating_add(old_len)) {
                self.unmap_locked(inner, tail)?;
            }
            return Ok(old);
        }
        let vma = inner.resizable(&remap)?;
        if !dont_unmap && self.grow_in_place(inner, remap, &vma)? {
            return Ok(old);
        }
        if !flags.contains(RemapFlags::MAYMOVE) {
            return Err(Errno::ENOMEM);
        }
        let hinted = PageRange::with_len(hint, new_len).filter(|range| dont_unmap && inner.vmas.accepts_hint(*range));
        let to = match hinted {
            Some(range) => range,
            None => inner.vmas.find_free(new_len, PAGE_SIZE, Placement::TopDown { base: inner.mmap_base })?,
        };
        self.move_to(inner, remap, &vma, to)
    }

    /// Extends the VMA where it is, if it ends there and the pages behind it are free.
    fn grow_in_place(&self, inner: &mut Inner, remap: Remap, vma: &Vma) -> Result<bool, Errno> {
        let old_end = remap.old.raw() + remap.old_len;
        let Some(added) = PageRange::new(old_end, remap.old.raw().saturating_add(remap.new_len)) else {
            return Ok(false);
        };
        let ends_here = inner.vmas.find(old_end - 1).is_some_and(|(whole, _)| whole.end() == old_end);
        if remap.old_len == 0 || !ends_here || !inner.vmas.accepts_hint(added) {
            return Ok(false);
        }
        if vma.is_accessible() {
            self.arena.assign(added)?;
        }
        let whole = PageRange::with_len(remap.old, remap.old_len).ok_or(Errno::EINVAL)?;
        self.extend_host(whole, added, vma)?;
        inner.vmas.insert(added, vma.skip(remap.old_len))?;
        Ok(true)
    }

    /// Gives the host mapping at `whole` the pages `added` behind it.
    fn extend_host(&self, whole: PageRange, added: PageRange, vma: &Vma) -> Result<(), Errno> {
        if vma.backing == Backing::Anonymous {
            let reserve = if vma.flags.contains(VmaFlags::NORESERVE) { libc::MAP_NORESERVE } else { 0 };
            let lock = if vma.flags.contains(VmaFlags::LOCKED) { libc::MAP_LOCKED } else { 0 };
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | reserve | lock;
            return self.on_host(added, |hva, len| overmap(hva, len, host_prot(vma.prot), flags, None));
        }
        let new_len = whole.len() + added.len();
        if !self.arena.is_contiguous(whole.start(), new_len) {
            return Err(Errno::ENOMEM);
        }
        self.clear_entries(whole);
        extend_object(self.arena.hva(whole.start()), whole.len(), new_len)
    }

    /// Moves to `to`, which is free, and leaves what the flags say.
    fn move_to(&self, inner: &mut Inner, remap: Remap, vma: &Vma, to: PageRange) -> Result<UserAddr, Errno> {
        if vma.is_accessible() {
            self.arena.assign(to)?;
        }
        let Some(from) = PageRange::with_len(remap.old, remap.old_len) else {
            return self.duplicate(inner, remap.old, vma, to);
        };
        let keeps_source = remap.flags.contains(RemapFlags::DONTUNMAP);
        self.clear_entries(from);
        self.note_moved(inner, from);
        let moved = PageRange::new(to.start(), to.start() + from.len()).ok_or(Errno::EINVAL)?;
        self.move_host(from, moved)?;
        if let Some(added) = PageRange::new(moved.end(), to.end()) {
            self.extend_host(moved, added, vma)?;
        }
        if keeps_source {
            let mut left = vma.clone();
            left.flags -= VmaFlags::LOCKED | VmaFlags::LOCKONFAULT;
            inner.vmas.insert(to, vma.clone())?;
            inner.vmas.update(from, |vma| vma.flags = left.flags)?;
            self.move_replaced(from, to.start());
        } else {
            self.move_replaced(from, to.start());
            inner.vmas.move_range(from, to)?;
            self.on_host(from, make_hole)?;
        }
        self.publish_stack_gap(inner);
        Ok(UserAddr::new(to.start()))
    }

    /// An old length of 0 asks for a second view of a shared mapping.
    fn duplicate(&self, inner: &mut Inner, old: UserAddr, vma: &Vma, to: PageRange) -> Result<UserAddr, Errno> {
        if !self.arena.is_contiguous(to.start(), to.len()) {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: both places are in the arena.
        unsafe { map::remap(self.arena.hva(old.raw()), 0, self.arena.hva(to.start()), to.len(), 0) }?;
        inner.vmas.insert(to, vma.clone())?;
        Ok(UserAddr::new(to.start()))
    }

    /// Moves host pages; the source stays mapped and empty, so that nothing else can land there.
    fn move_host(&self, from: PageRange, to: PageRange) -> Result<(), Errno> {
        if self.arena.runs(from.start(), from.len()).next().is_none() {
            // A reservation that was never accessible has no host mapping.
            return Ok(());
        }
        if !self.arena.is_contiguous(from.start(), from.len()) || !self.arena.is_contiguous(to.start(), to.len()) {
            return Err(Errno::ENOMEM);
        }
        move_pages(self.arena.hva(from.start()), self.arena.hva(to.start()), from.len())
    }
}

impl Inner {
    /// The VMA at the old place as it looks from there, if it may get the new length (`vma_to_resize`).
    fn resizable(&self, remap: &Remap) -> Result<Vma, Errno> {
        let (whole, vma) = self.vmas.find(remap.old.raw()).ok_or(Errno::EFAULT)?;
        // Foreign pages stay where they are.
        if vma.name == VmaName::Vvar || remap.old_len == 0 && !vma.is_shared() {
            return Err(Errno::EINVAL);
        }
        if remap.old_len > whole.end() - remap.old.raw() {
            return Err(Errno::EFAULT);
        }
        let vma = vma.skip(remap.old.raw() - whole.start());
        let added = match remap.flags.contains(RemapFlags::DONTUNMAP) {
            true => remap.new_len,
            false => remap.new_len.saturating_sub(remap.old_len),
        };
        if vma.flags.contains(VmaFlags::LOCKED) && !self.vmas.may_lock(added, &self.limits) {
            return Err(Errno::EAGAIN);
        }
        if self.vmas.may_expand(&vma, added, &self.limits) { Ok(vma) } else { Err(Errno::ENOMEM) }
    }
}

/// Moves the pages of one or several host mappings. One VMA of ours may be several of the host's, which mremap(2)
/// refuses to move at once.
fn move_pages(from: Hva, to: Hva, len: u64) -> Result<(), Errno> {
    // SAFETY: both ranges are arena ranges.
    let moved = unsafe { map::remap(from, len, to, len, libc::MREMAP_DONTUNMAP) };
    match moved {
        // Device mappings cannot be left empty.
        // SAFETY: as above.
        Err(Errno::EINVAL) => unsafe { map::remap(from, len, to, len, 0) }.and_then(|()| make_hole(from, len)),
        Err(Errno::EFAULT) if len > PAGE_SIZE => {
            let half = len / 2 / PAGE_SIZE * PAGE_SIZE;
            move_pages(from, to, half)?;
            move_pages(from + half, to + half, len - half)
        }
        result => result,
    }
}

/// Lengthens the mapping of an object. The host would grow it in place only over nothing, and the arena is never
/// nothing: so it is grown elsewhere and brought back.
fn extend_object(hva: Hva, old_len: u64, new_len: u64) -> Result<(), Errno> {
    let first = map::reserve(old_len).map_err(Errno::from)?;
    move_pages(hva, first, old_len)?;
    let second = map::reserve(new_len).map_err(Errno::from)?;
    // SAFETY: both places are reservations made here, the last one is an arena range; each move leaves nothing behind.
    let grown = unsafe { map::remap(first, old_len, second, new_len, 0) };
    let (at, len) = if grown.is_ok() { (second, new_len) } else { (first, old_len) };
    // SAFETY: as above.
    let back = unsafe { map::remap(at, len, hva, len, 0) };
    if grown.is_err() {
        // SAFETY: nothing has moved here.
        unsafe { map::release(second, new_len) };
    }
    grown.and(back)
}
