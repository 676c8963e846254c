//! Mode, owner and times of files (the kernel's `fs/open.c`, `fs/utimes.c`).

use super::arg::{AtFlags, Fd, Mode, PathPtr};
use super::host::args;
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;

pub(super) fn sys_chmod(task: &mut Task, path: PathPtr, mode: Mode) -> Result<u64, Errno> {
    task.host(libc::SYS_chmod, args![&task.path(path), mode.0])
}

pub(super) fn sys_fchmod(task: &mut Task, fd: Fd, mode: Mode) -> Result<u64, Errno> {
    task.host(libc::SYS_fchmod, args![fd, mode.0])
}

pub(super) fn sys_fchmodat(task: &mut Task, dir: Fd, path: PathPtr, mode: Mode) -> Result<u64, Errno> {
    task.host(libc::SYS_fchmodat, args![dir, &task.path(path), mode.0])
}

pub(super) fn sys_fchmodat2(task: &mut Task, dir: Fd, path: PathPtr, mode: Mode, flags: AtFlags) -> Result<u64, Errno> {
    task.host(libc::SYS_fchmodat2, args![dir, &task.path(path), mode.0, flags.0])
}

// Owners are shown as signed numbers: -1 leaves what is.

pub(super) fn sys_chown(task: &mut Task, path: PathPtr, user: i32, group: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_chown, args![&task.path(path), user, group])
}

pub(super) fn sys_lchown(task: &mut Task, path: PathPtr, user: i32, group: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_lchown, args![&task.path(path), user, group])
}

pub(super) fn sys_fchown(task: &mut Task, fd: Fd, user: i32, group: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_fchown, args![fd, user, group])
}

pub(super) fn sys_fchownat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    user: i32,
    group: i32,
    flags: AtFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_fchownat, args![dir, &task.path(path), user, group, flags.0])
}

pub(super) fn sys_utime(task: &mut Task, path: PathPtr, times: UserPtr<libc::utimbuf>) -> Result<u64, Errno> {
    task.host(libc::SYS_utime, args![&task.path(path), times])
}

pub(super) fn sys_utimes(task: &mut Task, path: PathPtr, times: UserPtr<[libc::timeval; 2]>) -> Result<u64, Errno> {
    task.host(libc::SYS_utimes, args![&task.path(path), times])
}

pub(super) fn sys_futimesat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    times: UserPtr<[libc::timeval; 2]>,
) -> Result<u64, Errno> {
    task.host(libc::SYS_futimesat, args![dir, &task.path(path), times])
}

pub(super) fn sys_utimensat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    times: UserPtr<[libc::timespec; 2]>,
    flags: AtFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_utimensat, args![dir, &task.path(path), times, flags.0])
}
