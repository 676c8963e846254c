//! POSIX message queues (the kernel's `ipc/mqueue.c`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::{BytesIn, BytesOut, Fd, Mode, OpenFlags, StrPtr};
use super::host::{HostArg, args, passthrough};
use super::iovec::MAX_RW_COUNT;
use super::nested::{BAD, HostBuffer};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

/// `struct mq_attr`.
type QueueAttr = [i64; 8];
/// `struct timespec`.
type Timespec = [i64; 2];
/// Longest name with its NUL.
const NAME_MAX: usize = 4096;

passthrough! {
    sys_mq_getsetattr(queue: Fd, new: UserPtr<QueueAttr>, old: UserPtr<QueueAttr>) = SYS_mq_getsetattr;
}

pub(super) fn sys_mq_open(
    task: &mut Task,
    name: StrPtr,
    flags: OpenFlags,
    mode: Mode,
    attr: UserPtr<QueueAttr>,
) -> Result<u64, Errno> {
    let name = task.string(name.0, NAME_MAX);
    task.host(libc::SYS_mq_open, args![&name, flags.0, mode.0, attr])
}

pub(super) fn sys_mq_unlink(task: &mut Task, name: StrPtr) -> Result<u64, Errno> {
    let name = task.string(name.0, NAME_MAX);
    task.host(libc::SYS_mq_unlink, args![&name])
}

pub(super) fn sys_mq_timedsend(
    task: &mut Task,
    queue: Fd,
    from: BytesIn,
    len: u64,
    priority: u32,
    until: UserPtr<Timespec>,
) -> Result<u64, Errno> {
    let bytes = HostArg::Guest(from.0, len.min(MAX_RW_COUNT));
    task.host(libc::SYS_mq_timedsend, args![queue, bytes, len, priority, until])
}

pub(super) fn sys_mq_timedreceive(
    task: &mut Task,
    queue: Fd,
    to: BytesOut,
    len: u64,
    priority: UserPtr<u32>,
    until: UserPtr<Timespec>,
) -> Result<u64, Errno> {
    let bytes = HostArg::Guest(to.0, len.min(MAX_RW_COUNT));
    task.host(libc::SYS_mq_timedreceive, args![queue, bytes, len, priority, until])
}

/// `struct sigevent`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct SigEvent {
    value: u64,
    signal: i32,
    notify: i32,
    rest: [u64; 6],
}

pub(super) fn sys_mq_notify(task: &mut Task, queue: Fd, event: UserPtr<SigEvent>) -> Result<u64, Errno> {
    /// Bytes of what the C library wants back from its socket (`NOTIFY_COOKIE_LEN` in `include/uapi/linux/mqueue.h`).
    const COOKIE_LEN: usize = 32;
    let mm = &task.process.mm;
    if event.is_null() {
        return task.host(libc::SYS_mq_notify, args![queue, 0]);
    }
    let Ok(guest) = mm.read(event) else { return task.host(libc::SYS_mq_notify, args![queue, BAD]) };
    match guest.notify {
        libc::SIGEV_THREAD => {
            let cookie = HostBuffer::new(mm, UserAddr::new(guest.value), COOKIE_LEN);
            let host = SigEvent { value: cookie.hva(), ..guest };
            task.host(libc::SYS_mq_notify, args![queue, host.as_bytes()])
        }
        _ => task.host(libc::SYS_mq_notify, args![queue, guest.as_bytes()]),
    }
}
