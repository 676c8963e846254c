//! Asynchronous I/O of the kernel's own: io_setup(2) and its kin (the kernel's `fs/aio.c`).
//!
//! The host maps the ring of a context at an address of its choice, and names the context by it. The guest gets a page of
//! its own in place of the ring, whose zeros tell libaio that the ring is not for it to read. Completions name requests
//! by the address of the control block that the host saw: a copy with addresses translated, kept until then.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::host::args;
use super::iovec::{HostIovecs, Iovec};
use super::nested::{BAD, MaskArg, hide_runner_fd};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::mm::{MapRequest, Where};
use crate::proc::Task;
use crate::proc::aio::Iocb;

/// `struct io_event`
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Event {
    user: u64,
    /// The control block.
    iocb: u64,
    results: [i64; 2],
}

/// A number that libc does not know.
const SYS_IO_PGETEVENTS: i64 = 333;

// `IOCB_CMD_*`
const PREAD: u16 = 0;
const PWRITE: u16 = 1;
const PREADV: u16 = 7;
const PWRITEV: u16 = 8;

/// Most events of one answer.
const MOST_EVENTS: i64 = 65536;

pub(super) fn sys_io_setup(task: &mut Task, count: u32, to: UserPtr<u64>) -> Result<u64, Errno> {
    let mm = task.process.mm.clone();
    let mut host = mm.read(to)?;
    if host != 0 || count == 0 {
        return Err(Errno::EINVAL);
    }
    task.host(libc::SYS_io_setup, args![count, host.as_mut_bytes()])?;
    let page = mm.map(&MapRequest::anonymous(Where::Hint(UserAddr::NULL), PAGE_SIZE, Prot::READ));
    let written = page.and_then(|page| mm.write(to, &page.raw()).map(|()| page));
    match written {
        Ok(page) => {
            task.process.async_io.add_context(page.raw(), host);
            Ok(0)
        }
        Err(errno) => {
            task.host(libc::SYS_io_destroy, args![host])?;
            Err(errno)
        }
    }
}

pub(super) fn sys_io_destroy(task: &mut Task, context: u64) -> Result<u64, Errno> {
    let async_io = task.process.async_io.clone();
    task.host(libc::SYS_io_destroy, args![async_io.context(context)])?;
    async_io.remove_context(context);
    task.process.mm.unmap(UserAddr::new(context), PAGE_SIZE)?;
    Ok(0)
}

pub(super) fn sys_io_submit(task: &mut Task, context: u64, count: i64, list: UserPtr<u64>) -> Result<u64, Errno> {
    let host = task.process.async_io.context(context);
    // Nothing to submit: finds out whether there is such a context.
    task.host(libc::SYS_io_submit, args![host, count.min(0), 0])?;
    for index in 0..u64::try_from(count).unwrap_or(0) {
        match submit_one(task, host, list.at(index)) {
            Ok(()) => {}
            Err(errno) if index == 0 => return Err(errno),
            Err(_) => return Ok(index),
        }
    }
    Ok(count.cast_unsigned())
}

fn submit_one(task: &Task, context: u64, place: UserPtr<u64>) -> Result<(), Errno> {
    let mm = &task.process.mm;
    let guest = UserPtr::<Iocb>::new(UserAddr::new(mm.read(place)?));
    let iocb = mm.read(guest)?;
    let (iocb, pieces) = translate(task, iocb)?;
    let async_io = &task.process.async_io;
    let name = async_io.add_request(context, guest.addr(), iocb);
    let submitted = task.host(libc::SYS_io_submit, args![context, 1, name.as_bytes()]);
    drop(pieces);
    if submitted != Ok(1) {
        async_io.remove_request(name);
    }
    submitted?;
    // The kernel's mark, 0 on all machines. It has read the block, so this fails for a read-only one alone.
    let _ = mm.copy_out(guest.addr().wrapping_add(8), &[0; 4]);
    Ok(())
}

