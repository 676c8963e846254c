//! What files and file systems are like (the kernel's `fs/stat.c`, `fs/statfs.c`, `fs/file_attr.c`).

use super::arg::{AtFlags, Fd, Hex, PathPtr};
use super::host::{HostArg, args};
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::proc::Task;

/// Numbers that libc does not know.
const SYS_FILE_GETATTR: i64 = 468;
const SYS_FILE_SETATTR: i64 = 469;

/// `struct ustat` of the kernel's `include/linux/types.h`.
type Ustat = [u64; 4];

pub(super) fn sys_stat(task: &mut Task, path: PathPtr, to: UserPtr<libc::stat>) -> Result<u64, Errno> {
    task.host(libc::SYS_stat, args![&task.path(path), to])
}

pub(super) fn sys_lstat(task: &mut Task, path: PathPtr, to: UserPtr<libc::stat>) -> Result<u64, Errno> {
    task.host(libc::SYS_lstat, args![&task.path(path), to])
}

pub(super) fn sys_fstat(task: &mut Task, fd: Fd, to: UserPtr<libc::stat>) -> Result<u64, Errno> {
    task.host(libc::SYS_fstat, args![fd, to])
}

pub(super) fn sys_newfstatat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    to: UserPtr<libc::stat>,
    flags: AtFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_newfstatat, args![dir, &task.path_at(dir, path), to, flags.0])
}

pub(super) fn sys_statx(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: AtFlags,
    mask: Hex,
    to: UserPtr<libc::statx>,
) -> Result<u64, Errno> {
    task.host(libc::SYS_statx, args![dir, &task.path_at(dir, path), flags.0, mask.0, to])
}

pub(super) fn sys_statfs(task: &mut Task, path: PathPtr, to: UserPtr<libc::statfs>) -> Result<u64, Errno> {
    task.host(libc::SYS_statfs, args![&task.path(path), to])
}

pub(super) fn sys_fstatfs(task: &mut Task, fd: Fd, to: UserPtr<libc::statfs>) -> Result<u64, Errno> {
    task.host(libc::SYS_fstatfs, args![fd, to])
}

pub(super) fn sys_ustat(task: &mut Task, device: u32, to: UserPtr<Ustat>) -> Result<u64, Errno> {
    task.host(libc::SYS_ustat, args![device, to])
}

pub(super) fn sys_file_getattr(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    to: UserAddr,
    len: u64,
    flags: AtFlags,
) -> Result<u64, Errno> {
    let attr = HostArg::Guest(to, len.min(PAGE_SIZE));
    task.host(SYS_FILE_GETATTR, args![dir, &task.path(path), attr, len, flags.0])
}

pub(super) fn sys_file_setattr(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    from: UserAddr,
    len: u64,
    flags: AtFlags,
) -> Result<u64, Errno> {
    let attr = HostArg::Guest(from, len.min(PAGE_SIZE));
    task.host(SYS_FILE_SETATTR, args![dir, &task.path(path), attr, len, flags.0])
}
