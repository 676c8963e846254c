//! The VMA map: the pure record of what the guest has mapped where.
//!
//! The map knows nothing of the host. Where a VMA lies in the arena is a fixed function of its GVA, so a VMA carries no
//! HVA; the host mappings and the page tables follow this record and live in other modules.
//!
//! Each change is computed beside the map first and then committed in one step, so an operation that fails leaves the
//! map as it was. Rules are those of the kernel's `mm/vma.c` and `mm/mmap.c`; sizes are bytes unless said otherwise.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bitflags::bitflags;

use super::packed::Packed;
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};

/// Lowest address that a VMA gets without being asked for (`vm.mmap_min_addr`, whose default is 64 KiB).
pub const MMAP_MIN_ADDR: u64 = 0x1_0000;
/// Where the bottom-up search begins (`TASK_UNMAPPED_BASE` in the kernel's `arch/x86/include/asm/processor.h`).
pub const TASK_UNMAPPED_BASE: u64 = (TASK_SIZE / 3).next_multiple_of(PAGE_SIZE);
/// Bytes kept free below a VMA that grows down (`stack_guard_gap` in the kernel's `mm/mmap.c`: 256 pages).
pub const STACK_GUARD_GAP: u64 = 256 * PAGE_SIZE;
/// Most VMAs of one address space (`DEFAULT_MAX_MAP_COUNT`, the default of `vm.max_map_count` in proc_sys_vm(5)).
pub const DEFAULT_MAX_VMAS: usize = 65_530;

/// Where `MAP_32BIT` places (`find_start_end` in the kernel's `arch/x86/kernel/sys_x86_64.c`).
const LOW_32BIT: Window = Window { floor: 0x4000_0000, limit: 0x8000_0000 };
/// VMAs that mremap(2) wants in reserve, since the range it leaves may split one into three (`mm/mremap.c`).
const MOVE_RESERVE: usize = 3;
/// Above this many VMAs [`VmaMap::debug_validate`] would make debug builds quadratic.
const VALIDATED_VMAS: usize = 1024;

bitflags! {
    /// What is special about a VMA, beside its protection (`VM_*` in the kernel's `include/linux/mm.h`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct VmaFlags: u32 {
        /// Writes reach the object behind it (`MAP_SHARED`).
        const SHARED = 1 << 0;
        /// Grows down to a touch just below (`MAP_GROWSDOWN`, and the stack).
        const GROWSDOWN = 1 << 1;
        /// Not counted as committed memory (`MAP_NORESERVE`).
        const NORESERVE = 1 << 2;
        /// Stays in memory, as mlock(2) says.
        const LOCKED = 1 << 3;
        /// With LOCKED: only pages that have been touched (`MLOCK_ONFAULT`).
        const LOCKONFAULT = 1 << 4;
        /// Absent from a fork child (`MADV_DONTFORK`).
        const DONTFORK = 1 << 5;
        /// Zeroes in a fork child (`MADV_WIPEONFORK`).
        const WIPEONFORK = 1 << 6;
        /// Huge pages are wanted (`MADV_HUGEPAGE`).
        const HUGEPAGE = 1 << 7;
        /// Huge pages are not wanted (`MADV_NOHUGEPAGE`).
        const NOHUGEPAGE = 1 << 8;
        /// Absent from core files (`MADV_DONTDUMP`).
        const DONTDUMP = 1 << 9;
        /// Read in order (`MADV_SEQUENTIAL`).
        const SEQUENTIAL = 1 << 10;
        /// Read in no order (`MADV_RANDOM`).
        const RANDOM = 1 << 11;
        /// Ours: the fault path fills one page at a time here.
        const PRECISE = 1 << 12;
    }
}

/// A file that VMAs map, told from others by device and inode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MappedFile {
    /// `st_dev` of stat(2).
    pub dev: u64,
    /// `st_ino` of stat(2).
    pub ino: u64,
    /// Name that `/proc/self/maps` shows; no encoding is promised.
    pub path: Box<[u8]>,
}

/// Identity of a shared anonymous object: two calls of mmap(2) make two objects, though both look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId(pub u64);