/// The control block for the host, and an array of buffers that it may point to.
fn translate(task: &Task, mut iocb: Iocb) -> Result<(Iocb, Option<HostIovecs>), Errno> {
    iocb.descriptor = hide_runner_fd(iocb.descriptor);
    iocb.event_fd = hide_runner_fd(iocb.event_fd);
    let buffer = UserAddr::new(iocb.buffer);
    let mm = &task.process.mm;
    let pieces = match iocb.operation {
        PREAD | PWRITE => task.pieces(buffer, iocb.len),
        PREADV | PWRITEV => Some(task.iovecs(UserPtr::<Iovec>::new(buffer), iocb.len)?),
        // The others have no memory.
        _ => return Ok((iocb, None)),
    };
    match &pieces {
        Some(HostIovecs::Translated(list)) => {
            iocb.operation = if matches!(iocb.operation, PREAD | PREADV) { PREADV } else { PWRITEV };
            (iocb.buffer, iocb.len) = (list.as_ptr().addr() as u64, list.len() as u64);
        }
        Some(wrong) => (iocb.buffer, iocb.len) = (BAD, wrong.count() as u64),
        None => {
            mm.before_write(buffer, iocb.len);
            iocb.buffer = mm.hva(iocb.buffer);
        }
    }
    Ok((iocb, pieces))
}

pub(super) fn sys_io_cancel(
    task: &mut Task,
    context: u64,
    guest: UserPtr<Iocb>,
    event: UserPtr<Event>,
) -> Result<u64, Errno> {
    let key = task.process.mm.read(guest)?.key;
    if key != 0 {
        return Err(Errno::EINVAL);
    }
    let async_io = &task.process.async_io;
    let host = async_io.context(context);
    match async_io.request(host, guest.addr()) {
        0 => Err(Errno::EINVAL),
        name => task.host(libc::SYS_io_cancel, args![host, name, event]),
    }
}

pub(super) fn sys_io_getevents(
    task: &mut Task,
    context: u64,
    least: i64,
    most: i64,
    to: UserPtr<Event>,
    timeout: UserPtr<[i64; 2]>,
) -> Result<u64, Errno> {
    collect(task, context, most, to, |task, host, most, events| {
        task.host(libc::SYS_io_getevents, args![host, least, most, events, timeout])
    })
}

pub(super) fn sys_io_pgetevents(
    task: &mut Task,
    context: u64,
    least: i64,
    most: i64,
    to: UserPtr<Event>,
    timeout: UserPtr<[i64; 2]>,
    mask: UserPtr<[u64; 2]>,
) -> Result<u64, Errno> {
    collect(task, context, most, to, |task, host, most, events| {
        let [set, size] = if mask.is_null() { [0, 0] } else { task.process.mm.read(mask)? };
        let set = MaskArg::read(task, UserPtr::new(UserAddr::new(set)), size);
        let host_mask = [set.addr(), size];
        let call = args![host, least, most, events, timeout, host_mask.as_bytes()];
        task.host_with_mask(set.set(), SYS_IO_PGETEVENTS, call)
    })
}

/// Makes room for `most` events, has `call` fill it from the host's context, and hands them to the guest.
fn collect(
    task: &mut Task,
    context: u64,
    most: i64,
    to: UserPtr<Event>,
    call: impl FnOnce(&mut Task, u64, i64, &mut [u8]) -> Result<u64, Errno>,
) -> Result<u64, Errno> {
    let host = task.process.async_io.context(context);
    let room = usize::try_from(most.clamp(0, MOST_EVENTS)).unwrap_or(0);
    let mut events = Event::new_vec_zeroed(room).map_err(|_| Errno::ENOMEM)?;
    let count = call(task, host, most.min(MOST_EVENTS), events.as_mut_slice().as_mut_bytes())?;
    give(task, &mut events, count, to)
}

/// Hands the first `count` of `events` to the guest, each with its own control block.
fn give(task: &Task, events: &mut [Event], count: u64, to: UserPtr<Event>) -> Result<u64, Errno> {
    let events = &mut events[..usize::try_from(count).unwrap_or(0)];
    for event in &mut *events {
        event.iocb = task.process.async_io.remove_request(event.iocb).map_or(0, UserAddr::raw);
    }
    task.process.mm.copy_out(to.addr(), events.as_bytes())?;
    Ok(count)
}
