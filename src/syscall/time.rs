//! Clocks, timers, sleeping (the kernel's `kernel/time/`). A timer of the guest's is one of the host process: its
//! signal reaches the guest as any other.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::{Clock, IntervalTimer};
use super::host::{HostArg, args, passthrough};
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;

passthrough! {
    sys_clock_settime(clock: Clock, time: UserPtr<libc::timespec>) = SYS_clock_settime;
    sys_clock_getres(clock: Clock, resolution: UserPtr<libc::timespec>) = SYS_clock_getres;
    sys_clock_nanosleep(clock: Clock, flags: i32, time: UserPtr<libc::timespec>, left: UserPtr<libc::timespec>)
        = SYS_clock_nanosleep;
    sys_clock_adjtime(clock: Clock, change: UserPtr<libc::timex>) = SYS_clock_adjtime;
    sys_adjtimex(change: UserPtr<libc::timex>) = SYS_adjtimex;
    sys_nanosleep(time: UserPtr<libc::timespec>, left: UserPtr<libc::timespec>) = SYS_nanosleep;
    sys_settimeofday(time: UserPtr<libc::timeval>, zone: UserPtr<libc::timezone>) = SYS_settimeofday;
    sys_times(times: UserPtr<libc::tms>) = SYS_times;
    sys_getitimer(timer: IntervalTimer, value: UserPtr<libc::itimerval>) = SYS_getitimer;
    sys_setitimer(timer: IntervalTimer, new: UserPtr<libc::itimerval>, old: UserPtr<libc::itimerval>) = SYS_setitimer;
    sys_alarm(seconds: u32) = SYS_alarm;
    sys_timer_settime(timer: i32, flags: i32, new: UserPtr<libc::itimerspec>, old: UserPtr<libc::itimerspec>)
        = SYS_timer_settime;
    sys_timer_gettime(timer: i32, value: UserPtr<libc::itimerspec>) = SYS_timer_gettime;
    sys_timer_getoverrun(timer: i32) = SYS_timer_getoverrun;
    sys_timer_delete(timer: i32) = SYS_timer_delete;
}

// Where they can be answered inside the guest, they are from the first one on that has left it.

pub(super) fn sys_clock_gettime(task: &mut Task, clock: Clock, time: UserPtr<libc::timespec>) -> Result<u64, Errno> {
    task.answer_clocks();
    task.host(libc::SYS_clock_gettime, args![clock, time])
}

pub(super) fn sys_gettimeofday(
    task: &mut Task,
    time: UserPtr<libc::timeval>,
    zone: UserPtr<libc::timezone>,
) -> Result<u64, Errno> {
    task.answer_clocks();
    task.host(libc::SYS_gettimeofday, args![time, zone])
}

pub(super) fn sys_time(task: &mut Task, time: UserPtr<i64>) -> Result<u64, Errno> {
    task.answer_clocks();
    task.host(libc::SYS_time, args![time])
}

/// The kernel's `struct sigevent`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct SigEvent {
    value: u64,
    signal: i32,
    notify: i32,
    rest: [u64; 6],
}

pub(super) fn sys_timer_create(
    task: &mut Task,
    clock: Clock,
    event: UserPtr<SigEvent>,
    timer: UserPtr<i32>,
) -> Result<u64, Errno> {
    task.end_masks_for_timers();
    if event.is_null() {
        return task.host(libc::SYS_timer_create, args![clock, 0u64, timer]);
    }
    let event = task.process.mm.read(event)?;
    task.host(libc::SYS_timer_create, args![clock, HostArg::In(event.as_bytes()), timer])
}
