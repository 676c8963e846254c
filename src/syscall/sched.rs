//! Scheduling: a guest thread is a host thread (the kernel's `kernel/sched/syscalls.c`, `block/ioprio.c`).

use super::arg::Policy;
use super::host::{HostArg, args, passthrough};
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::proc::Task;

passthrough! {
    sys_sched_yield() = SYS_sched_yield;
    sys_sched_setparam(pid: i32, param: UserPtr<i32>) = SYS_sched_setparam;
    sys_sched_getparam(pid: i32, param: UserPtr<i32>) = SYS_sched_getparam;
    sys_sched_setscheduler(pid: i32, policy: Policy, param: UserPtr<i32>) = SYS_sched_setscheduler;
    sys_sched_getscheduler(pid: i32) = SYS_sched_getscheduler;
    sys_sched_get_priority_max(policy: Policy) = SYS_sched_get_priority_max;
    sys_sched_get_priority_min(policy: Policy) = SYS_sched_get_priority_min;
    sys_sched_rr_get_interval(pid: i32, interval: UserPtr<libc::timespec>) = SYS_sched_rr_get_interval;
    sys_getpriority(which: i32, who: i32) = SYS_getpriority;
    sys_setpriority(which: i32, who: i32, nice: i32) = SYS_setpriority;
    sys_ioprio_set(which: i32, who: i32, priority: i32) = SYS_ioprio_set;
    sys_ioprio_get(which: i32, who: i32) = SYS_ioprio_get;
    sys_getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>, unused: u64) = SYS_getcpu;
}

/// A structure or mask whose length the guest tells; the kernel looks at no more than a page.
fn sized(addr: UserAddr, len: u32) -> HostArg<'static> {
    HostArg::Guest(addr, u64::from(len).min(PAGE_SIZE))
}

pub(super) fn sys_sched_setaffinity(task: &mut Task, pid: i32, len: u32, mask: UserAddr) -> Result<u64, Errno> {
    task.host(libc::SYS_sched_setaffinity, args![pid, len, sized(mask, len)])
}

pub(super) fn sys_sched_getaffinity(task: &mut Task, pid: i32, len: u32, mask: UserAddr) -> Result<u64, Errno> {
    task.host(libc::SYS_sched_getaffinity, args![pid, len, sized(mask, len)])
}

pub(super) fn sys_sched_setattr(task: &mut Task, pid: i32, attr: UserAddr, flags: u32) -> Result<u64, Errno> {
    // Its length stands in it.
    task.host(libc::SYS_sched_setattr, args![pid, sized(attr, u32::MAX), flags])
}

pub(super) fn sys_sched_getattr(task: &mut Task, pid: i32, attr: UserAddr, len: u32, flags: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_sched_getattr, args![pid, sized(attr, len), len, flags])
}
