//! Names in directories, and the directory that names start from (the kernel's `fs/namei.c`, `fs/open.c`,
//! `fs/d_path.c`).

use super::arg::{AtFlags, BytesOut, Fd, Mode, PathPtr, RenameFlags};
use super::host::{HostArg, args};
use crate::abi::{Errno, UserAddr};
use crate::proc::Task;

pub(super) fn sys_mkdir(task: &mut Task, path: PathPtr, mode: Mode) -> Result<u64, Errno> {
    task.host(libc::SYS_mkdir, args![&task.path(path), mode.0])
}

pub(super) fn sys_mkdirat(task: &mut Task, dir: Fd, path: PathPtr, mode: Mode) -> Result<u64, Errno> {
    task.host(libc::SYS_mkdirat, args![dir, &task.path(path), mode.0])
}

pub(super) fn sys_mknod(task: &mut Task, path: PathPtr, mode: Mode, device: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_mknod, args![&task.path(path), mode.0, device])
}

pub(super) fn sys_mknodat(task: &mut Task, dir: Fd, path: PathPtr, mode: Mode, device: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_mknodat, args![dir, &task.path(path), mode.0, device])
}

pub(super) fn sys_rmdir(task: &mut Task, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_rmdir, args![&task.path(path)])
}

pub(super) fn sys_unlink(task: &mut Task, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_unlink, args![&task.path(path)])
}

pub(super) fn sys_unlinkat(task: &mut Task, dir: Fd, path: PathPtr, flags: AtFlags) -> Result<u64, Errno> {
    task.host(libc::SYS_unlinkat, args![dir, &task.path(path), flags.0])
}

pub(super) fn sys_rename(task: &mut Task, old: PathPtr, new: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_rename, args![&task.path(old), &task.path(new)])
}

pub(super) fn sys_renameat(
    task: &mut Task,
    old_dir: Fd,
    old: PathPtr,
    new_dir: Fd,
    new: PathPtr,
) -> Result<u64, Errno> {
    task.host(libc::SYS_renameat, args![old_dir, &task.path(old), new_dir, &task.path(new)])
}

pub(super) fn sys_renameat2(
    task: &mut Task,
    old_dir: Fd,
    old: PathPtr,
    new_dir: Fd,
    new: PathPtr,
    flags: RenameFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_renameat2, args![old_dir, &task.path(old), new_dir, &task.path(new), flags.0])
}

pub(super) fn sys_link(task: &mut Task, old: PathPtr, new: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_link, args![&task.path(old), &task.path(new)])
}

pub(super) fn sys_linkat(
    task: &mut Task,
    old_dir: Fd,
    old: PathPtr,
    new_dir: Fd,
    new: PathPtr,
    flags: AtFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_linkat, args![old_dir, &task.path(old), new_dir, &task.path(new), flags.0])
}

pub(super) fn sys_symlink(task: &mut Task, target: PathPtr, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_symlink, args![&task.path(target), &task.path(path)])
}

pub(super) fn sys_symlinkat(task: &mut Task, target: PathPtr, dir: Fd, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_symlinkat, args![&task.path(target), dir, &task.path(path)])
}

pub(super) fn sys_readlink(task: &mut Task, path: PathPtr, to: BytesOut, len: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_readlink, args![&task.path(path), link_buffer(to.0, len), len])
}

pub(super) fn sys_readlinkat(task: &mut Task, dir: Fd, path: PathPtr, to: BytesOut, len: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_readlinkat, args![dir, &task.path_at(dir, path), link_buffer(to.0, len), len])
}

/// A length below zero is for the host to refuse.
fn link_buffer(to: UserAddr, len: i32) -> HostArg<'static> {
    HostArg::Guest(to, u64::try_from(len).unwrap_or(0))
}

pub(super) fn sys_getcwd(task: &mut Task, to: BytesOut, len: u64) -> Result<u64, Errno> {
    /// The host looks at no more: longer names are `ENAMETOOLONG` (`PATH_MAX`).
    const LONGEST: u64 = 4096;
    task.host(libc::SYS_getcwd, args![HostArg::Guest(to.0, len.min(LONGEST)), len])
}

pub(super) fn sys_chdir(task: &mut Task, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_chdir, args![&task.path(path)])
}

pub(super) fn sys_fchdir(task: &mut Task, fd: Fd) -> Result<u64, Errno> {
    task.host(libc::SYS_fchdir, args![fd])
}

pub(super) fn sys_chroot(task: &mut Task, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_chroot, args![&task.path(path)])
}

pub(super) fn sys_umask(task: &mut Task, mask: Mode) -> Result<u64, Errno> {
    task.host(libc::SYS_umask, args![mask.0])
}
