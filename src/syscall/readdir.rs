//! Reading directories (the kernel's `fs/readdir.c`).

use super::arg::{BytesOut, Fd};
use super::host::{HostArg, args};
use super::view::{self, EntryLayout};
use crate::abi::Errno;
use crate::proc::Task;

pub(super) fn sys_getdents(task: &mut Task, fd: Fd, to: BytesOut, len: u32) -> Result<u64, Errno> {
    if let Some(result) = view::entries(task, fd, EntryLayout::OLD, to.0, len) {
        return result;
    }
    task.host(libc::SYS_getdents, args![fd, HostArg::Guest(to.0, len.into()), len])
}

pub(super) fn sys_getdents64(task: &mut Task, fd: Fd, to: BytesOut, len: u32) -> Result<u64, Errno> {
    if let Some(result) = view::entries(task, fd, EntryLayout::NEW, to.0, len) {
        return result;
    }
    task.host(libc::SYS_getdents64, args![fd, HostArg::Guest(to.0, len.into()), len])
}
