//! Writing files back, and advice about them (the kernel's `fs/sync.c`, `mm/fadvise.c`, `mm/filemap.c`).

use super::arg::Fd;
use super::host::args;
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;

/// Number of cachestat(2), which libc does not know.
const SYS_CACHESTAT: i64 = 451;

pub(super) fn sys_sync(task: &mut Task) -> Result<u64, Errno> {
    task.host(libc::SYS_sync, args![])
}

pub(super) fn sys_syncfs(task: &mut Task, fd: Fd) -> Result<u64, Errno> {
    task.host(libc::SYS_syncfs, args![fd])
}

pub(super) fn sys_fsync(task: &mut Task, fd: Fd) -> Result<u64, Errno> {
    task.host(libc::SYS_fsync, args![fd])
}

pub(super) fn sys_fdatasync(task: &mut Task, fd: Fd) -> Result<u64, Errno> {
    task.host(libc::SYS_fdatasync, args![fd])
}

pub(super) fn sys_sync_file_range(task: &mut Task, fd: Fd, offset: i64, len: i64, flags: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_sync_file_range, args![fd, offset, len, flags])
}

pub(super) fn sys_readahead(task: &mut Task, fd: Fd, offset: i64, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_readahead, args![fd, offset, len])
}

pub(super) fn sys_fadvise64(task: &mut Task, fd: Fd, offset: i64, len: u64, advice: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_fadvise64, args![fd, offset, len, advice])
}

/// `struct cachestat_range` is two words, `struct cachestat` five.
pub(super) fn sys_cachestat(
    task: &mut Task,
    fd: Fd,
    range: UserPtr<[u64; 2]>,
    counts: UserPtr<[u64; 5]>,
    flags: u32,
) -> Result<u64, Errno> {
    task.host(SYS_CACHESTAT, args![fd, range, counts, flags])
}
