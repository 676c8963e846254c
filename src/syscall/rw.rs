//! read(2), write(2) and their kin (the kernel's `fs/read_write.c`).

use super::arg::{BytesIn, BytesOut, Fd, RwFlags, Whence};
use super::host::{HostArg, args};
use super::iovec::{Iovec, MAX_RW_COUNT};
use super::view::{self, Transfer};
use crate::abi::{Errno, PAGE_SIZE, TASK_SIZE, UserAddr, UserPtr};
use crate::proc::Task;

/// `len` bytes of guest memory, as far as one call can reach them. Where they do not end among the addresses of a
/// process they are bad from the first (`access_ok`).
fn buffer(addr: UserAddr, len: u64) -> HostArg<'static> {
    if addr.is_user_range(len) { HostArg::Guest(addr, len.min(MAX_RW_COUNT)) } else { HostArg::Int(TASK_SIZE) }
}

pub(super) fn sys_read(task: &mut Task, fd: Fd, to: BytesOut, len: u64) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::read(to.0, len)) {
        return result;
    }
    if let Some(pieces) = task.pieces(to.0, len) {
        return task.host(libc::SYS_readv, args![fd, &pieces, pieces.count()]);
    }
    task.host(libc::SYS_read, args![fd, buffer(to.0, len), len])
}

pub(super) fn sys_write(task: &mut Task, fd: Fd, from: BytesIn, len: u64) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::write(from.0, len)) {
        return result;
    }
    if let Some(pieces) = task.pieces(from.0, len) {
        return task.host(libc::SYS_writev, args![fd, &pieces, pieces.count()]);
    }
    task.host(libc::SYS_write, args![fd, buffer(from.0, len), len])
}

pub(super) fn sys_pread64(task: &mut Task, fd: Fd, to: BytesOut, len: u64, offset: i64) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::read(to.0, len).at(offset)) {
        return result;
    }
    if let Some(pieces) = task.pieces(to.0, len) {
        return task.host(libc::SYS_preadv, args![fd, &pieces, pieces.count(), offset, 0]);
    }
    task.host(libc::SYS_pread64, args![fd, buffer(to.0, len), len, offset])
}

pub(super) fn sys_pwrite64(task: &mut Task, fd: Fd, from: BytesIn, len: u64, offset: i64) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::write(from.0, len).at(offset)) {
        return result;
    }
    if let Some(pieces) = task.pieces(from.0, len) {
        return task.host(libc::SYS_pwritev, args![fd, &pieces, pieces.count(), offset, 0]);
    }
    task.host(libc::SYS_pwrite64, args![fd, buffer(from.0, len), len, offset])
}

/// read(2) or write(2) on a pipe if that need not wait, else `EAGAIN`; `EOPNOTSUPP` where the kernel cannot tell.
///
/// What is written must fit one page: then all of it is, or nothing (pipe(7)).
pub(super) fn transfer_without_waiting(task: &Task, nr: i64, fd: Fd, addr: UserAddr, len: u64) -> Result<u64, Errno> {
    const HERE: i64 = -1;
    let nr = if nr == libc::SYS_read { libc::SYS_preadv2 } else { libc::SYS_pwritev2 };
    if nr == libc::SYS_pwritev2 && len > PAGE_SIZE || !addr.is_user_range(len) {
        return Err(Errno::EAGAIN);
    }
    let iov = task.one_iovec(addr, len);
    task.host(nr, args![fd, &iov, iov.count(), HERE, 0, libc::RWF_NOWAIT])
}

// The kernel takes the low half of the register that counts buffers.

pub(super) fn sys_readv(task: &mut Task, fd: Fd, iov: UserPtr<Iovec>, count: u32) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::read_pieces(iov, count)) {
        return result;
    }
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_readv, args![fd, &iov, iov.count()])
}

pub(super) fn sys_writev(task: &mut Task, fd: Fd, iov: UserPtr<Iovec>, count: u32) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::write_pieces(iov, count)) {
        return result;
    }
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_writev, args![fd, &iov, iov.count()])
}

pub(super) fn sys_preadv(
    task: &mut Task,
    fd: Fd,
    iov: UserPtr<Iovec>,
    count: u32,
    offset: i64,
    offset_high: u64,
) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::read_pieces(iov, count).at(offset)) {
        return result;
    }
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_preadv, args![fd, &iov, iov.count(), offset, offset_high])
}

pub(super) fn sys_pwritev(
    task: &mut Task,
    fd: Fd,
    iov: UserPtr<Iovec>,
    count: u32,
    offset: i64,
    offset_high: u64,
) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::write_pieces(iov, count).at(offset)) {
        return result;
    }
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_pwritev, args![fd, &iov, iov.count(), offset, offset_high])
}

pub(super) fn sys_preadv2(
    task: &mut Task,
    fd: Fd,
    iov: UserPtr<Iovec>,
    count: u32,
    offset: i64,
    offset_high: u64,
    flags: RwFlags,
) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::read_pieces(iov, count).at_or_current(offset)) {
        return result;
    }
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_preadv2, args![fd, &iov, iov.count(), offset, offset_high, flags.0])
}

pub(super) fn sys_pwritev2(
    task: &mut Task,
    fd: Fd,
    iov: UserPtr<Iovec>,
    count: u32,
    offset: i64,
    offset_high: u64,
    flags: RwFlags,
) -> Result<u64, Errno> {
    if let Some(result) = view::transfer(task, fd, &Transfer::write_pieces(iov, count).at_or_current(offset)) {
        return result;
    }
    let iov = task.iovecs(iov, count.into())?;
    task.host(libc::SYS_pwritev2, args![fd, &iov, iov.count(), offset, offset_high, flags.0])
}

pub(super) fn sys_lseek(task: &mut Task, fd: Fd, offset: i64, whence: Whence) -> Result<u64, Errno> {
    task.host(libc::SYS_lseek, args![fd, offset, whence])
}

pub(super) fn sys_sendfile(task: &mut Task, to: Fd, from: Fd, offset: UserPtr<i64>, len: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_sendfile, args![to, from, offset, len])
}

pub(super) fn sys_copy_file_range(
    task: &mut Task,
    from: Fd,
    from_offset: UserPtr<i64>,
    to: Fd,
    to_offset: UserPtr<i64>,
    len: u64,
    flags: u32,
) -> Result<u64, Errno> {
    task.host(libc::SYS_copy_file_range, args![from, from_offset, to, to_offset, len, flags])
}
