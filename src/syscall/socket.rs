//! Sockets (the kernel's `net/socket.c`); messages are in [`super::msg`].

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::{BytesIn, BytesOut, Fd, FdFlags, MsgFlags};
use super::host::{HostArg, args, passthrough};
use super::iovec::MAX_RW_COUNT;
use super::nested::{BAD, HostBuffer, hide_runner_fd};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

/// Bytes of `struct sockaddr_storage`: no address is longer.
pub(super) const MAX_ADDRESS: u64 = 128;

/// Families whose options and control messages carry addresses of memory that the kernel maps for itself.
const MAPPING_FAMILIES: [i32; 2] = [libc::AF_RDS, libc::AF_XDP];

pub(super) fn sys_socket(task: &mut Task, family: i32, kind: i32, protocol: i32) -> Result<u64, Errno> {
    if MAPPING_FAMILIES.contains(&family) {
        task.missing(format_args!("socket family {family}"));
        return Err(Errno::EAFNOSUPPORT);
    }
    task.host(libc::SYS_socket, args![family, kind, protocol])
}

passthrough! {
    sys_socketpair(family: i32, kind: i32, protocol: i32, pair: UserPtr<[i32; 2]>) = SYS_socketpair;
    sys_listen(fd: Fd, backlog: i32) = SYS_listen;
    sys_shutdown(fd: Fd, how: i32) = SYS_shutdown;
}

pub(super) fn sys_bind(task: &mut Task, fd: Fd, addr: UserAddr, len: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_bind, args![fd, address(addr, len), len])
}

pub(super) fn sys_connect(task: &mut Task, fd: Fd, addr: UserAddr, len: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_connect, args![fd, address(addr, len), len])
}

pub(super) fn sys_accept(task: &mut Task, fd: Fd, addr: UserAddr, len: UserPtr<i32>) -> Result<u64, Errno> {
    let room = address_room(task, addr, len);
    task.host(libc::SYS_accept, args![fd, room, len])
}

pub(super) fn sys_accept4(
    task: &mut Task,
    fd: Fd,
    addr: UserAddr,
    len: UserPtr<i32>,
    flags: FdFlags,
) -> Result<u64, Errno> {
    let room = address_room(task, addr, len);
    task.host(libc::SYS_accept4, args![fd, room, len, flags])
}

pub(super) fn sys_getsockname(task: &mut Task, fd: Fd, addr: UserAddr, len: UserPtr<i32>) -> Result<u64, Errno> {
    let room = address_room(task, addr, len);
    task.host(libc::SYS_getsockname, args![fd, room, len])
}

pub(super) fn sys_getpeername(task: &mut Task, fd: Fd, addr: UserAddr, len: UserPtr<i32>) -> Result<u64, Errno> {
    let room = address_room(task, addr, len);
    task.host(libc::SYS_getpeername, args![fd, room, len])
}

pub(super) fn sys_sendto(
    task: &mut Task,
    fd: Fd,
    from: BytesIn,
    len: u64,
    flags: MsgFlags,
    addr: UserAddr,
    addr_len: i32,
) -> Result<u64, Errno> {
    let bytes = HostArg::Guest(from.0, len.min(MAX_RW_COUNT));
    task.host(libc::SYS_sendto, args![fd, bytes, len, flags, address(addr, addr_len), addr_len])
}

pub(super) fn sys_recvfrom(
    task: &mut Task,
    fd: Fd,
    to: BytesOut,
    len: u64,
    flags: MsgFlags,
    addr: UserAddr,
    addr_len: UserPtr<i32>,
) -> Result<u64, Errno> {
    let bytes = HostArg::Guest(to.0, len.min(MAX_RW_COUNT));
    let room = address_room(task, addr, addr_len);
    task.host(libc::SYS_recvfrom, args![fd, bytes, len, flags, room, addr_len])
}

/// A socket address that the host reads; it refuses a length that is negative or too long.
fn address(addr: UserAddr, len: i32) -> HostArg<'static> {
    HostArg::Guest(addr, u64::try_from(len).unwrap_or(0).min(MAX_ADDRESS))
}

/// Room for a socket address that the host writes.
fn address_room(task: &Task, addr: UserAddr, len: UserPtr<i32>) -> HostArg<'static> {
    let len = if addr.is_null() { 0 } else { task.process.mm.read(len).unwrap_or(0) };
    address(addr, len)
}

/// A level of options that no socket has: what it says to that, it says to one that is refused.
const NO_LEVEL: i32 = i32::MAX;

/// How the value of a socket option is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OptionValue {
    /// Bytes without addresses in them.
    Plain,
    /// `struct sock_fprog`: the address of a filter program.
    Filter,
    /// A descriptor.
    Descriptor,
    /// Not understood, or with addresses that nobody translates here.
    Unknown,
}

pub(super) fn sys_setsockopt(
    task: &mut Task,
    fd: Fd,
    level: i32,
    option: i32,
    value: UserAddr,
    len: i32,
) -> Result<u64, Errno> {
    match kind_of_option(level, option) {
        OptionValue::Plain => {
            let bytes = HostArg::Guest(value, u64::try_from(len).unwrap_or(0));
            task.host(libc::SYS_setsockopt, args![fd, level, option, bytes, len])
        }
        OptionValue::Filter => attach_filter(task, fd, level, option, UserPtr::new(value), len),
        OptionValue::Descriptor => {
            let Ok(named) = task.process.mm.read(UserPtr::<i32>::new(value)) else {
                return task.host(libc::SYS_setsockopt, args![fd, level, option, BAD, len]);
            };
            let host = hide_runner_fd(named).to_ne_bytes();
            task.host(libc::SYS_setsockopt, args![fd, level, option, &host[..], len.min(4)])
        }
        OptionValue::Unknown => {
            task.missing(format_args!("setsockopt level {level} option {option}"));
            task.host(libc::SYS_setsockopt, args![fd, NO_LEVEL, option, 0, 0])?;
            Err(Errno::ENOPROTOOPT)
        }
    }
}