/// What is behind a VMA. Offsets belong to its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Private anonymous memory, which has neither identity nor offset.
    Anonymous,
    /// Shared anonymous memory.
    SharedAnonymous {
        /// Which object.
        object: ObjectId,
        /// Bytes from the start of the object.
        offset: u64,
    },
    /// A System V segment, which mappings of the same attachment show in parts.
    Segment {
        /// Which attachment.
        attachment: ObjectId,
        /// Bytes from the start of the segment.
        offset: u64,
        /// Bytes of the whole segment.
        len: u64,
    },
    /// A file, private or shared.
    File {
        /// Which file.
        file: Arc<MappedFile>,
        /// Bytes from the start of the file.
        offset: u64,
    },
}

impl Backing {
    /// What is behind the byte `skipped` bytes later.
    fn skip(&self, skipped: u64) -> Self {
        let mut backing = self.clone();
        match &mut backing {
            Self::Anonymous => {}
            // mmap(2) refuses what would pass 2^64 (EOVERFLOW), so this never wraps for a range that the guest got.
            Self::SharedAnonymous { offset, .. } | Self::Segment { offset, .. } | Self::File { offset, .. } => {
                *offset = offset.wrapping_add(skipped);
            }
        }
        backing
    }

    /// Is `next` what comes `len` bytes later in the same object?
    fn continues_as(&self, len: u64, next: &Self) -> bool {
        match (self, next) {
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::SharedAnonymous { object, offset }, Self::SharedAnonymous { object: next_object, offset: next }) => {
                object == next_object && offset.wrapping_add(len) == *next
            }
            (Self::Segment { attachment, offset, .. }, Self::Segment { attachment: other, offset: next, .. }) => {
                attachment == other && offset.wrapping_add(len) == *next
            }
            (Self::File { file, offset }, Self::File { file: next_file, offset: next }) => {
                offset.wrapping_add(len) == *next && file == next_file
            }
            _ => false,
        }
    }
}

/// How `/proc/self/maps` names a VMA that has no file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum VmaName {
    /// No name.
    #[default]
    None,
    /// `[heap]`: the program break.
    Heap,
    /// `[stack]`: the first thread's.
    Stack,
    /// `[vdso]`: code that the kernel lends the program.
    Vdso,
    /// `[vvar]`: data of the vDSO.
    Vvar,
    /// The window of m5ops (`syscall::m5ops`).
    M5ops,
    /// `[anon:NAME]`, as `PR_SET_VMA_ANON_NAME` of prctl(2) sets it.
    Anon(Arc<str>),
}

/// One VMA without its range, which the map keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vma {
    /// What the guest may do now.
    pub prot: Prot,
    /// What mprotect(2) may give (`VM_MAYREAD` and so on): a shared file opened read-only never gets WRITE.
    pub may: Prot,
    /// What is special about it.
    pub flags: VmaFlags,
    /// What is behind it.
    pub backing: Backing,
    /// Its name in `/proc/self/maps`.
    pub name: VmaName,
}

impl Vma {
    /// A VMA without a name, whose protection may become anything.
    pub const fn new(prot: Prot, flags: VmaFlags, backing: Backing) -> Self {
        Self { prot, may: Prot::all(), flags, backing, name: VmaName::None }
    }

    /// Private anonymous memory without flags or name.
    pub const fn anonymous(prot: Prot) -> Self {
        Self::new(prot, VmaFlags::empty(), Backing::Anonymous)
    }

    /// The same VMA as it looks when it begins `skipped` bytes later.
    pub fn skip(&self, skipped: u64) -> Self {
        Self { backing: self.backing.skip(skipped), ..self.clone() }
    }

    /// Does the guest see writes of others to the object behind it, and they its own?
    pub const fn is_shared(&self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }

    /// May the guest touch it at all? (`vma_is_accessible`)
    pub const fn is_accessible(&self) -> bool {
        !self.prot.is_empty()
    }

    /// Does it grow down to a touch just below?
    pub const fn grows_down(&self) -> bool {
        self.flags.contains(VmaFlags::GROWSDOWN)
    }

