//! mmap(2) and its family.

use super::arg::{Fd, Hex, MapBits, ProtBits, RemapBits, SyncBits};
use crate::abi::mman::{MapFlags, Prot};
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr};
use crate::mm::vma::VmaName;
use crate::mm::{MapRequest, Where};
use crate::proc::Task;

/// Flags that MAP_SHARED and MAP_PRIVATE accept silently (`LEGACY_MAP_MASK` in `include/linux/mman.h`); the others
/// mean something to MAP_SHARED_VALIDATE alone.
const LEGACY: MapFlags = MapFlags::SHARED
    .union(MapFlags::PRIVATE)
    .union(MapFlags::FIXED)
    .union(MapFlags::ANONYMOUS)
    .union(MapFlags::DENYWRITE)
    .union(MapFlags::EXECUTABLE)
    .union(MapFlags::GROWSDOWN)
    .union(MapFlags::LOCKED)
    .union(MapFlags::NORESERVE)
    .union(MapFlags::POPULATE)
    .union(MapFlags::NONBLOCK)
    .union(MapFlags::STACK)
    .union(MapFlags::HUGETLB)
    .union(MapFlags::BIT32);

/// Bits of the huge page size.
const HUGE_SIZE: u64 = 0x3f << 26;

pub(super) fn sys_mmap(
    task: &mut Task,
    addr: UserAddr,
    len: u64,
    prot: ProtBits,
    bits: MapBits,
    fd: i32,
    offset: Hex,
) -> Result<UserAddr, Errno> {
    let offset = offset.0;
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let flags = bits.flags();
    let is_anonymous = flags.contains(MapFlags::ANONYMOUS);
    let fd = if is_anonymous { None } else { Some(<Fd as super::arg::Arg>::decode(i64::from(fd).cast_unsigned())?) };
    let file = match &fd {
        Some(fd) => {
            let fd = fd.borrow()?;
            nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFD)?;
            Some((fd, offset))
        }
        None => None,
    };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    check_type(bits, flags, is_anonymous)?;
    check_huge(task, bits, flags, is_anonymous)?;
    let is_window = super::m5ops::is_window(task, file);
    let request = MapRequest {
        place: place(addr, flags),
        len,
        // Each access to the window of m5ops is a fault, which executes one.
        prot: if is_window { Prot::empty() } else { prot.prot() },
        flags: normal_type(flags),
        file,
        name: if is_window { VmaName::M5ops } else { VmaName::None },
    };
    let start = task.process.mm.map(&request)?;
    if request.prot.contains(Prot::EXEC)
        && let (Some((fd, offset)), Some(range)) = (file, PageRange::around(start, len))
    {
        task.process.stop_in_code(range, fd, offset);
    }
    if let Some(sampling) = &task.process.sampling
        && request.prot.contains(Prot::EXEC)
        && let Some(range) = PageRange::around(start, len)
    {
        sampling.note_mapping(range, file);
    }
    Ok(start)
}

