//! read(2), write(2) and their kin.

use super::arg::{BytesIn, BytesOut, Fd};
use super::host::{HostArg, args};
use crate::abi::{Errno, UserAddr};
use crate::proc::Task;

/// Most bytes that one call moves (`MAX_RW_COUNT` in the kernel's `include/linux/fs.h`).
const MAX_RW_COUNT: u64 = 0x7fff_f000;

/// `len` bytes of guest memory, as far as one call can reach them.
fn buffer(addr: UserAddr, len: u64) -> HostArg<'static> {
    HostArg::Guest(addr, len.min(MAX_RW_COUNT))
}

pub(super) fn sys_read(task: &mut Task, fd: Fd, to: BytesOut, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_read, args![fd, buffer(to.0, len), len])
}

pub(super) fn sys_write(task: &mut Task, fd: Fd, from: BytesIn, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_write, args![fd, buffer(from.0, len), len])
}

pub(super) fn sys_pread64(task: &mut Task, fd: Fd, to: BytesOut, len: u64, offset: i64) -> Result<u64, Errno> {
    task.host(libc::SYS_pread64, args![fd, buffer(to.0, len), len, offset])
}

pub(super) fn sys_pwrite64(task: &mut Task, fd: Fd, from: BytesIn, len: u64, offset: i64) -> Result<u64, Errno> {
    task.host(libc::SYS_pwrite64, args![fd, buffer(from.0, len), len, offset])
}

pub(super) fn sys_lseek(task: &mut Task, fd: Fd, offset: i64, whence: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_lseek, args![fd, offset, whence])
}
