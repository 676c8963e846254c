//! Moving bytes through pipes (the kernel's `fs/splice.c`).

use super::arg::{Fd, SpliceFlags};
use super::host::args;
use super::iovec::Iovec;
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;

pub(super) fn sys_splice(
    task: &mut Task,
    from: Fd,
    from_offset: UserPtr<i64>,
    to: Fd,
    to_offset: UserPtr<i64>,
    len: u64,
    flags: SpliceFlags,
) -> Result<u64, Errno> {
    task.host(libc::SYS_splice, args![from, from_offset, to, to_offset, len, flags.0])
}

pub(super) fn sys_tee(task: &mut Task, from: Fd, to: Fd, len: u64, flags: SpliceFlags) -> Result<u64, Errno> {
    task.host(libc::SYS_tee, args![from, to, len, flags.0])
}

pub(super) fn sys_vmsplice(
    task: &mut Task,
    fd: Fd,
    iov: UserPtr<Iovec>,
    count: u32,
    flags: SpliceFlags,
) -> Result<u64, Errno> {
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_vmsplice, args![fd, &iov, iov.count(), flags.0])
}
