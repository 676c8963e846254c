//! mmap(2) (`do_mmap` in the kernel's `mm/mmap.c`).

#![expect(unsafe_code, reason = "replaces host mappings inside the arena")]

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::residency::may_lock_any;
use super::vma::{Backing, MMAP_MIN_ADDR, MappedFile, ObjectId, Placement, Vma, VmaFlags, VmaName};
use super::{AddressSpace, Inner, host_prot, is_reservation};
use crate::abi::mman::{MapFlags, Prot};
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};
use crate::sys::copy::Hva;
use crate::x86::paging::PDE_SPAN;

/// Where a mapping is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Near here if it is free, else anywhere.
    Hint(UserAddr),
    /// In the low 2 GiB.
    Low32Bit,
    /// Exactly here, in place of what is there.
    Fixed(UserAddr),
    /// Exactly here, or `EEXIST`.
    FixedFree(UserAddr),
}

/// A mapping to be made.
#[derive(Clone, Debug)]
pub struct MapRequest<'a> {
    /// Where.
    pub place: Where,
    /// Bytes, not yet rounded up.
    pub len: u64,
    /// Protection.
    pub prot: Prot,
    /// Flags; those of placement are in `place`.
    pub flags: MapFlags,
    /// The file, and the offset of the first byte in it (a multiple of the page size).
    pub file: Option<(BorrowedFd<'a>, u64)>,
    /// Name in `/proc/self/maps`.
    pub name: VmaName,
}

impl MapRequest<'_> {
    /// Private anonymous memory.
    pub fn anonymous(place: Where, len: u64, prot: Prot) -> Self {
        let flags = MapFlags::PRIVATE | MapFlags::ANONYMOUS;
        Self { place, len, prot, flags, file: None, name: VmaName::None }
    }

    fn is_shared(&self) -> bool {
        self.flags.contains(MapFlags::SHARED)
    }

    fn vma_flags(&self) -> VmaFlags {
        [
            (MapFlags::SHARED, VmaFlags::SHARED),
            (MapFlags::GROWSDOWN, VmaFlags::GROWSDOWN),
            (MapFlags::NORESERVE, VmaFlags::NORESERVE),
            (MapFlags::LOCKED, VmaFlags::LOCKED),
        ]
        .into_iter()
        .filter_map(|(flag, vma_flag)| self.flags.contains(flag).then_some(vma_flag))
        .collect()
    }

    /// Flags for the host mapping. Placement and downward growth are ours.
    fn host_flags(&self) -> i32 {
        let ours = MapFlags::FIXED | MapFlags::FIXED_NOREPLACE | MapFlags::BIT32 | MapFlags::GROWSDOWN;
        (self.flags - ours).bits().cast_signed()
    }
}

impl AddressSpace {
    /// The start of `len` free bytes at a multiple of `align`, where mmap(2) would place them.
    pub fn find_free(&self, len: u64, align: u64) -> Result<UserAddr, Errno> {
        let inner = self.lock();
        let range = inner.vmas.find_free(len, align, Placement::TopDown { base: inner.mmap_base })?;
        Ok(UserAddr::new(range.start()))
    }

    /// Maps, and returns the address. Errors are those of mmap(2).
    pub fn map(&self, request: &MapRequest<'_>) -> Result<UserAddr, Errno> {
        let mut inner = self.lock();
        let range = self.map_locked(&mut inner, request)?;
        Ok(UserAddr::new(range.start()))
    }

    pub(super) fn map_locked(&self, inner: &mut Inner, request: &MapRequest<'_>) -> Result<PageRange, Errno> {
        if request.len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = request.len.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        inner.vmas.check_room()?;
        let range = inner.place(request.place, len, request.file.is_none())?;
        if let Some((_, offset)) = request.file
            && offset.checked_add(len).is_none()
        {
            return Err(Errno::EOVERFLOW);
        }
        if request.flags.contains(MapFlags::LOCKED) && inner.limits.locked == 0 && !may_lock_any() {
            return Err(Errno::EPERM);
        }
        let mut vma = inner.new_vma(request)?;
        inner.check_limits(range, &mut vma)?;
        if !is_reservation(&vma) {
            self.arena.assign(range)?;
        }
        self.replace(inner, range, vma, request)?;
        if request.flags.contains(MapFlags::POPULATE) {
            self.populate_entries(inner, range);
        } else {
            self.fill_ahead(inner, range);
        }
        Ok(range)
    }

    /// Puts the host mapping and the VMA in place of whatever is there. What was there stays if the host refuses.
    fn replace(&self, inner: &mut Inner, range: PageRange, vma: Vma, request: &MapRequest<'_>) -> Result<(), Errno> {
        let removed = inner.vmas.remove(range)?;
        let is_growing = vma.grows_down() && vma.name != VmaName::Stack;
        let locked = if vma.flags.contains(VmaFlags::LOCKED) { libc::MAP_LOCKED } else { 0 };
        let mapped = inner.vmas.insert(range, vma).and_then(|()| {
            let mut done = 0;
            self.revoke(range, |hva, len| {
                let file = request.file.map(|(fd, offset)| (fd, offset + done));
                done += len;
                overmap(hva, len, host_prot(request.prot), request.host_flags() | locked, file)
            })
        });
        if let Err(errno) = mapped {
            let _ = inner.vmas.remove(range);
            for (range, vma) in removed {
                inner.vmas.insert(range, vma)?;
            }
            return Err(errno);
        }
        for (range, vma) in &removed {
            self.note_gone(*range, vma);
        }
        if is_growing {
            self.has_growsdown.store(true, Ordering::Relaxed);
        }
        self.forget_replaced(range);
        self.publish_stack_gap(inner);
        Ok(())
    }
}

