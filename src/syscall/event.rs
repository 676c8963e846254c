//! Descriptors that report events: eventfd(2), epoll(7), timerfd_create(2), signalfd(2), inotify(7), fanotify(7).

use super::arg::{Fd, FdFlags, OpenFlags, PathPtr};
use super::host::{HostArg, args, passthrough};
use super::nested::MaskArg;
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;

/// `struct timespec`.
type Timespec = [i64; 2];
/// `struct itimerspec`.
type Itimerspec = [Timespec; 2];
/// `struct epoll_event`, which x86-64 packs.
type EpollEvent = [u8; 12];

passthrough! {
    sys_eventfd(count: u32) = SYS_eventfd;
    sys_eventfd2(count: u32, flags: FdFlags) = SYS_eventfd2;
    sys_epoll_create(size: i32) = SYS_epoll_create;
    sys_epoll_create1(flags: FdFlags) = SYS_epoll_create1;
    sys_epoll_ctl(epoll: Fd, operation: i32, fd: Fd, event: UserPtr<EpollEvent>) = SYS_epoll_ctl;
    sys_timerfd_create(clock: i32, flags: FdFlags) = SYS_timerfd_create;
    sys_timerfd_settime(fd: Fd, flags: i32, new: UserPtr<Itimerspec>, old: UserPtr<Itimerspec>) = SYS_timerfd_settime;
    sys_timerfd_gettime(fd: Fd, to: UserPtr<Itimerspec>) = SYS_timerfd_gettime;
    sys_inotify_init() = SYS_inotify_init;
    sys_inotify_init1(flags: FdFlags) = SYS_inotify_init1;
    sys_inotify_rm_watch(fd: Fd, watch: i32) = SYS_inotify_rm_watch;
}

pub(super) fn sys_epoll_wait(
    task: &mut Task,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    max: i32,
    timeout: i32,
) -> Result<u64, Errno> {
    task.wait_on_host(libc::SYS_epoll_wait, args![epoll, epoll_events(events, max), max, timeout])
}

pub(super) fn sys_epoll_pwait(
    task: &mut Task,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    max: i32,
    timeout: i32,
    mask: UserPtr<u64>,
    mask_size: u64,
) -> Result<u64, Errno> {
    let mask = MaskArg::read(task, mask, mask_size);
    let args = args![epoll, epoll_events(events, max), max, timeout, mask.arg(), mask_size];
    task.host_with_mask(mask.set(), libc::SYS_epoll_pwait, args)
}

pub(super) fn sys_epoll_pwait2(
    task: &mut Task,
    epoll: Fd,
    events: UserPtr<EpollEvent>,
    max: i32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<u64>,
    mask_size: u64,
) -> Result<u64, Errno> {
    let mask = MaskArg::read(task, mask, mask_size);
    let args = args![epoll, epoll_events(events, max), max, timeout, mask.arg(), mask_size];
    task.host_with_mask(mask.set(), libc::SYS_epoll_pwait2, args)
}

/// Room for `max` events; the host refuses a number that is not positive or too high.
fn epoll_events(events: UserPtr<EpollEvent>, max: i32) -> HostArg<'static> {
    const EVENT_LEN: u64 = size_of::<EpollEvent>() as u64;
    /// `EP_MAX_EVENTS` in the kernel's `fs/eventpoll.c`.
    const MAX_EVENTS: u64 = i32::MAX as u64 / EVENT_LEN;
    HostArg::Guest(events.addr(), u64::try_from(max).unwrap_or(0).min(MAX_EVENTS) * EVENT_LEN)
}

pub(super) fn sys_signalfd(task: &mut Task, fd: Fd, mask: UserPtr<u64>, mask_size: u64) -> Result<u64, Errno> {
    let mask = MaskArg::read(task, mask, mask_size);
    task.host(libc::SYS_signalfd, args![fd, mask.arg(), mask_size])
}

pub(super) fn sys_signalfd4(
    task: &mut Task,
    fd: Fd,
    mask: UserPtr<u64>,
    mask_size: u64,
    flags: FdFlags,
) -> Result<u64, Errno> {
    let mask = MaskArg::read(task, mask, mask_size);
    task.host(libc::SYS_signalfd4, args![fd, mask.arg(), mask_size, flags])
}

pub(super) fn sys_inotify_add_watch(task: &mut Task, fd: Fd, path: PathPtr, mask: u32) -> Result<u64, Errno> {
    let path = task.path(path);
    task.host(libc::SYS_inotify_add_watch, args![fd, &path, mask])
}

pub(super) fn sys_fanotify_init(task: &mut Task, flags: u32, event_flags: OpenFlags) -> Result<u64, Errno> {
    task.host(libc::SYS_fanotify_init, args![flags, event_flags.0])
}

pub(super) fn sys_fanotify_mark(
    task: &mut Task,
    fd: Fd,
    flags: u32,
    mask: u64,
    at: Fd,
    path: PathPtr,
) -> Result<u64, Errno> {
    let path = task.path(path);
    task.host(libc::SYS_fanotify_mark, args![fd, flags, mask, at, &path])
}