    /// Does `RLIMIT_DATA` count it? Private and writable, stacks aside (`is_data_mapping` in `mm/vma.h`).
    pub const fn is_data(&self) -> bool {
        self.prot.contains(Prot::WRITE) && !self.is_shared() && !self.grows_down()
    }

    /// Is it code? Executable and not writable, stacks aside (`is_exec_mapping` in `mm/vma.h`).
    pub const fn is_code(&self) -> bool {
        self.prot.contains(Prot::EXEC) && !self.prot.contains(Prot::WRITE) && !self.grows_down()
    }

    /// Is `next`, which follows `len` bytes later, the same VMA going on? (`is_mergeable_vma` and `can_vma_merge_after`)
    fn continues_as(&self, len: u64, next: &Self) -> bool {
        self.prot == next.prot
            && self.may == next.may
            && self.flags == next.flags
            && self.name == next.name
            && self.backing.continues_as(len, &next.backing)
    }

    /// First byte of what new VMAs leave alone when this one starts at `start` (`vm_start_gap`).
    const fn guarded_start(&self, start: u64) -> u64 {
        if self.grows_down() { start.saturating_sub(STACK_GUARD_GAP) } else { start }
    }
}

/// A VMA seen through a range that may cut it.
#[derive(Clone, Copy, Debug)]
pub struct VmaPart<'a> {
    /// The pages inside the range.
    pub range: PageRange,
    /// All pages of the VMA.
    pub whole: PageRange,
    /// The VMA; its offset belongs to `whole.start()`.
    pub vma: &'a Vma,
}

impl VmaPart<'_> {
    /// The VMA as if it were cut to `range`, its offset moved along.
    pub fn to_vma(&self) -> Vma {
        self.vma.skip(self.range.start() - self.whole.start())
    }
}

/// Sums over all VMAs, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All VMAs: `VmSize`, limited by `RLIMIT_AS`.
    pub total: u64,
    /// VMAs with [`VmaFlags::LOCKED`]: `VmLck`, limited by `RLIMIT_MEMLOCK`.
    pub locked: u64,
    /// VMAs that are [`Vma::is_data`]: `VmData`, limited by `RLIMIT_DATA`.
    pub data: u64,
    /// VMAs with [`VmaFlags::GROWSDOWN`]: `VmStk`.
    pub stack: u64,
    /// VMAs that are [`Vma::is_code`]: `VmExe` and `VmLib`.
    pub code: u64,
}

impl Usage {
    /// The sums that `vma` is part of.
    fn sums_of(&mut self, vma: &Vma) -> impl Iterator<Item = &mut u64> {
        [
            (true, &mut self.total),
            (vma.flags.contains(VmaFlags::LOCKED), &mut self.locked),
            (vma.is_data(), &mut self.data),
            (vma.grows_down(), &mut self.stack),
            (vma.is_code(), &mut self.code),
        ]
        .into_iter()
        .filter_map(|(is_counted, sum)| is_counted.then_some(sum))
    }

    fn add(&mut self, range: PageRange, vma: &Vma) {
        self.sums_of(vma).for_each(|sum| *sum += range.len());
    }

    fn subtract(&mut self, range: PageRange, vma: &Vma) {
        self.sums_of(vma).for_each(|sum| *sum -= range.len());
    }
}

/// The guest's resource limits on memory, in bytes; `u64::MAX` is `RLIM_INFINITY`. See getrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `RLIMIT_AS`.
    pub address_space: u64,
    /// `RLIMIT_DATA`.
    pub data: u64,
    /// Hard limit of `RLIMIT_DATA`, which rules where the soft one is 0 (`may_expand_vm`).
    pub data_hard: u64,
    /// `RLIMIT_STACK`.
    pub stack: u64,
    /// `RLIMIT_MEMLOCK`; unlimited with `CAP_IPC_LOCK`.
    pub locked: u64,
}

impl Limits {
    /// No limit at all.
    pub const UNLIMITED: Self =
        Self { address_space: u64::MAX, data: u64::MAX, data_hard: u64::MAX, stack: u64::MAX, locked: u64::MAX };
}

