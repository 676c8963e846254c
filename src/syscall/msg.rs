//! sendmsg(2), recvmsg(2) and their batches (`___sys_sendmsg`, `___sys_recvmsg` in the kernel's `net/socket.c`).
//!
//! A header is read once; the host gets a copy with translated addresses. Where a part of it is wrong, the copy is as
//! wrong, so that the host kernel reports it at the place among its other checks that it has on Linux.

use std::os::fd::RawFd;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::arg::{Fd, MsgFlags};
use super::host::{HostArg, args};
use super::iovec::{HostIovecs, Iovec, UIO_MAXIOV};
use super::nested::{BAD, HostBuffer};
use super::socket::MAX_ADDRESS;
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::sys::descriptor::guest_limit;

/// More bytes of control messages than sockets take (`net.core.optmem_max` is far below).
const MAX_CONTROL: u64 = 1 << 20;

/// Most messages of one call (`UIO_MAXIOV` again).
const MAX_BATCH: u32 = 1024;

/// `struct msghdr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct MsgHeader {
    name: u64,
    name_len: i32,
    padding: u32,
    iovecs: u64,
    nr_iovecs: u64,
    control: u64,
    control_len: u64,
    flags: u32,
    end_padding: u32,
}

/// `struct mmsghdr`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct BatchedHeader {
    header: MsgHeader,
    len: u32,
    padding: u32,
}

/// A header that makes the host call fail with `EFAULT`.
fn unreadable() -> MsgHeader {
    MsgHeader { iovecs: BAD, nr_iovecs: 1, ..MsgHeader::new_zeroed() }
}

pub(super) fn sys_sendmsg(task: &mut Task, fd: Fd, message: UserPtr<MsgHeader>, flags: MsgFlags) -> Result<u64, Errno> {
    let Ok(guest) = task.process.mm.read(message) else {
        return task.host(libc::SYS_sendmsg, args![fd, BAD, flags]);
    };
    let message = Outgoing::new(task, &guest)?;
    task.host(libc::SYS_sendmsg, args![fd, message.header.as_bytes(), flags])
}

pub(super) fn sys_recvmsg(task: &mut Task, fd: Fd, message: UserPtr<MsgHeader>, flags: MsgFlags) -> Result<u64, Errno> {
    let Ok(guest) = task.process.mm.read(message) else {
        return task.host(libc::SYS_recvmsg, args![fd, BAD, flags]);
    };
    let incoming = Incoming::new(task, &guest)?;
    let mut host = incoming.header;
    let received = task.host(libc::SYS_recvmsg, args![fd, host.as_mut_bytes(), flags])?;
    incoming.finish(task, message, &host)?;
    Ok(received)
}

pub(super) fn sys_sendmmsg(
    task: &mut Task,
    fd: Fd,
    messages: UserPtr<BatchedHeader>,
    count: u32,
    flags: MsgFlags,
) -> Result<u64, Errno> {
    let outgoing = read_batch(task, messages, count, Outgoing::new)?;
    let mut host = host_batch(&outgoing, count, |message| message.header);
    let sent =
        task.host(libc::SYS_sendmmsg, args![fd, host.as_mut_slice().as_mut_bytes(), host_count(count), flags])?;
    finish_batch(task, messages, &host, sent, |_, _, _| Ok(()))
}

pub(super) fn sys_recvmmsg(
    task: &mut Task,
    fd: Fd,
    messages: UserPtr<BatchedHeader>,
    count: u32,
    flags: MsgFlags,
    timeout: UserPtr<[i64; 2]>,
) -> Result<u64, Errno> {
    let incoming = read_batch(task, messages, count, Incoming::new)?;
    let mut host = host_batch(&incoming, count, |message| message.header);
    let batch = HostArg::Out(host.as_mut_slice().as_mut_bytes());
    let received = task.host(libc::SYS_recvmmsg, args![fd, batch, host_count(count), flags, timeout])?;
    finish_batch(task, messages, &host, received, |index, guest, header| {
        incoming.get(index).map_or(Ok(()), |message| message.finish(task, guest, header))
    })
}

/// The kernel looks at no more messages than these.
fn host_count(count: u32) -> u32 {
    count.min(MAX_BATCH)
}

/// The translated messages of a batch, as far as it can be read.
fn read_batch<M>(
    task: &Task,
    messages: UserPtr<BatchedHeader>,
    count: u32,
    translate: impl Fn(&Task, &MsgHeader) -> Result<M, Errno>,
) -> Result<Vec<M>, Errno> {
    let mut translated = Vec::new();
    for index in 0..u64::from(host_count(count)) {
        let Ok(BatchedHeader { header, .. }) = task.process.mm.read(messages.at(index)) else { break };
        translated.push(translate(task, &header)?);
    }
    Ok(translated)
}

