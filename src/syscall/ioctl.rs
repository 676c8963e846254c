//! ioctl(2).
//!
//! What the argument of a request is cannot be seen from outside: an address that is not translated would be one of
//! the runner's. So only requests in a list are passed on, and only those whose argument is understood.

mod requests;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::{Fd, Hex};
use super::host::{HostArg, args};
use super::iovec::MAX_RW_COUNT;
use super::nested::{BAD, HostBuffer, hide_runner_fd};
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::proc::Task;

/// What the argument of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    /// Nothing.
    Unused,
    /// A number.
    Int,
    /// A descriptor.
    Descriptor,
    /// The address of so many bytes without addresses in them.
    Memory(u64),
    /// The address of a `struct file_clone_range`.
    CloneRange,
    /// The address of a `struct file_dedupe_range`.
    DedupeRange,
    /// The address of a `struct fiemap`.
    Fiemap,
    /// The address of a `struct ifconf`.
    InterfaceList,
    /// The address of a `struct rand_pool_info`.
    Entropy,
    /// A structure with addresses in it that nobody translates here.
    Nested,
}

pub(super) fn sys_ioctl(task: &mut Task, fd: Fd, request: Hex, arg: UserAddr) -> Result<u64, Errno> {
    let nr = low_half(request.0);
    let Some(request) = requests::find(nr) else {
        return refuse(task, fd, format_args!("ioctl request {nr:#x}"));
    };
    let arg = match request.argument {
        Argument::Unused => HostArg::Int(0),
        Argument::Int => low_half(arg.raw()).into(),
        Argument::Descriptor => hide_runner_fd(low_half(arg.raw()).cast_signed()).into(),
        Argument::Memory(len) => HostArg::Guest(arg, len),
        Argument::Fiemap => fiemap(task, arg),
        Argument::Entropy => entropy(task, arg),
        Argument::CloneRange => return clone_range(task, fd, nr, UserPtr::new(arg)),
        Argument::DedupeRange => return dedupe_range(task, fd, nr, arg),
        Argument::InterfaceList => return interface_list(task, fd, nr, UserPtr::new(arg)),
        Argument::Nested => return refuse(task, fd, format_args!("ioctl {}", request.name)),
    };
    task.host(libc::SYS_ioctl, args![fd, nr, arg])
}

/// `ENOTTY`, unless the descriptor itself is wrong.
fn refuse(task: &Task, fd: Fd, what: std::fmt::Arguments<'_>) -> Result<u64, Errno> {
    // Asks nothing of the file, and like ioctl(2) knows no descriptor that is only a path.
    if task.host(libc::SYS_lseek, args![fd, 0, libc::SEEK_CUR]) == Err(Errno::EBADF) {
        return Err(Errno::EBADF);
    }
    task.missing(what);
    Err(Errno::ENOTTY)
}

/// A register as the kernel takes it for an `int`.
fn low_half(raw: u64) -> u32 {
    let [a, b, c, d, ..] = raw.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The host reads the number of extents again; whatever it then is, it lies in guest memory.
fn fiemap(task: &Task, arg: UserAddr) -> HostArg<'static> {
    const HEADER_LEN: u64 = 32;
    const EXTENT_LEN: u64 = 56;
    const NR_EXTENTS: u64 = 24;
    let extents = task.process.mm.read(UserPtr::<u32>::new(arg.wrapping_add(NR_EXTENTS))).unwrap_or(0);
    HostArg::Guest(arg, (HEADER_LEN + EXTENT_LEN * u64::from(extents)).min(MAX_RW_COUNT))
}

/// As with [`fiemap`].
fn entropy(task: &Task, arg: UserAddr) -> HostArg<'static> {
    const HEADER_LEN: u64 = 8;
    const LEN: u64 = 4;
    let len = task.process.mm.read(UserPtr::<u32>::new(arg.wrapping_add(LEN))).unwrap_or(0);
    HostArg::Guest(arg, (HEADER_LEN + u64::from(len)).min(MAX_RW_COUNT))
}