/// Where [`VmaMap::find_free`] looks for a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The highest hole below `base` (Linux's `mmap_base`), else as BottomUp from [`TASK_UNMAPPED_BASE`].
    TopDown {
        /// End of the search, page-aligned.
        base: u64,
    },
    /// The lowest hole from `base` up to [`VmaMap::end`]: the legacy layout of personality(2).
    BottomUp {
        /// Start of the search, page-aligned.
        base: u64,
    },
    /// The lowest hole from 1 GiB to 2 GiB: `MAP_32BIT`.
    Low32Bit,
}

/// Addresses from `floor` to below `limit`, perhaps none.
#[derive(Clone, Copy, Debug)]
struct Window {
    floor: u64,
    limit: u64,
}

impl Window {
    /// The highest `len` bytes in it that start at a multiple of `align`.
    fn place_high(self, len: u64, align: u64) -> Option<PageRange> {
        let start = self.limit.checked_sub(len)? / align * align;
        if start >= self.floor { PageRange::new(start, start + len) } else { None }
    }

    /// The lowest `len` bytes in it that start at a multiple of `align`.
    fn place_low(self, len: u64, align: u64) -> Option<PageRange> {
        let start = self.floor.checked_next_multiple_of(align)?;
        let end = start.checked_add(len)?;
        if end <= self.limit { PageRange::new(start, end) } else { None }
    }
}

/// A VMA and its pages.
type Piece = (PageRange, Vma);

/// A change that has been computed and not yet made.
#[derive(Debug)]
struct Splice {
    /// Keys of the VMAs that go.
    old: Vec<u64>,
    /// The VMAs that come, in order, merged among themselves.
    new: Vec<Piece>,
}

/// All VMAs of one address space.
#[derive(Clone, Debug)]
pub struct VmaMap {
    /// By first byte. Ranges are disjoint, and no two neighbours could be merged into one.
    vmas: BTreeMap<u64, Piece>,
    /// Each sum equals the sum of the lengths of the VMAs in `vmas` that it counts.
    usage: Usage,
    /// The highest that `usage.total` ever was.
    peak: u64,
    /// Grows with each change, so that an older view of the map can be told from a fresh one.
    generation: u64,
    /// `vm.max_map_count`. `vmas` may be one longer, as Linux's mmap(2) checks before it adds.
    max_vmas: usize,
    /// End of what may be mapped.
    end: u64,
    /// What the last search for a hole from the top has found out.
    packed: Cell<Packed>,
}

impl Default for VmaMap {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_VMAS, TASK_SIZE)
    }
}

impl VmaMap {
    /// An empty map for up to `max_vmas` VMAs below `end`.
    pub const fn new(max_vmas: usize, end: u64) -> Self {
        let usage = Usage { total: 0, locked: 0, data: 0, stack: 0, code: 0 };
        Self { vmas: BTreeMap::new(), usage, peak: 0, generation: 0, max_vmas, end, packed: Cell::new(Packed::NOTHING) }
    }

    /// End of what may be mapped, at most [`TASK_SIZE`].
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Number of VMAs.
    pub fn nr_vmas(&self) -> usize {
        self.vmas.len()
    }

    /// Sums over all VMAs.
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// The most bytes that were ever mapped at a time: `VmPeak`.
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// A number that differs after each change.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The VMA that holds `addr`.
    pub fn find(&self, addr: u64) -> Option<(PageRange, &Vma)> {
        self.vmas.range(..=addr).next_back().map(by_ref).filter(|(range, _)| range.contains(addr))
    }

    /// The VMA that holds `addr`, else the next above it (`find_vma`).
    pub fn find_at_or_above(&self, addr: u64) -> Option<(PageRange, &Vma)> {
        self.find(addr).or_else(|| self.vmas.range(addr..).next().map(by_ref))
    }

    /// The highest VMA that ends at or below `addr`.
    pub fn find_below(&self, addr: u64) -> Option<(PageRange, &Vma)> {
        // At most one VMA starts below `addr` and ends above it.
        self.vmas.range(..addr).rev().map(by_ref).find(|(range, _)| range.end() <= addr)
    }