/// What the host gets for them; the first that could not be read ends the batch with `EFAULT`.
fn host_batch<M>(messages: &[M], count: u32, header: impl Fn(&M) -> MsgHeader) -> Vec<BatchedHeader> {
    let headers = messages.iter().map(header).chain(std::iter::repeat_with(unreadable));
    let count = usize::try_from(host_count(count)).unwrap_or(0);
    headers.take(count).map(|header| BatchedHeader { header, len: 0, padding: 0 }).collect()
}

/// Hands the results of the first `done` messages to the guest, whose count is what has worked.
fn finish_batch(
    task: &Task,
    messages: UserPtr<BatchedHeader>,
    host: &[BatchedHeader],
    done: u64,
    finish: impl Fn(usize, UserPtr<MsgHeader>, &MsgHeader) -> Result<(), Errno>,
) -> Result<u64, Errno> {
    for (index, BatchedHeader { header, len, .. }) in host.iter().enumerate().take(usize::try_from(done).unwrap_or(0)) {
        let guest = messages.at(index as u64).addr();
        let to_len = UserPtr::new(guest.wrapping_add(std::mem::offset_of!(BatchedHeader, len) as u64));
        let written = finish(index, UserPtr::new(guest), header).and_then(|()| task.process.mm.write(to_len, len));
        match written {
            Ok(()) => {}
            Err(errno) if index == 0 => return Err(errno),
            Err(_) => return Ok(index as u64),
        }
    }
    Ok(done)
}

/// A message to send. The header points into the other fields and to the guest's buffers.
struct Outgoing {
    header: MsgHeader,
    _iovecs: Vec<Iovec>,
    _name: Vec<u8>,
    _control: Vec<u8>,
}

impl Outgoing {
    fn new(task: &Task, guest: &MsgHeader) -> Result<Self, Errno> {
        let (iovecs, iovecs_at, nr_iovecs) = translated_iovecs(task, guest)?;
        let name_len = u64::try_from(guest.name_len).unwrap_or(0).min(MAX_ADDRESS);
        let (name, name_at) = read_once(task, guest.name, name_len);
        let (mut control, control_at) = if guest.control_len <= MAX_CONTROL {
            read_once(task, guest.control, guest.control_len)
        } else {
            (Vec::new(), BAD)
        };
        hide_runner_descriptors(&mut control, guest_limit());
        let header = MsgHeader { name: name_at, control: control_at, iovecs: iovecs_at, nr_iovecs, ..*guest };
        Ok(Self { header, _iovecs: iovecs, _name: name, _control: control })
    }
}

/// A copy of `len` bytes at `from`, and what the host's header points to: null for null, bad if there is no copy.
fn read_once(task: &Task, from: u64, len: u64) -> (Vec<u8>, u64) {
    if from == 0 {
        return (Vec::new(), 0);
    }
    let mut copy = vec![0; usize::try_from(len).unwrap_or(0)];
    match task.process.mm.copy_in(UserAddr::new(from), &mut copy) {
        Ok(()) => {
            let at = copy.as_ptr().addr() as u64;
            (copy, at)
        }
        Err(_) => (Vec::new(), BAD),
    }
}

/// The buffers of a message, and what the host's header says of them.
fn translated_iovecs(task: &Task, guest: &MsgHeader) -> Result<(Vec<Iovec>, u64, u64), Errno> {
    let count = guest.nr_iovecs;
    let iovecs = match task.iovecs(UserPtr::new(UserAddr::new(guest.iovecs)), count)? {
        HostIovecs::Translated(iovecs) => iovecs,
        // Too many are EMSGSIZE here.
        HostIovecs::Invalid if count <= UIO_MAXIOV as u64 => vec![Iovec { base: 0, len: u64::MAX }],
        HostIovecs::Unreadable | HostIovecs::Invalid => return Ok((Vec::new(), BAD, count)),
    };
    let (at, count) = (iovecs.as_ptr().addr() as u64, iovecs.len() as u64);
    Ok((iovecs, at, count))
}

/// A message to receive. The header points into the other fields and to the guest's buffers.
struct Incoming {
    header: MsgHeader,
    name: HostBuffer,
    control: HostBuffer,
    _iovecs: Vec<Iovec>,
}

impl Incoming {
    fn new(task: &Task, guest: &MsgHeader) -> Result<Self, Errno> {
        let mm = &task.process.mm;
        let (iovecs, iovecs_at, nr_iovecs) = translated_iovecs(task, guest)?;
        let room =
            |addr, len: u64, max| HostBuffer::new(mm, UserAddr::new(addr), usize::try_from(len.min(max)).unwrap_or(0));
        let name = room(guest.name, u64::try_from(guest.name_len).unwrap_or(0), MAX_ADDRESS);
        let control = room(guest.control, guest.control_len, MAX_CONTROL);
        let header = MsgHeader {
            name: name.hva(),
            control: control.hva(),
            control_len: guest.control_len.min(MAX_CONTROL),
            iovecs: iovecs_at,
            nr_iovecs,
            ..*guest
        };
        Ok(Self { header, name, control, _iovecs: iovecs })
    }