/// Sharing must be said, and MAP_SHARED_VALIDATE refuses what it does not know.
fn check_type(bits: MapBits, flags: MapFlags, is_anonymous: bool) -> Result<(), Errno> {
    let kind = flags & MapFlags::SHARED_VALIDATE;
    if kind.is_empty() {
        return Err(Errno::EINVAL);
    }
    if kind != MapFlags::SHARED_VALIDATE {
        return Ok(());
    }
    if is_anonymous {
        // There is no driver to validate anything.
        return Err(Errno::EINVAL);
    }
    let known = LEGACY | MapFlags::FIXED_NOREPLACE;
    let unknown = bits.0 & !u64::from(known.bits()) & !HUGE_SIZE;
    if unknown == 0 { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

/// There are no huge pages to be had, as on a host that has reserved none (`hugetlb_file_setup`).
fn check_huge(task: &Task, bits: MapBits, flags: MapFlags, is_anonymous: bool) -> Result<(), Errno> {
    /// Logarithms of the sizes that x86-64 has; 0 is the default one.
    const SIZES: [u64; 3] = [0, 21, 30];
    if !flags.contains(MapFlags::HUGETLB) || !is_anonymous {
        return Ok(());
    }
    task.missing(format_args!("mmap with MAP_HUGETLB"));
    if SIZES.contains(&((bits.0 & HUGE_SIZE) >> HUGE_SIZE.trailing_zeros())) {
        Err(Errno::ENOMEM)
    } else {
        Err(Errno::EINVAL)
    }
}

fn normal_type(flags: MapFlags) -> MapFlags {
    if flags.contains(MapFlags::SHARED_VALIDATE) { flags - MapFlags::PRIVATE } else { flags }
}

fn place(addr: UserAddr, flags: MapFlags) -> Where {
    if flags.contains(MapFlags::FIXED_NOREPLACE) {
        Where::FixedFree(addr)
    } else if flags.contains(MapFlags::FIXED) {
        Where::Fixed(addr)
    } else if flags.contains(MapFlags::BIT32) {
        Where::Low32Bit
    } else {
        Where::Hint(addr)
    }
}

pub(super) fn sys_munmap(task: &mut Task, addr: UserAddr, len: u64) -> Result<(), Errno> {
    task.process.mm.unmap(addr, len)
}

pub(super) fn sys_mprotect(task: &mut Task, addr: UserAddr, len: u64, prot: ProtBits) -> Result<(), Errno> {
    const GROWS_DOWN: u64 = libc::PROT_GROWSDOWN as u64;
    const GROWS_UP: u64 = libc::PROT_GROWSUP as u64;
    const GROWS: u64 = GROWS_DOWN | GROWS_UP;
    /// Accepted and meaningless on x86.
    const PROT_SEM: u64 = 8;
    if prot.0 & GROWS == GROWS || prot.0 & !(GROWS | PROT_SEM | u64::from(Prot::all().bits())) != 0 {
        return Err(Errno::EINVAL);
    }
    if prot.0 & GROWS_UP != 0 {
        // No mapping grows up on x86.
        return Err(Errno::EINVAL);
    }
    task.process.mm.protect(addr, len, prot.prot(), prot.0 & GROWS_DOWN != 0)
}

pub(super) fn sys_mremap(
    task: &mut Task,
    old: UserAddr,
    old_len: u64,
    new_len: u64,
    flags: RemapBits,
    new: UserAddr,
) -> Result<UserAddr, Errno> {
    let flags = flags.flags().ok_or(Errno::EINVAL)?;
    task.process.mm.remap(old, old_len, new_len, flags, new)
}

pub(super) fn sys_brk(task: &mut Task, addr: UserAddr) -> u64 {
    task.process.mm.set_brk(addr.raw())
}

pub(super) fn sys_madvise(task: &mut Task, addr: UserAddr, len: u64, advice: i32) -> Result<(), Errno> {
    task.process.mm.advise(addr, len, advice)
}

pub(super) fn sys_msync(task: &mut Task, addr: UserAddr, len: u64, flags: SyncBits) -> Result<(), Errno> {
    const KNOWN: i32 = libc::MS_ASYNC | libc::MS_INVALIDATE | libc::MS_SYNC;
    const BOTH: i32 = libc::MS_ASYNC | libc::MS_SYNC;
    if flags.0 & !KNOWN != 0 || flags.0 & BOTH == BOTH {
        return Err(Errno::EINVAL);
    }
    task.process.mm.sync(addr, len, flags.0)
}

pub(super) fn sys_mincore(task: &mut Task, addr: UserAddr, len: u64, vector: UserAddr) -> Result<(), Errno> {
    task.process.mm.resident(addr, len, vector)
}

pub(super) fn sys_mlock(task: &mut Task, addr: UserAddr, len: u64) -> Result<(), Errno> {
    task.process.mm.lock_pages(addr, len, false)
}

pub(super) fn sys_mlock2(task: &mut Task, addr: UserAddr, len: u64, flags: u32) -> Result<(), Errno> {
    const MLOCK_ONFAULT: u32 = 1;
    if flags & !MLOCK_ONFAULT != 0 {
        return Err(Errno::EINVAL);
    }
    task.process.mm.lock_pages(addr, len, flags == MLOCK_ONFAULT)
}

pub(super) fn sys_munlock(task: &mut Task, addr: UserAddr, len: u64) -> Result<(), Errno> {
    task.process.mm.unlock_pages(addr, len)
}

pub(super) fn sys_mlockall(task: &mut Task, flags: i32) -> Result<(), Errno> {
    const KNOWN: i32 = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    if flags & !KNOWN != 0 || flags == 0 || flags == libc::MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    let has = |flag| flags & flag != 0;
    task.process.mm.lock_all(has(libc::MCL_CURRENT), has(libc::MCL_FUTURE), has(libc::MCL_ONFAULT))
}

pub(super) fn sys_munlockall(task: &mut Task) -> Result<(), Errno> {
    task.process.mm.lock_all(false, false, false)
}