    /// The first VMA that has a page in `range`, with all its pages.
    pub fn find_intersection(&self, range: PageRange) -> Option<(PageRange, &Vma)> {
        self.find_at_or_above(range.start()).filter(|(whole, _)| whole.start() < range.end())
    }

    /// All VMAs in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (PageRange, &Vma)> {
        self.vmas.iter().map(by_ref)
    }

    /// The VMAs that have pages in `range`, in order, each seen through it.
    pub fn iter_range(&self, range: PageRange) -> impl DoubleEndedIterator<Item = VmaPart<'_>> {
        self.vmas.range(self.first_key(range.start())..range.end()).map(by_ref).filter_map(move |(whole, vma)| {
            let range = whole.intersect(range)?;
            Some(VmaPart { range, whole, vma })
        })
    }

    /// Bytes of `range` that VMAs cover.
    pub fn mapped_len(&self, range: PageRange) -> u64 {
        self.iter_range(range).map(|part| part.range.len()).sum()
    }

    /// Has no VMA a page in `range`?
    pub fn is_free(&self, range: PageRange) -> bool {
        self.find_intersection(range).is_none()
    }

    /// Do VMAs cover `range` without a hole?
    pub fn covers_whole(&self, range: PageRange) -> bool {
        self.mapped_len(range) == range.len()
    }

    /// Would mmap(2) take `range` as a hint? It must be free, not too low or high, and outside the guard gap of a stack.
    pub fn accepts_hint(&self, range: PageRange) -> bool {
        range.start() >= MMAP_MIN_ADDR
            && range.end() <= self.end
            && self
                .find_at_or_above(range.start())
                .is_none_or(|(above, vma)| range.end() <= vma.guarded_start(above.start()))
    }

    /// Finds a hole of `len` bytes, rounded up to pages, whose start is a multiple of `align`, a power of two.
    ///
    /// The guard gap below a VMA that grows down is not part of the hole below it. `ENOMEM` if there is none
    /// (`arch_get_unmapped_area_topdown` in the kernel's `arch/x86/kernel/sys_x86_64.c`).
    pub fn find_free(&self, len: u64, align: u64, placement: Placement) -> Result<PageRange, Errno> {
        let len = len.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        let align = align.max(PAGE_SIZE);
        let hole = match placement {
            Placement::TopDown { base } => self
                .highest_hole(len, align, Window { floor: MMAP_MIN_ADDR, limit: base.min(self.end) })
                .or_else(|| self.lowest_hole(len, align, Window { floor: TASK_UNMAPPED_BASE, limit: self.end })),
            Placement::BottomUp { base } => {
                self.lowest_hole(len, align, Window { floor: base.max(MMAP_MIN_ADDR), limit: self.end })
            }
            Placement::Low32Bit => self.lowest_hole(len, align, LOW_32BIT),
        };
        hole.ok_or(Errno::ENOMEM)
    }

    /// May `added` more bytes like `vma` be mapped? (`may_expand_vm` in the kernel's `mm/vma.c`)
    pub fn may_expand(&self, vma: &Vma, added: u64, limits: &Limits) -> bool {
        let fits = |sum: u64, limit: u64| sum.checked_add(added).is_some_and(|sum| sum <= limit);
        // A soft limit of 0 is Valgrind's way to watch the break; Linux then goes by the hard one.
        let data = if limits.data == 0 { limits.data_hard } else { limits.data };
        fits(self.usage.total, limits.address_space) && (!vma.is_data() || fits(self.usage.data, data))
    }

    /// May `added` more bytes be locked? (`mlock_future_ok` in the kernel's `mm/mmap.c`)
    pub fn may_lock(&self, added: u64, limits: &Limits) -> bool {
        self.usage.locked.checked_add(added).is_some_and(|sum| sum <= limits.locked)
    }

    /// Is there room for a call of mmap(2) or brk(2)? Else `ENOMEM`.
    ///
    /// Linux asks before it looks at anything else, so a map that is full refuses even what would merge.
    pub fn check_room(&self) -> Result<(), Errno> {
        if self.vmas.len() > self.max_vmas { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Adds `vma` at `range`, merged with its neighbours where it is the same going on.
    ///
    /// `EEXIST` if the range is not free, `ENOMEM` if [`VmaMap::check_room`] says so.
    pub fn insert(&mut self, range: PageRange, vma: Vma) -> Result<(), Errno> {
        self.check_room()?;
        if !self.is_free(range) {
            return Err(Errno::EEXIST);
        }
        self.commit(self.plan(range, vec![(range, vma)]));
        Ok(())
    }

    /// Removes all pages of `range`, mapped or not, and returns what was there, cut to the range.
    ///
    /// `ENOMEM` if this would split one VMA in two and the map is full (munmap(2)).
    pub fn remove(&mut self, range: PageRange) -> Result<Vec<(PageRange, Vma)>, Errno> {
        let removed = self.pieces(range);
        if !removed.is_empty() {
            let splice = self.plan(range, Vec::new());
            self.check_growth(&splice)?;
            self.commit(splice);
        }
        Ok(removed)
    }

    /// Applies `change` to all VMAs in `range`, cut to it, and merges anew. Holes are skipped.
    ///
    /// This is the bookkeeping of mprotect(2), madvise(2) and mlock(2). `ENOMEM` if it splits VMAs and the map is full.
    pub fn update(&mut self, range: PageRange, mut change: impl FnMut(&mut Vma)) -> Result<(), Errno> {
        let mut pieces = self.pieces(range);
        if pieces.is_empty() {
            return Ok(());
        }
        pieces.iter_mut().for_each(|(_, vma)| change(vma));
        let splice = self.plan(range, pieces);
        self.check_growth(&splice)?;
        self.commit(splice);
        Ok(())
    }

    /// Moves the VMAs of `from` to `to`, backing and offset kept; where `to` is longer, the last one grows.
    ///
    /// This is the bookkeeping of mremap(2), after which `from` is free. Errors: `EINVAL` if the ranges overlap or `to`
    /// is the shorter, `EEXIST` if `to` is not free, `EFAULT` if nothing is mapped at the end of `from`, and `ENOMEM`
    /// if the map is nearly full (`move_vma` in the kernel's `mm/mremap.c`).
    pub fn move_range(&mut self, from: PageRange, to: PageRange) -> Result<(), Errno> {
        if from.overlaps(to) || to.len() < from.len() {
            return Err(Errno::EINVAL);
        }
        if self.vmas.len() + MOVE_RESERVE >= self.max_vmas {
            return Err(Errno::ENOMEM);
        }
        if !self.is_free(to) {
            return Err(Errno::EEXIST);
        }
        let moved = self.moved_pieces(from, to).ok_or(Errno::EFAULT)?;
        self.commit(self.plan(from, Vec::new()));
        self.commit(self.plan(to, moved));
        Ok(())
    }

    /// The pages that a touch of `addr` would add to the VMA above it, and that VMA; nothing is changed yet.
    ///
    /// `EFAULT` if `addr` is mapped or what is above does not grow down, `EPERM` below [`MMAP_MIN_ADDR`], `ENOMEM` if
    /// a limit or the guard gap forbids it (`expand_downwards` and `acct_stack_growth` in the kernel's `mm/vma.c`).
    pub fn stack_growth(&self, addr: u64, limits: &Limits) -> Result<(PageRange, &Vma), Errno> {
        let (whole, vma) = self.find_at_or_above(addr).ok_or(Errno::EFAULT)?;
        if !vma.grows_down() || vma.backing != Backing::Anonymous {
            return Err(Errno::EFAULT);
        }
        let start = UserAddr::new(addr).page_floor().raw();
        let added = PageRange::new(start, whole.start()).ok_or(Errno::EFAULT)?;
        if start < MMAP_MIN_ADDR {
            return Err(Errno::EPERM);
        }
        let is_within_limits = self.may_expand(vma, added.len(), limits)
            && whole.end() - start <= limits.stack
            && (!vma.flags.contains(VmaFlags::LOCKED) || self.may_lock(added.len(), limits));
        if is_within_limits && self.keeps_guard_gap(start) { Ok((added, vma)) } else { Err(Errno::ENOMEM) }
    }

    /// Extends the VMA above `addr` down to it and returns the added pages; errors as [`VmaMap::stack_growth`].
    pub fn grow_down(&mut self, addr: u64, limits: &Limits) -> Result<PageRange, Errno> {
        let (added, vma) = self.stack_growth(addr, limits)?;
        self.commit(self.plan(added, vec![(added, vma.clone())]));
        Ok(added)
    }

    /// Is `start` far enough from the VMA below for a stack to reach it? Other stacks and guard pages need no gap.
    fn keeps_guard_gap(&self, start: u64) -> bool {
        self.find_below(start).is_none_or(|(below, vma)| {
            vma.grows_down() || !vma.is_accessible() || start - below.end() >= STACK_GUARD_GAP
        })
    }

    /// The highest place in `window` for `len` bytes.
    fn highest_hole(&self, len: u64, align: u64, window: Window) -> Option<PageRange> {
        let packed = self.packed.get();
        let start = packed.start(window.limit, len);
        let above = self.vmas.range(start..).next().map(by_ref);
        let mut limit = above.map_or(start, |(above, vma)| vma.guarded_start(above.start()).min(start));
        let mut longest = 0;
        for (below, vma) in self.vmas.range(..start).rev().map(by_ref) {
            let hole = Window { floor: below.end().max(window.floor), limit };
            if let Some(found) = hole.place_high(len, align) {
                self.packed.set(packed.after_search(window.limit, start, limit, longest));
                return Some(found);
            }
            longest = longest.max(hole.limit.saturating_sub(hole.floor));
            if below.start() <= window.floor {
                return None;
            }
            limit = vma.guarded_start(below.start());
        }
        Window { floor: window.floor, limit }.place_high(len, align)
    }

    /// The lowest place in `window` for `len` bytes.
    fn lowest_hole(&self, len: u64, align: u64, window: Window) -> Option<PageRange> {
        let mut floor = window.floor;
        for (above, vma) in self.vmas.range(self.first_key(floor)..).map(by_ref) {
            let hole = Window { floor, limit: vma.guarded_start(above.start()).min(window.limit) };
            if let Some(found) = hole.place_low(len, align) {
                return Some(found);
            }
            floor = above.end();
            if floor >= window.limit {
                return None;
            }
        }
        Window { floor, limit: window.limit }.place_low(len, align)
    }

    /// Key of the VMA that holds `addr`; `addr` itself if none does.
    fn first_key(&self, addr: u64) -> u64 {
        self.find(addr).map_or(addr, |(whole, _)| whole.start())
    }

    /// The VMAs in `range`, cut to it.
    fn pieces(&self, range: PageRange) -> Vec<Piece> {
        self.iter_range(range).map(|part| (part.range, part.to_vma())).collect()
    }

    /// The VMAs of `from` as they will stand in `to`, or `None` if nothing is mapped at the end of `from`.
    fn moved_pieces(&self, from: PageRange, to: PageRange) -> Option<Vec<Piece>> {
        let mut moved = self.pieces(from);
        let last_end = moved.last()?.0.end();
        for (range, vma) in &mut moved {
            let extra = if range.end() == last_end { to.len() - from.len() } else { 0 };
            let start = to.start() + (range.start() - from.start());
            *range = PageRange::new(start, start + range.len() + extra)?;
            // Linux names heap and stack by where they are, not by what they are (`show_map_vma`).
            if matches!(vma.name, VmaName::Heap | VmaName::Stack) {
                vma.name = VmaName::None;
            }
        }
        (last_end == from.end()).then_some(moved)
    }

    /// The change that leaves exactly `middle` within `range`, merged with what touches it on either side.
    fn plan(&self, range: PageRange, middle: Vec<Piece>) -> Splice {
        let head = self.vmas.range(..range.start()).next_back().map(by_ref);
        let head = head.filter(|(whole, _)| whole.end() >= range.start());
        let tail = self.vmas.range(..=range.end()).next_back().map(by_ref);
        let before = head.and_then(|(whole, vma)| {
            let kept = PageRange::new(whole.start(), range.start())?;
            Some((kept, vma.clone()))
        });
        let after = tail.and_then(|(whole, vma)| {
            let kept = PageRange::new(range.end(), whole.end())?;
            Some((kept, vma.skip(kept.start() - whole.start())))
        });
        let first = before.as_ref().map_or_else(|| range.start(), |(kept, _)| kept.start());
        Splice {
            old: self.vmas.range(first..=range.end()).map(|(&start, _)| start).collect(),
            new: merge(before.into_iter().chain(middle).chain(after)),
        }
    }

    /// Refuses a change that adds VMAs beyond the limit (`split_vma` in the kernel's `mm/vma.c`).
    fn check_growth(&self, splice: &Splice) -> Result<(), Errno> {
        let nr_after = self.vmas.len() - splice.old.len() + splice.new.len();
        if nr_after > self.max_vmas && nr_after > self.vmas.len() { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Makes a change that [`VmaMap::plan`] has computed from the map as it is now.
    fn commit(&mut self, splice: Splice) {
        let mut changed: Vec<PageRange> = splice.new.iter().map(|(range, _)| *range).collect();
        for start in splice.old {
            if let Some((range, vma)) = self.vmas.remove(&start) {
                self.usage.subtract(range, &vma);
                changed.push(range);
            }
        }
        for (range, vma) in splice.new {
            self.usage.add(range, &vma);
            self.vmas.insert(range.start(), (range, vma));
        }
        changed.into_iter().for_each(|range| self.note_holes(range));
        self.peak = self.peak.max(self.usage.total);
        self.generation += 1;
        self.debug_validate();
    }

    /// Tells the search for holes of those that a change at `range` may have made or widened: where something has gone, and
    /// where something stands in the guard gap of what is above.
    fn note_holes(&mut self, range: PageRange) {
        let above = self.find_at_or_above(range.end());
        let is_in_gap = above.is_some_and(|(above, vma)| vma.guarded_start(above.start()) < above.start());
        if self.covers_whole(range) && !is_in_gap {
            return;
        }
        let floor = self.find_below(range.start()).map_or(0, |(below, _)| below.end());
        let limit = above.map_or(self.end, |(above, _)| above.start());
        self.packed.get_mut().after_removal(limit, limit.saturating_sub(floor));
    }

    /// In debug builds, panics if an invariant of the fields does not hold. Each change ends with this.
    pub fn debug_validate(&self) {
        if !cfg!(debug_assertions) || self.vmas.len() > VALIDATED_VMAS {
            return;
        }
        let mut usage = Usage::default();
        for (start, (range, vma)) in &self.vmas {
            assert_eq!(*start, range.start(), "the key is the first byte");
            usage.add(*range, vma);
        }
        assert_eq!(self.usage, usage, "sums are those of the VMAs");
        for ((range, vma), (next_range, next)) in self.iter().zip(self.iter().skip(1)) {
            assert!(range.end() <= next_range.start(), "{range:?} overlaps {next_range:?}");
            let is_mergeable = range.end() == next_range.start() && vma.continues_as(range.len(), next);
            assert!(!is_mergeable, "{range:?} goes on as {next_range:?}");
        }
    }
}

/// A map entry as lookups return it.
const fn by_ref<'a>((_, (range, vma)): (&'a u64, &'a Piece)) -> (PageRange, &'a Vma) {
    (*range, vma)
}

/// Joins neighbours that are one VMA going on.
fn merge(pieces: impl IntoIterator<Item = Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::new();
    for (range, vma) in pieces {
        if let Some((last_range, last)) = merged.last_mut()
            && last_range.end() == range.start()
            && last.continues_as(last_range.len(), &vma)
            && let Some(joined) = PageRange::new(last_range.start(), range.end())
        {
            *last_range = joined;
        } else {
            merged.push((range, vma));
        }
    }
    merged
}

#[cfg(test)]
#[path = "vma_tests.rs"]
mod tests;
