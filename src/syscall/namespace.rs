//! Mounts (the kernel's `fs/namespace.c`, `fs/fsopen.c`).

use super::arg::{Arg, Fd, Hex, PathPtr, StrPtr};
use super::host::{HostArg, args};
use super::iovec::MAX_RW_COUNT;
use crate::abi::{Errno, PAGE_SIZE, UserAddr};
use crate::proc::Task;

/// Numbers that libc does not know.
const SYS_STATMOUNT: i64 = 457;
const SYS_LISTMOUNT: i64 = 458;
const SYS_OPEN_TREE_ATTR: i64 = 467;

/// Commands of fsconfig(2) (`enum fsconfig_command` of the kernel's `include/uapi/linux/mount.h`).
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_SET_BINARY: u32 = 2;
const FSCONFIG_SET_PATH: u32 = 3;
const FSCONFIG_SET_PATH_EMPTY: u32 = 4;
const FSCONFIG_SET_FD: u32 = 5;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSCONFIG_CMD_RECONFIGURE: u32 = 7;
const FSCONFIG_CMD_CREATE_EXCL: u32 = 8;

/// Longest string that mount(2) takes, with its NUL.
const MOUNT_STRING_LEN: usize = 4096;
/// Longest string that fsopen(2) and fsconfig(2) take for a key, with its NUL.
const CONFIG_STRING_LEN: usize = 256;

pub(super) fn sys_mount(
    task: &mut Task,
    source: StrPtr,
    target: PathPtr,
    kind: StrPtr,
    flags: Hex,
    options: UserAddr,
) -> Result<u64, Errno> {
    let kind = task.string(kind.0, MOUNT_STRING_LEN);
    let source = task.string(source.0, MOUNT_STRING_LEN);
    let options = options_text(task, options)?;
    let options = options.as_deref().map_or(HostArg::Int(0), HostArg::In);
    task.host(libc::SYS_mount, args![&source, &task.path(target), &kind, flags.0, options])
}

/// The options as far as they are text: what follows may be a binary structure with pointers, as that of NFS. The
/// kernel takes a page of them (`copy_mount_options`).
fn options_text(task: &Task, from: UserAddr) -> Result<Option<Vec<u8>>, Errno> {
    if from.is_null() {
        return Ok(None);
    }
    let mut page = vec![0; MOUNT_STRING_LEN];
    if task.process.mm.copy_in_partly(from, &mut page) == 0 {
        return Err(Errno::EFAULT);
    }
    let end = page.iter().position(|&byte| byte == 0).unwrap_or(page.len());
    page[end..].fill(0);
    Ok(Some(page))
}

pub(super) fn sys_umount2(task: &mut Task, path: PathPtr, flags: Hex) -> Result<u64, Errno> {
    task.host(libc::SYS_umount2, args![&task.path(path), flags.0])
}

pub(super) fn sys_pivot_root(task: &mut Task, new_root: PathPtr, put_old: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_pivot_root, args![&task.path(new_root), &task.path(put_old)])
}

pub(super) fn sys_open_tree(task: &mut Task, dir: Fd, path: PathPtr, flags: Hex) -> Result<u64, Errno> {
    task.host(libc::SYS_open_tree, args![dir, &task.path(path), flags.0])
}

pub(super) fn sys_open_tree_attr(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: Hex,
    attr: UserAddr,
    attr_len: u64,
) -> Result<u64, Errno> {
    task.host(SYS_OPEN_TREE_ATTR, args![dir, &task.path(path), flags.0, structure(attr, attr_len), attr_len])
}

pub(super) fn sys_mount_setattr(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    flags: Hex,
    attr: UserAddr,
    attr_len: u64,
) -> Result<u64, Errno> {
    task.host(libc::SYS_mount_setattr, args![dir, &task.path(path), flags.0, structure(attr, attr_len), attr_len])
}

/// A structure that grows from kernel to kernel and holds no pointers: at most a page.
fn structure(addr: UserAddr, len: u64) -> HostArg<'static> {
    HostArg::Guest(addr, len.min(PAGE_SIZE))
}

pub(super) fn sys_move_mount(
    task: &mut Task,
    from_dir: Fd,
    from: PathPtr,
    to_dir: Fd,
    to: PathPtr,
    flags: Hex,
) -> Result<u64, Errno> {
    task.host(libc::SYS_move_mount, args![from_dir, &task.path(from), to_dir, &task.path(to), flags.0])
}

pub(super) fn sys_fsopen(task: &mut Task, kind: StrPtr, flags: Hex) -> Result<u64, Errno> {
    task.host(libc::SYS_fsopen, args![&task.string(kind.0, MOUNT_STRING_LEN), flags.0])
}

pub(super) fn sys_fspick(task: &mut Task, dir: Fd, path: PathPtr, flags: Hex) -> Result<u64, Errno> {
    task.host(libc::SYS_fspick, args![dir, &task.path(path), flags.0])
}

pub(super) fn sys_fsmount(task: &mut Task, fd: Fd, flags: Hex, attributes: Hex) -> Result<u64, Errno> {
    task.host(libc::SYS_fsmount, args![fd, flags.0, attributes.0])
}

pub(super) fn sys_statmount(
    task: &mut Task,
    request: UserAddr,
    to: UserAddr,
    len: u64,
    flags: u32,
) -> Result<u64, Errno> {
    let request = HostArg::Guest(request, PAGE_SIZE);
    task.host(SYS_STATMOUNT, args![request, HostArg::Guest(to, len.min(MAX_RW_COUNT)), len, flags])
}

pub(super) fn sys_listmount(
    task: &mut Task,
    request: UserAddr,
    ids: UserAddr,
    count: u64,
    flags: u32,
) -> Result<u64, Errno> {
    let request = HostArg::Guest(request, PAGE_SIZE);
    let len = count.saturating_mul(size_of::<u64>() as u64);
    task.host(SYS_LISTMOUNT, args![request, HostArg::Guest(ids, len.min(MAX_RW_COUNT)), count, flags])
}

pub(super) fn sys_fsconfig(
    task: &mut Task,
    fd: Fd,
    command: u32,
    key: StrPtr,
    value: UserAddr,
    aux: i32,
) -> Result<u64, Errno> {
    let key = task.string(key.0, CONFIG_STRING_LEN);
    let text;
    let (value, aux) = match command {
        FSCONFIG_SET_FLAG | FSCONFIG_CMD_CREATE | FSCONFIG_CMD_RECONFIGURE | FSCONFIG_CMD_CREATE_EXCL => {
            // There is no value, and the host refuses one.
            (HostArg::from(value.raw()), aux)
        }
        FSCONFIG_SET_STRING => {
            text = task.string(value, CONFIG_STRING_LEN);
            (HostArg::from(&text), aux)
        }
        FSCONFIG_SET_PATH | FSCONFIG_SET_PATH_EMPTY => {
            text = task.path(PathPtr(value));
            (HostArg::from(&text), Fd::decode(i64::from(aux).cast_unsigned())?.raw())
        }
        FSCONFIG_SET_BINARY => (HostArg::Guest(value, u64::try_from(aux).unwrap_or(0)), aux),
        FSCONFIG_SET_FD => (HostArg::from(value.raw()), Fd::decode(i64::from(aux).cast_unsigned())?.raw()),
        _ => {
            task.missing(format_args!("fsconfig command {command}"));
            return Err(Errno::EOPNOTSUPP);
        }
    };
    task.host(libc::SYS_fsconfig, args![fd, command, &key, value, aux])
}
