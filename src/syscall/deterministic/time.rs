//! Clocks and sleeping, in virtual time.

use super::super::host::{HostArg, args as host_args};
use super::super::{IntoSysResult, SysResult};
use super::{Restart, on_board, wait_for};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::Wait;

const NS: u64 = 1_000_000_000;

/// `struct timespec`, and `struct timeval` with microseconds.
pub(super) type Time = [u64; 2];

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    let pointer = |index: usize| UserAddr::new(args[index]);
    let clock = int(args[0]);
    Some(match nr {
        libc::SYS_clock_gettime => show(task, clock, pointer(1)).into_sys_result(),
        libc::SYS_clock_getres => resolution(task, clock, pointer(1)).into_sys_result(),
        libc::SYS_gettimeofday => time_of_day(task, pointer(0), pointer(1)).into_sys_result(),
        libc::SYS_time => seconds(task, pointer(0)).into_sys_result(),
        libc::SYS_nanosleep => sleep(task, (libc::CLOCK_MONOTONIC, false), pointer(0), pointer(1)).into_sys_result(),
        libc::SYS_clock_nanosleep => {
            let is_absolute = args[1] & 1 != 0;
            sleep(task, (clock, is_absolute), pointer(2), pointer(3)).into_sys_result()
        }
        libc::SYS_clock_settime | libc::SYS_settimeofday => Err(Errno::EPERM),
        libc::SYS_adjtimex | libc::SYS_clock_adjtime => {
            task.missing(format_args!("the state of the host's clock, in a deterministic run"));
            Err(Errno::EPERM)
        }
        _ => return None,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "as the kernel takes it")]
pub(super) fn int(raw: u64) -> i32 {
    raw as u32 as i32
}

pub(super) fn from_ns(ns: u64) -> Time {
    [ns / NS, ns % NS]
}

/// `EINVAL` if it is none.
pub(super) fn to_ns([seconds, nanoseconds]: Time) -> Result<u64, Errno> {
    if seconds > i64::MAX.cast_unsigned() || nanoseconds >= NS {
        return Err(Errno::EINVAL);
    }
    Ok(seconds.saturating_mul(NS).saturating_add(nanoseconds))
}

/// The clock `clock` for the host: that of a process or thread is by its number.
pub(super) fn host_clock(task: &Task, clock: i32) -> Result<i32, Errno> {
    /// Which of its clocks, and whether it is a thread.
    const KIND: i32 = 7;
    /// That of a descriptor.
    const DEVICE: i32 = 3;
    let number = !(clock >> 3);
    if clock >= 0 || clock & KIND == DEVICE || number == 0 {
        return Ok(clock);
    }
    Ok(!on_board(task)?.0.host_id(number) << 3 | clock & KIND)
}

/// `EINVAL` if there is none such.
fn check_clock(task: &Task, clock: i32) -> Result<(), Errno> {
    let clock = host_clock(task, clock)?;
    task.host(libc::SYS_clock_getres, host_args![clock, 0u64]).map(drop)
}

fn resolution(task: &Task, clock: i32, to: UserAddr) -> Result<u64, Errno> {
    let clock = host_clock(task, clock)?;
    task.host(libc::SYS_clock_getres, host_args![clock, HostArg::Guest(to, size_of::<Time>() as u64)])
}

fn show(task: &Task, clock: i32, to: UserAddr) -> Result<(), Errno> {
    check_clock(task, clock)?;
    let now = on_board(task)?.0.read(clock);
    task.process.mm.write(UserPtr::new(to), &from_ns(now))
}

fn time_of_day(task: &Task, time: UserAddr, zone: UserAddr) -> Result<(), Errno> {
    let [seconds, nanoseconds] = from_ns(on_board(task)?.0.read(libc::CLOCK_REALTIME));
    if !time.is_null() {
        task.process.mm.write(UserPtr::new(time), &[seconds, nanoseconds / 1000])?;
    }
    if !zone.is_null() {
        task.process.mm.write(UserPtr::new(zone), &0u64)?;
    }
    Ok(())
}

fn seconds(task: &Task, to: UserAddr) -> Result<u64, Errno> {
    let [seconds, _] = from_ns(on_board(task)?.0.read(libc::CLOCK_REALTIME));
    if !to.is_null() {
        task.process.mm.write(UserPtr::new(to), &seconds)?;
    }
    Ok(seconds)
}

fn sleep(task: &mut Task, (clock, is_absolute): (i32, bool), time: UserAddr, left: UserAddr) -> Result<(), Errno> {
    check_clock(task, clock)?;
    if clock == libc::CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL);
    }
    if [libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_REALTIME_COARSE, libc::CLOCK_MONOTONIC_COARSE].contains(&clock) {
        return Err(Errno::EOPNOTSUPP);
    }
    let time = to_ns(task.process.mm.read(UserPtr::new(time))?)?;
    let (board, _) = on_board(task)?;
    let deadline = if is_absolute { board.deadline(clock, time) } else { board.now().saturating_add(time) };
    let slept = wait_for::<()>(task, (Wait::Signal, Some(deadline)), Restart::Never, |_| Ok(None));
    if slept == Err(Errno::EINTR) && !is_absolute && !left.is_null() {
        let rest = deadline.saturating_sub(on_board(task)?.0.now());
        task.process.mm.write(UserPtr::new(left), &from_ns(rest))?;
    }
    slept.map(drop)
}