    /// Hands what the host has written to the guest, in the kernel's order.
    fn finish(&self, task: &Task, guest: UserPtr<MsgHeader>, host: &MsgHeader) -> Result<(), Errno> {
        let mm = &task.process.mm;
        let field = |offset: usize| guest.addr().wrapping_add(offset as u64);
        self.control.finish(mm, usize::try_from(host.control_len).unwrap_or(usize::MAX))?;
        if host.name != 0 {
            self.name.finish(mm, usize::try_from(host.name_len).unwrap_or(0))?;
            mm.write(UserPtr::new(field(std::mem::offset_of!(MsgHeader, name_len))), &host.name_len)?;
        }
        mm.write(UserPtr::new(field(std::mem::offset_of!(MsgHeader, flags))), &host.flags)?;
        mm.write(UserPtr::new(field(std::mem::offset_of!(MsgHeader, control_len))), &host.control_len)
    }
}

/// Replaces descriptors of the runner's in SCM_RIGHTS messages by numbers that nobody has: `EBADF`.
///
/// It stops where the kernel finds the messages malformed (`CMSG_OK` in `include/linux/socket.h`).
fn hide_runner_descriptors(control: &mut [u8], limit: RawFd) {
    let mut rest = control;
    while let Some((len, level, kind)) = control_header(rest) {
        let Some(contents) = rest.get_mut(CONTROL_HEADER_LEN..len) else { return };
        if (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            for fd in contents.as_chunks_mut().0.iter_mut().filter(|fd| i32::from_ne_bytes(**fd) >= limit) {
                *fd = (-1_i32).to_ne_bytes();
            }
        }
        match len.checked_next_multiple_of(size_of::<u64>()) {
            Some(next) if next < rest.len() => rest = &mut rest[next..],
            _ => return,
        }
    }
}

/// Bytes of `struct cmsghdr`.
const CONTROL_HEADER_LEN: usize = 16;

/// Length, level and type of the control message that `bytes` begin with.
fn control_header(bytes: &[u8]) -> Option<(usize, i32, i32)> {
    let (len, bytes) = bytes.split_first_chunk()?;
    let (level, bytes) = bytes.split_first_chunk()?;
    let (kind, _) = bytes.split_first_chunk()?;
    let len = usize::try_from(u64::from_ne_bytes(*len)).ok()?;
    Some((len, i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(len: u64, kind: i32, contents: &[i32]) -> Vec<u8> {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([libc::SOL_SOCKET, kind].iter().chain(contents).flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    fn after_scan(mut bytes: Vec<u8>) -> Vec<u8> {
        hide_runner_descriptors(&mut bytes, 100);
        bytes
    }

    #[test]
    fn headers_are_laid_out_as_in_linux() {
        assert_eq!((size_of::<MsgHeader>(), size_of::<BatchedHeader>()), (56, 64));
        assert_eq!(std::mem::offset_of!(MsgHeader, control_len), 40);
    }

    #[test]
    fn descriptors_of_the_runner_are_replaced() {
        let sent = after_scan(control(32, libc::SCM_RIGHTS, &[3, 99, 100, i32::MAX]));
        assert_eq!(sent, control(32, libc::SCM_RIGHTS, &[3, 99, -1, -1]));
        let both = [control(20, libc::SCM_RIGHTS, &[5, 0]), control(24, libc::SCM_RIGHTS, &[100, 4])].concat();
        let hidden = [control(20, libc::SCM_RIGHTS, &[5, 0]), control(24, libc::SCM_RIGHTS, &[-1, 4])].concat();
        assert_eq!(after_scan(both), hidden);
    }

    #[test]
    fn other_control_messages_stay_as_they_are() {
        let credentials = control(28, libc::SCM_CREDENTIALS, &[100_000, 1000, 1000]);
        assert_eq!(after_scan(credentials.clone()), credentials);
    }

    #[test]
    fn malformed_bytes_end_the_scan() {
        for len in [0, 15, 16, 33, 1 << 32, u64::MAX - 6, u64::MAX] {
            let bytes = control(len, libc::SCM_RIGHTS, &[100, 100, 100, 100]);
            assert_eq!(after_scan(bytes.clone()), bytes, "{len}");
        }
        for cut in 0..24 {
            let bytes = control(24, libc::SCM_RIGHTS, &[100, 100])[..cut].to_vec();
            assert_eq!(after_scan(bytes.clone()), bytes);
        }
    }
}
