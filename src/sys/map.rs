//! Host memory mappings by number: mmap(2) and its family on address ranges that are not Rust's.

#![expect(unsafe_code, reason = "changes host mappings")]

use std::io;

use super::copy::Hva;
use crate::abi::Errno;

fn check(result: libc::c_int) -> Result<(), Errno> {
    if result == 0 { Ok(()) } else { Err(Errno::last_os_error()) }
}

fn pointer(hva: Hva) -> *mut libc::c_void {
    std::ptr::without_provenance_mut(usize::try_from(hva).unwrap_or(usize::MAX))
}

fn bytes(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Reserves `len` bytes of address space: inaccessible, not counted as memory.
pub fn reserve(len: u64) -> io::Result<Hva> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes(len), libc::PROT_NONE, flags, -1, 0) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at.addr() as u64) }
}

/// Gives back part of a reservation.
///
/// # Safety
/// The range must be a reservation of the caller's that nothing refers to.
pub unsafe fn release(hva: Hva, len: u64) {
    // SAFETY: the caller owns the range.
    let _ = unsafe { libc::munmap(pointer(hva), bytes(len)) };
}

/// Maps over `[hva, hva + len)`, with the flags and protection of mmap(2) as the kernel's numbers.
///
/// # Safety
/// The range must lie in the arena.
pub unsafe fn map_fixed(hva: Hva, len: u64, prot: i32, flags: i32, fd: i32, offset: i64) -> Result<(), Errno> {
    // SAFETY: the caller owns the range, so what is replaced is not Rust's.
    let at = unsafe { libc::mmap(pointer(hva), bytes(len), prot, flags | libc::MAP_FIXED, fd, offset) };
    if at == libc::MAP_FAILED { Err(Errno::last_os_error()) } else { Ok(()) }
}

/// mprotect(2).
pub fn protect(hva: Hva, len: u64, prot: i32) -> Result<(), Errno> {
    // SAFETY: callers pass arena ranges; Rust holds no reference into them, and copies recover from faults.
    check(unsafe { libc::mprotect(pointer(hva), bytes(len), prot) })
}

/// madvise(2).
pub fn advise(hva: Hva, len: u64, advice: i32) -> Result<(), Errno> {
    // SAFETY: as for `protect`.
    check(unsafe { libc::madvise(pointer(hva), bytes(len), advice) })
}

/// Drops the pages of a private anonymous range: it reads as zeros afterwards, and every vCPU has lost its
/// translations.
pub fn discard(hva: Hva, len: u64) -> io::Result<()> {
    advise(hva, len, libc::MADV_DONTNEED).map_err(|errno| io::Error::from_raw_os_error(errno.as_positive()))
}

/// msync(2).
pub fn sync(hva: Hva, len: u64, flags: i32) -> Result<(), Errno> {
    // SAFETY: writes back pages, changes no memory.
    check(unsafe { libc::msync(pointer(hva), bytes(len), flags) })
}

/// mlock2(2), or mlock(2) with no flags.
pub fn lock(hva: Hva, len: u64, flags: u32) -> Result<(), Errno> {
    // SAFETY: makes pages resident, changes no contents.
    check(unsafe { libc::mlock2(pointer(hva), bytes(len), flags) })
}

/// munlock(2).
pub fn unlock(hva: Hva, len: u64) -> Result<(), Errno> {
    // SAFETY: changes no contents.
    check(unsafe { libc::munlock(pointer(hva), bytes(len)) })
}

/// mincore(2): one byte a page into `vector`, whose length gives the number of pages.
pub fn resident(hva: Hva, vector: &mut [u8]) -> Result<(), Errno> {
    let len = vector.len() * 4096;
    // SAFETY: the kernel writes one byte for each of the `len / 4096` pages.
    check(unsafe { libc::mincore(pointer(hva), len, vector.as_mut_ptr()) })
}

/// mremap(2) to a fixed place, with flags besides MAYMOVE and FIXED.
///
/// # Safety
/// Both ranges must lie in the arena or in a reservation of the caller's.
pub unsafe fn remap(from: Hva, old_len: u64, to: Hva, new_len: u64, flags: i32) -> Result<(), Errno> {
    let flags = flags | libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller owns both ranges.
    let at = unsafe { libc::mremap(pointer(from), bytes(old_len), bytes(new_len), flags, pointer(to)) };
    if at == libc::MAP_FAILED { Err(Errno::last_os_error()) } else { Ok(()) }
}

/// shmat(2) at an address of the kernel's choice.
pub fn attach(id: i32, flags: i32) -> Result<Hva, Errno> {
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let at = unsafe { libc::shmat(id, std::ptr::null(), flags) };
    if at == libc::MAP_FAILED { Err(Errno::last_os_error()) } else { Ok(at.addr() as u64) }
}

/// shmdt(2) of what [`attach`] returned; nothing happens if it is no longer there.
pub fn detach(hva: Hva) {
    // SAFETY: the kernel unmaps what it knows as an attachment that starts there, and Rust has no reference into it.
    let _ = unsafe { libc::shmdt(pointer(hva)) };
}

/// Bytes of a System V segment (shmctl(2) with `IPC_STAT`).
pub fn segment_len(id: i32) -> Result<u64, Errno> {
    let mut status = std::mem::MaybeUninit::<libc::shmid_ds>::zeroed();
    // SAFETY: the kernel fills the structure.
    check(unsafe { libc::shmctl(id, libc::IPC_STAT, status.as_mut_ptr()) })?;
    // SAFETY: all bytes are numbers, and were zeroed first.
    Ok(unsafe { status.assume_init() }.shm_segsz as u64)
}