impl Inner {
    /// Chooses the range (`get_unmapped_area`).
    fn place(&self, place: Where, len: u64, is_anonymous: bool) -> Result<PageRange, Errno> {
        if len > TASK_SIZE {
            return Err(Errno::ENOMEM);
        }
        let top_down = Placement::TopDown { base: self.mmap_base };
        match place {
            Where::Low32Bit => self.vmas.find_free(len, PAGE_SIZE, Placement::Low32Bit),
            // Where huge pages could fill it, Linux aligns it for them (`__get_unmapped_area` from 6.7 on).
            Where::Hint(hint) if hint.is_null() && is_anonymous && len.is_multiple_of(PDE_SPAN) => {
                self.vmas.find_free(len, PDE_SPAN, top_down)
            }
            Where::Hint(hint) if hint.is_null() => self.vmas.find_free(len, PAGE_SIZE, top_down),
            Where::Hint(hint) => {
                // `round_hint_to_min`
                let start = hint.page_floor().raw().max(MMAP_MIN_ADDR);
                PageRange::with_len(UserAddr::new(start), len)
                    .filter(|range| self.vmas.accepts_hint(*range))
                    .map_or_else(|| self.vmas.find_free(len, PAGE_SIZE, top_down), Ok)
            }
            Where::Fixed(addr) => self.fixed(addr, len),
            Where::FixedFree(addr) => {
                let range = self.fixed(addr, len)?;
                if self.vmas.is_free(range) { Ok(range) } else { Err(Errno::EEXIST) }
            }
        }
    }

    fn new_vma(&mut self, request: &MapRequest<'_>) -> Result<Vma, Errno> {
        let mut may = Prot::all();
        let backing = match request.file {
            Some((fd, offset)) => {
                if request.flags.contains(MapFlags::GROWSDOWN) {
                    return Err(Errno::EINVAL);
                }
                if request.is_shared() && !is_writable(fd)? {
                    may -= Prot::WRITE;
                }
                Backing::File { file: mapped_file(fd)?, offset }
            }
            None if request.is_shared() => {
                self.next_object += 1;
                Backing::SharedAnonymous { object: ObjectId(self.next_object), offset: 0 }
            }
            None => Backing::Anonymous,
        };
        let mut vma = Vma::new(request.prot, request.vma_flags() | self.lock_future, backing);
        vma.may = may;
        vma.name = request.name.clone();
        Ok(vma)
    }

    /// `RLIMIT_AS`, `RLIMIT_DATA` and `RLIMIT_MEMLOCK`, less what the mapping replaces.
    pub(super) fn check_limits(&self, range: PageRange, vma: &mut Vma) -> Result<(), Errno> {
        let added = range.len() - self.vmas.mapped_len(range);
        if !self.vmas.may_expand(vma, added, &self.limits) {
            return Err(Errno::ENOMEM);
        }
        if vma.flags.contains(VmaFlags::LOCKED) && !self.vmas.may_lock(added, &self.limits) && !may_lock_any() {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// A range that the guest asks for by address.
    pub(super) fn fixed(&self, addr: UserAddr, len: u64) -> Result<PageRange, Errno> {
        if addr.raw() > self.vmas.end().saturating_sub(len) {
            return Err(Errno::ENOMEM);
        }
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        if addr.raw() < self.lowest_addr && !may_map_low() {
            return Err(Errno::EPERM);
        }
        PageRange::with_len(addr, len).ok_or(Errno::ENOMEM)
    }
}

/// Low addresses take CAP_SYS_RAWIO (`cap_mmap_addr` in the kernel's `security/commoncap.c`).
fn may_map_low() -> bool {
    const CAP_SYS_RAWIO: u32 = 17;
    crate::sys::effective_capabilities() >> CAP_SYS_RAWIO & 1 == 1
}

fn is_writable(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    let flags = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFL)?;
    Ok(flags & libc::O_ACCMODE == libc::O_RDWR)
}

fn mapped_file(fd: BorrowedFd<'_>) -> Result<Arc<MappedFile>, Errno> {
    let stat = nix::sys::stat::fstat(fd)?;
    Ok(Arc::new(MappedFile { dev: stat.st_dev, ino: stat.st_ino, path: Box::default() }))
}

/// A host mapping over part of the arena.
pub(super) fn overmap(
    hva: Hva,
    len: u64,
    prot: i32,
    flags: i32,
    file: Option<(BorrowedFd<'_>, u64)>,
) -> Result<(), Errno> {
    let (fd, offset) = file.map_or((-1, 0), |(fd, offset)| (fd.as_raw_fd(), offset.cast_signed()));
    // SAFETY: callers pass ranges that `Arena::runs` gave them.
    unsafe { crate::sys::map::map_fixed(hva, len, prot, flags, fd, offset) }
}