pub(super) fn sys_getsockopt(
    task: &mut Task,
    fd: Fd,
    level: i32,
    option: i32,
    value: UserAddr,
    len: UserPtr<i32>,
) -> Result<u64, Errno> {
    if kind_of_option(level, option) == OptionValue::Unknown {
        task.missing(format_args!("getsockopt level {level} option {option}"));
        task.host(libc::SYS_getsockopt, args![fd, NO_LEVEL, option, 0, &mut [0; 4][..]])?;
        return Err(Errno::ENOPROTOOPT);
    }
    let room = task.process.mm.read(len).ok().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
    // The length of a filter is in instructions.
    let room = if (level, option) == (libc::SOL_SOCKET, libc::SO_GET_FILTER) { room * FILTER_STEP } else { room };
    task.host(libc::SYS_getsockopt, args![fd, level, option, HostArg::Guest(value, room), len])
}

/// Only levels whose options are known to be bytes, but for those that are named here.
fn kind_of_option(level: i32, option: i32) -> OptionValue {
    /// Options of the packet filters (`IPT_SO_*`, `IP6T_SO_*`, `ARPT_SO_*`, `EBT_SO_*`), which point to counters, and
    /// of the load balancer.
    const FIRST_FILTER: i32 = 64;
    const LAST_FILTER: i32 = 191;
    const FIRST_BALANCER: i32 = 1024;
    /// Where IPv6 has its own options among them: `IPV6_RECVTCLASS`, `IPV6_TCLASS`, and all from `IPV6_AUTOFLOWLABEL`
    /// to `IPV6_FREEBIND`.
    const AUTOFLOWLABEL: i32 = 70;
    const FREEBIND: i32 = 78;
    /// `PACKET_FANOUT_DATA`, which holds a `struct sock_fprog`.
    const PACKET_FANOUT_DATA: i32 = 22;
    /// `TCP_ZEROCOPY_RECEIVE`, which names an address to map pages at.
    const TCP_ZEROCOPY_RECEIVE: i32 = 35;
    match (level, option) {
        (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER | libc::SO_ATTACH_REUSEPORT_CBPF) => OptionValue::Filter,
        (libc::SOL_SOCKET, libc::SO_ATTACH_BPF | libc::SO_ATTACH_REUSEPORT_EBPF) => OptionValue::Descriptor,
        (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS | libc::IPV6_TCLASS | AUTOFLOWLABEL..=FREEBIND) => {
            OptionValue::Plain
        }
        (libc::IPPROTO_IP | libc::IPPROTO_IPV6, FIRST_FILTER..=LAST_FILTER | FIRST_BALANCER..) => OptionValue::Unknown,
        (libc::SOL_PACKET, PACKET_FANOUT_DATA) | (libc::IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE) => OptionValue::Unknown,
        _ if PLAIN_LEVELS.contains(&level) => OptionValue::Plain,
        _ => OptionValue::Unknown,
    }
}

/// Levels whose options are numbers, strings and structures without addresses in them.
const PLAIN_LEVELS: [i32; 16] = [
    libc::SOL_SOCKET,
    libc::IPPROTO_IP,
    libc::IPPROTO_ICMP,
    libc::IPPROTO_TCP,
    libc::IPPROTO_UDP,
    libc::IPPROTO_IPV6,
    libc::IPPROTO_ICMPV6,
    libc::IPPROTO_UDPLITE,
    libc::IPPROTO_RAW,
    libc::SOL_NETLINK,
    libc::SOL_PACKET,
    libc::SOL_CAN_RAW,
    libc::SOL_ALG,
    libc::SOL_TIPC,
    libc::AF_VSOCK,
    SOL_TLS,
];

/// Options of a TLS record layer under TCP (the kernel's `include/linux/socket.h`).
const SOL_TLS: i32 = 282;

/// Bytes of `struct sock_filter`.
const FILTER_STEP: u64 = 8;

/// `struct sock_fprog`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct FilterProgram {
    steps: u16,
    padding: [u16; 3],
    filter: u64,
}

fn attach_filter(
    task: &Task,
    fd: Fd,
    level: i32,
    option: i32,
    value: UserPtr<FilterProgram>,
    len: i32,
) -> Result<u64, Errno> {
    let mm = &task.process.mm;
    let Ok(guest) = mm.read(value) else {
        return task.host(libc::SYS_setsockopt, args![fd, level, option, BAD, len]);
    };
    let filter_len = usize::from(guest.steps) * 8;
    let filter = HostBuffer::new(mm, UserAddr::new(guest.filter), filter_len);
    let host = FilterProgram { filter: filter.hva(), ..guest };
    let len = len.min(i32::try_from(size_of::<FilterProgram>()).unwrap_or(0));
    task.host(libc::SYS_setsockopt, args![fd, level, option, host.as_bytes(), len])
}
