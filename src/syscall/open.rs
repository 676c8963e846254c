//! Opening and closing files, their length and their lookup by handle (the kernel's `fs/open.c`, `fs/file.c`,
//! `fs/fhandle.c`).

use super::arg::{AccessBits, AtFlags, CloseRangeFlags, FallocateFlags, Fd, LockBits, Mode, OpenFlags, PathPtr};
use super::host::{HostArg, args};
use super::process::before_unsharing_descriptors;
use super::{cpuinfo, m5ops, procfs};
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::proc::Task;
use crate::sys::descriptor::guest_limit;

/// Longest `struct file_handle`: two words and `MAX_HANDLE_SZ` bytes.
const FILE_HANDLE_LEN: u64 = 8 + 128;

pub(super) fn sys_open(task: &mut Task, path: PathPtr, flags: OpenFlags, mode: Mode) -> Result<u64, Errno> {
    if let Some(made) = m5ops::open(task, path, flags.0).or_else(|| cpuinfo::open(task, path, flags.0)) {
        return made;
    }
    let fd = task.host(libc::SYS_open, args![&task.path(path), flags.0, mode.0])?;
    opened(task, fd)
}

pub(super) fn sys_openat(task: &mut Task, dir: Fd, path: PathPtr, flags: OpenFlags, mode: Mode) -> Result<u64, Errno> {
    if let Some(made) = m5ops::open(task, path, flags.0).or_else(|| cpuinfo::open(task, path, flags.0)) {
        return made;
    }
    let fd = task.host(libc::SYS_openat, args![dir, &task.path_at(dir, path), flags.0, mode.0])?;
    opened(task, fd)
}

pub(super) fn sys_openat2(task: &mut Task, dir: Fd, path: PathPtr, how: UserAddr, how_len: u64) -> Result<u64, Errno> {
    let how = HostArg::Guest(how, how_len.min(PAGE_SIZE));
    let fd = task.host(libc::SYS_openat2, args![dir, &task.path_at(dir, path), how, how_len])?;
    opened(task, fd)
}

pub(super) fn sys_creat(task: &mut Task, path: PathPtr, mode: Mode) -> Result<u64, Errno> {
    let fd = task.host(libc::SYS_creat, args![&task.path(path), mode.0])?;
    opened(task, fd)
}

pub(super) fn sys_name_to_handle_at(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    handle: UserAddr,
    mount_id: UserPtr<u64>,
    flags: AtFlags,
) -> Result<u64, Errno> {
    let handle = HostArg::Guest(handle, FILE_HANDLE_LEN);
    task.host(libc::SYS_name_to_handle_at, args![dir, &task.path_at(dir, path), handle, mount_id, flags.0])
}

pub(super) fn sys_open_by_handle_at(
    task: &mut Task,
    mount: Fd,
    handle: UserAddr,
    flags: OpenFlags,
) -> Result<u64, Errno> {
    let handle = HostArg::Guest(handle, FILE_HANDLE_LEN);
    let fd = task.host(libc::SYS_open_by_handle_at, args![mount, handle, flags.0])?;
    opened(task, fd)
}

/// What the guest gets of a file that was just opened for it.
fn opened(task: &Task, fd: u64) -> Result<u64, Errno> {
    if let Err(errno) = procfs::note_opened(task, fd) {
        task.missing(format_args!("/proc/PID/mem of a process that kvm-se runs"));
        task.host(libc::SYS_close, args![fd])?;
        return Err(errno);
    }
    Ok(fd)
}

pub(super) fn sys_close(task: &mut Task, fd: Fd) -> Result<u64, Errno> {
    task.host(libc::SYS_close, args![fd])
}

/// The runner's descriptors are no part of any range.
pub(super) fn sys_close_range(task: &mut Task, first: u32, last: u32, flags: CloseRangeFlags) -> Result<u64, Errno> {
    const KNOWN: u32 = libc::CLOSE_RANGE_UNSHARE | libc::CLOSE_RANGE_CLOEXEC;
    if flags.0 & !KNOWN != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    if flags.0 & libc::CLOSE_RANGE_UNSHARE != 0 {
        before_unsharing_descriptors(task);
    }
    let end = guest_limit().cast_unsigned();
    if first < end {
        return task.host(libc::SYS_close_range, args![first, last.min(end - 1), flags.0]);
    }
    if flags.0 & libc::CLOSE_RANGE_UNSHARE != 0 {
        return task.host(libc::SYS_unshare, args![libc::CLONE_FILES]);
    }
    Ok(0)
}

pub(super) fn sys_truncate(task: &mut Task, path: PathPtr, len: i64) -> Result<u64, Errno> {
    task.host(libc::SYS_truncate, args![&task.path(path), len])
}

pub(super) fn sys_ftruncate(task: &mut Task, fd: Fd, len: i64) -> Result<u64, Errno> {
    task.host(libc::SYS_ftruncate, args![fd, len])
}

pub(super) fn sys_fallocate(
    task: &mut Task,
    fd: Fd,
    mode: FallocateFlags,
    offset: i64,
    len: i64,
) -> Result<u64, Errno> {
    task.host(libc::SYS_fallocate, args![fd, mode.0, offset, len])
}

pub(super) fn sys_flock(task: &mut Task, fd: Fd, operation: LockBits) -> Result<u64, Errno> {
    task.host(libc::SYS_flock, args![fd, operation.0])
}

pub(super) fn sys_access(task: &mut Task, path: PathPtr, mode: AccessBits) -> Result<u64, Errno> {
    task.host(libc::SYS_access, args![&task.path(path), mode.0])
}

pub(super) fn sys_faccessat(task: &mut Task, dir: Fd, path: PathPtr, mode: AccessBits) -> Result<u64, Errno> {
    task.host(libc::SYS_faccessat, args![dir, &task.path_at(dir, path), mode.0])
}

pub(super) fn sys_faccessat2(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    mode: AccessBits,
    flags: AtFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_faccessat2, args![dir, &task.path_at(dir, path), mode.0, flags.0])
}
