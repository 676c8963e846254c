//! Descriptors: dup(2), fcntl(2), pipe(2), memfd_create(2) (the kernel's `fs/file.c`, `fs/fcntl.c`, `fs/pipe.c`).

use super::arg::{Fd, FdFlags, StrPtr};
use super::host::{HostArg, args, passthrough};
use super::nested::hide_runner_fd;
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::sys::descriptor::guest_limit;

/// Bytes of `struct flock`.
const FLOCK_LEN: u64 = 32;
/// Bytes of `struct f_owner_ex`, of a lifetime hint, and of the two ids of F_GETOWNER_UIDS.
const EIGHT: u64 = 8;
/// Longest name of a memfd with its NUL (`MFD_NAME_MAX_LEN` in the kernel's `mm/memfd.c`).
const MEMFD_NAME_MAX: usize = 250;

// Commands that the C library's headers lack (the kernel's `include/uapi/linux/fcntl.h`).
const F_SETOWN: i32 = 8;
const F_SETSIG: i32 = 10;
const F_GETSIG: i32 = 11;
const F_SETOWN_EX: i32 = 15;
const F_GETOWN_EX: i32 = 16;
const F_GETOWNER_UIDS: i32 = 17;
const F_DUPFD_QUERY: i32 = 1027;
const F_CREATED_QUERY: i32 = 1028;
const F_CANCELLK: i32 = 1029;
const F_GET_RW_HINT: i32 = 1035;
const F_SET_FILE_RW_HINT: i32 = 1038;

passthrough! {
    sys_dup(fd: Fd) = SYS_dup;
    sys_dup2(old: Fd, new: Fd) = SYS_dup2;
    sys_dup3(old: Fd, new: Fd, flags: FdFlags) = SYS_dup3;
    sys_pipe(ends: UserPtr<[i32; 2]>) = SYS_pipe;
    sys_pipe2(ends: UserPtr<[i32; 2]>, flags: FdFlags) = SYS_pipe2;
}

pub(super) fn sys_memfd_create(task: &mut Task, name: StrPtr, flags: u32) -> Result<u64, Errno> {
    let name = task.string(name.0, MEMFD_NAME_MAX);
    task.host(libc::SYS_memfd_create, args![&name, flags])
}

pub(super) fn sys_fcntl(task: &mut Task, fd: Fd, command: i32, arg: UserAddr) -> Result<u64, Errno> {
    let arg = match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => lowest_wanted(arg),
        F_DUPFD_QUERY => hide_runner_fd(low_half(arg)).into(),
        libc::F_GETFD
        | libc::F_SETFD
        | libc::F_GETFL
        | libc::F_SETFL
        | F_SETOWN
        | libc::F_GETOWN
        | F_SETSIG
        | F_GETSIG
        | libc::F_SETLEASE..=libc::F_NOTIFY
        | F_CREATED_QUERY
        | F_CANCELLK
        | libc::F_SETPIPE_SZ..=libc::F_GET_SEALS => HostArg::Int(arg.raw()),
        libc::F_GETLK..=libc::F_SETLKW | libc::F_OFD_GETLK..=libc::F_OFD_SETLKW => HostArg::Guest(arg, FLOCK_LEN),
        F_SETOWN_EX | F_GETOWN_EX | F_GETOWNER_UIDS | F_GET_RW_HINT..=F_SET_FILE_RW_HINT => HostArg::Guest(arg, EIGHT),
        _ => return refuse(task, fd, format_args!("fcntl command {command}")),
    };
    task.host(libc::SYS_fcntl, args![fd, command, arg])
}

/// The least number that a duplicate may get; the runner's numbers are as good as above the limit.
fn lowest_wanted(arg: UserAddr) -> HostArg<'static> {
    let number = low_half(arg);
    if number >= guest_limit() { HostArg::Int(u32::MAX.into()) } else { number.into() }
}

/// A register as the kernel takes it for an `int`.
fn low_half(arg: UserAddr) -> i32 {
    let [a, b, c, d, ..] = arg.raw().to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// `EINVAL`, unless the descriptor is the first thing that is wrong.
fn refuse(task: &Task, fd: Fd, what: std::fmt::Arguments<'_>) -> Result<u64, Errno> {
    task.host(libc::SYS_fcntl, args![fd, libc::F_GETFD])?;
    task.missing(what);
    Err(Errno::EINVAL)
}