/// `struct file_clone_range`: the source descriptor, two offsets and a length.
type CloneRange = [u64; 4];

fn clone_range(task: &Task, fd: Fd, nr: u32, arg: UserPtr<CloneRange>) -> Result<u64, Errno> {
    let Ok(mut range) = task.process.mm.read(arg) else { return task.host(libc::SYS_ioctl, args![fd, nr, BAD]) };
    range[0] = hidden(range[0]);
    task.host(libc::SYS_ioctl, args![fd, nr, range.as_bytes()])
}

/// `struct file_dedupe_range` without its end.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct DedupeHeader {
    offset: u64,
    len: u64,
    count: u16,
    reserved: [u16; 3],
}

/// `struct file_dedupe_range_info`: destination descriptor, offset, bytes done, status.
type DedupeTarget = [u64; 4];
/// Where in it the answer begins.
const DEDUPE_ANSWER: usize = 16;

fn dedupe_range(task: &Task, fd: Fd, nr: u32, arg: UserAddr) -> Result<u64, Errno> {
    let mm = &task.process.mm;
    let Ok(header) = mm.read(UserPtr::<DedupeHeader>::new(arg)) else {
        return task.host(libc::SYS_ioctl, args![fd, nr, BAD]);
    };
    let count = usize::from(header.count);
    let len = size_of::<DedupeHeader>() + count * size_of::<DedupeTarget>();
    if len as u64 > PAGE_SIZE {
        // The host says the same, of the descriptor too, from the header alone.
        return task.host(libc::SYS_ioctl, args![fd, nr, header.as_bytes()]);
    }
    let targets = UserPtr::<DedupeTarget>::new(arg.wrapping_add(size_of::<DedupeHeader>() as u64));
    let Ok(guest) = mm.read_array(targets, count) else { return task.host(libc::SYS_ioctl, args![fd, nr, BAD]) };
    let mut host = header.as_bytes().to_vec();
    host.extend(guest.iter().flat_map(|&[fd, rest @ ..]| {
        let [a, b, c] = rest;
        [hidden(fd), a, b, c].map(u64::to_ne_bytes).concat()
    }));
    let value = task.host(libc::SYS_ioctl, args![fd, nr, host.as_mut_slice()])?;
    for (index, (answer, guest)) in
        (0..).zip(host[size_of::<DedupeHeader>()..].chunks_exact(size_of::<DedupeTarget>()).zip(&guest))
    {
        let mut target = guest.as_bytes().to_vec();
        target[DEDUPE_ANSWER..].copy_from_slice(&answer[DEDUPE_ANSWER..]);
        mm.copy_out(targets.at(index).addr(), &target)?;
    }
    Ok(value)
}

/// A descriptor in a field of 64 bits, of which the kernel takes the low half.
fn hidden(fd: u64) -> u64 {
    i64::from(hide_runner_fd(low_half(fd).cast_signed())).cast_unsigned()
}

/// `struct ifconf`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct InterfaceList {
    len: i32,
    padding: u32,
    records: u64,
}

fn interface_list(task: &Task, fd: Fd, nr: u32, arg: UserPtr<InterfaceList>) -> Result<u64, Errno> {
    /// More than there are interfaces; the kernel looks at no byte that it does not write.
    const MAX_LEN: usize = 1 << 20;
    let mm = &task.process.mm;
    let Ok(guest) = mm.read(arg) else { return task.host(libc::SYS_ioctl, args![fd, nr, BAD]) };
    let room = usize::try_from(guest.len).unwrap_or(0).min(MAX_LEN);
    let records = HostBuffer::new(mm, UserAddr::new(guest.records), room);
    let mut host = InterfaceList { records: records.hva(), ..guest };
    let value = task.host(libc::SYS_ioctl, args![fd, nr, host.as_mut_bytes()])?;
    records.finish(mm, usize::try_from(host.len).unwrap_or(0))?;
    mm.write(UserPtr::new(arg.addr()), &host.len)?;
    Ok(value)
}
