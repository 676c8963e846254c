//! Extended attributes (the kernel's `fs/xattr.c`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::{AtFlags, BytesIn, BytesOut, Fd, PathPtr, StrPtr, XattrFlags};
use super::host::{HostArg, args};
use super::string::HostString;
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::proc::Task;

/// Numbers that libc does not know.
const SYS_SETXATTRAT: i64 = 463;
const SYS_GETXATTRAT: i64 = 464;
const SYS_LISTXATTRAT: i64 = 465;
const SYS_REMOVEXATTRAT: i64 = 466;

/// How far the kernel looks for the end of a name: `XATTR_NAME_MAX` and one.
const NAME_LEN: usize = 256;
/// Most bytes of a value or a list (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const SIZE_MAX: u64 = 65536;

fn name(task: &Task, from: StrPtr) -> HostString {
    task.string(from.0, NAME_LEN)
}

fn buffer(addr: UserAddr, len: u64) -> HostArg<'static> {
    HostArg::Guest(addr, len.min(SIZE_MAX))
}

pub(super) fn sys_setxattr(
    task: &mut Task,
    path: PathPtr,
    key: StrPtr,
    value: BytesIn,
    len: u64,
    flags: XattrFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_setxattr, args![&task.path(path), &name(task, key), buffer(value.0, len), len, flags.0])
}

pub(super) fn sys_getxattr(
    task: &mut Task,
    path: PathPtr,
    key: StrPtr,
    value: BytesOut,
    len: u64,
) -> Result<u64, Errno> {
    task.host(libc::SYS_getxattr, args![&task.path(path), &name(task, key), buffer(value.0, len), len])
}

pub(super) fn sys_listxattr(task: &mut Task, path: PathPtr, to: BytesOut, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_listxattr, args![&task.path(path), buffer(to.0, len), len])
}

pub(super) fn sys_removexattr(task: &mut Task, path: PathPtr, key: StrPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_removexattr, args![&task.path(path), &name(task, key)])
}

pub(super) fn sys_lsetxattr(
    task: &mut Task,
    path: PathPtr,
    key: StrPtr,
    value: BytesIn,
    len: u64,
    flags: XattrFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_lsetxattr, args![&task.path(path), &name(task, key), buffer(value.0, len), len, flags.0])
}

pub(super) fn sys_lgetxattr(
    task: &mut Task,
    path: PathPtr,
    key: StrPtr,
    value: BytesOut,
    len: u64,
) -> Result<u64, Errno> {
    task.host(libc::SYS_lgetxattr, args![&task.path(path), &name(task, key), buffer(value.0, len), len])
}

pub(super) fn sys_llistxattr(task: &mut Task, path: PathPtr, to: BytesOut, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_llistxattr, args![&task.path(path), buffer(to.0, len), len])
}

pub(super) fn sys_lremovexattr(task: &mut Task, path: PathPtr, key: StrPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_lremovexattr, args![&task.path(path), &name(task, key)])
}

pub(super) fn sys_fsetxattr(
    task: &mut Task,
    fd: Fd,
    key: StrPtr,
    value: BytesIn,
    len: u64,
    flags: XattrFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_fsetxattr, args![fd, &name(task, key), buffer(value.0, len), len, flags.0])
}

pub(super) fn sys_fgetxattr(task: &mut Task, fd: Fd, key: StrPtr, value: BytesOut, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_fgetxattr, args![fd, &name(task, key), buffer(value.0, len), len])
}

pub(super) fn sys_flistxattr(task: &mut Task, fd: Fd, to: BytesOut, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_flistxattr, args![fd, buffer(to.0, len), len])
}

pub(super) fn sys_fremovexattr(task: &mut Task, fd: Fd, key: StrPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_fremovexattr, args![fd, &name(task, key)])
}

/// `struct xattr_args` of the kernel's `include/uapi/linux/xattr.h`; `value` is a GVA, or for the host an HVA.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct XattrArgs {
    value: u64,
    size: u32,
    flags: u32,
}

/// Reads `struct xattr_args` with what later kernels may have added to it, which must be zero
/// (`copy_struct_from_user`), and translates it.
fn host_args(task: &Task, from: UserAddr, len: u64) -> Result<XattrArgs, Errno> {
    const KNOWN: usize = size_of::<XattrArgs>();
    let len = usize::try_from(len).map_err(|_| Errno::E2BIG)?;
    if len < KNOWN {
        return Err(Errno::EINVAL);
    }
    if len as u64 > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let bytes: Vec<u8> = task.process.mm.read_array(UserPtr::new(from), len)?;
    let (mut args, rest) = XattrArgs::read_from_prefix(&bytes).map_err(|_| Errno::EINVAL)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    if args.value != 0 {
        args.value = task.process.mm.hva(args.value);
    }
    Ok(args)
}

pub(super) fn sys_setxattrat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: AtFlags,
    key: StrPtr,
    args: UserAddr,
    args_len: u64,
) -> Result<u64, Errno> {
    let args = host_args(task, args, args_len)?;
    let path = task.path(path);
    task.host(SYS_SETXATTRAT, args![dir, &path, flags.0, &name(task, key), args.as_bytes(), size_of_val(&args)])
}

pub(super) fn sys_getxattrat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: AtFlags,
    key: StrPtr,
    args: UserAddr,
    args_len: u64,
) -> Result<u64, Errno> {
    let args = host_args(task, args, args_len)?;
    let path = task.path(path);
    task.host(SYS_GETXATTRAT, args![dir, &path, flags.0, &name(task, key), args.as_bytes(), size_of_val(&args)])
}

pub(super) fn sys_listxattrat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: AtFlags,
    to: BytesOut,
    len: u64,
) -> Result<u64, Errno> {
    task.host(SYS_LISTXATTRAT, args![dir, &task.path(path), flags.0, buffer(to.0, len), len])
}

pub(super) fn sys_removexattrat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: AtFlags,
    key: StrPtr,
) -> Result<u64, Errno> {
    task.host(SYS_REMOVEXATTRAT, args![dir, &task.path(path), flags.0, &name(task, key)])
}
