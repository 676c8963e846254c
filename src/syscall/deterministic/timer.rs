//! Timers in virtual time. One that ends sends its signal, or makes its descriptor readable, when a thread of its process
//! has the baton.

use super::super::arg::{Arg, Fd};
use super::super::host::args as host_args;
use super::super::{IntoSysResult, Outcome, SysResult};
use super::time::{Time, from_ns, host_clock, int, to_ns};
use super::{call, on_board};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::{Timer, TimerKind};
use crate::signal::held::SigInfo;
use crate::sys::capture;

const NS: u64 = 1_000_000_000;
const SI_TIMER: i32 = -2;

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    let pointer = |index: usize| UserAddr::new(args[index]);
    let number = int(args[0]);
    Some(match nr {
        libc::SYS_alarm => alarm(task, args[0] & u64::from(u32::MAX)).into_sys_result(),
        libc::SYS_setitimer => set_interval(task, number, [pointer(1), pointer(2)]).into_sys_result(),
        libc::SYS_getitimer => {
            interval_kind(number).and_then(|kind| show(task, kind, pointer(1), 1000).map(|()| 0u64)).into_sys_result()
        }
        libc::SYS_timer_create => create(task, number, [pointer(1), pointer(2)]).into_sys_result(),
        libc::SYS_timer_settime => {
            set(task, TimerKind::Posix(number), args[1], [pointer(2), pointer(3)]).into_sys_result()
        }
        libc::SYS_timer_gettime => {
            existing(task, number).and_then(|kind| show(task, kind, pointer(1), 1).map(|()| 0u64)).into_sys_result()
        }
        libc::SYS_timer_getoverrun => overrun(task, number).into_sys_result(),
        libc::SYS_timer_delete => delete(task, number).into_sys_result(),
        libc::SYS_timerfd_create => create_descriptor(task, args),
        libc::SYS_timerfd_settime => set_descriptor(task, args)?.into_sys_result(),
        libc::SYS_timerfd_gettime => {
            let kind = TimerKind::Descriptor(number);
            timers(task, |timers| timers.find(kind).is_some()).ok().filter(|is_known| *is_known)?;
            show(task, kind, pointer(1), 1).map(|()| 0u64).into_sys_result()
        }
        _ => return None,
    })
}

fn timers<T>(task: &Task, act: impl FnOnce(&mut crate::proc::determinism::Timers) -> T) -> Result<T, Errno> {
    let determinism = task.process.determinism.as_ref().ok_or(Errno::ENOSYS)?;
    let mut timers = determinism.timers();
    let result = act(&mut timers);
    let (board, seat) = on_board(task)?;
    board.set_timer(seat, timers.next_deadline());
    Ok(result)
}

/// Ends what has ended. One signal at a time: the next one follows when this has been delivered.
pub(in crate::syscall) fn send_due(task: &mut Task) {
    while !capture::needs_attention() {
        let Ok((board, _)) = on_board(task) else { return };
        let now = board.now();
        let Some(determinism) = &task.process.determinism else { return };
        if determinism.timers().next_deadline() > now {
            return;
        }
        let Ok(Some((timer, _))) = timers(task, |timers| timers.take_due(now)) else { return };
        if let TimerKind::Descriptor(fd) = timer.kind {
            make_readable(task, fd);
        }
        if let Some((info, thread)) = timer.signal {
            send(task, &info, thread);
        }
        if let Ok((board, _)) = on_board(task) {
            board.note_progress();
            board.note_signal();
        }
    }
}

fn send(task: &Task, info: &SigInfo, thread: Option<i32>) {
    use zerocopy::IntoBytes;
    let Ok((board, _)) = on_board(task) else { return };
    let process = nix::unistd::getpid().as_raw();
    // A thread that has ended gets nothing.
    let _ = match thread {
        None => task.host(libc::SYS_rt_sigqueueinfo, host_args![process, info.signal, info.as_bytes()]),
        Some(thread) => {
            let thread = board.host_id(thread);
            task.host(libc::SYS_rt_tgsigqueueinfo, host_args![process, thread, info.signal, info.as_bytes()])
        }
    };
}

/// The host's timer, which is never set to anything else, ends at once.
fn make_readable(task: &Task, fd: i32) {
    let at_once: [u64; 4] = [0, 0, 0, 1];
    use zerocopy::IntoBytes;
    let _ = task.host(libc::SYS_timerfd_settime, host_args![fd, 0i32, at_once.as_bytes(), 0u64]);
}

/// Which timer of setitimer(2). Virtual time is processor time as well.
fn interval_kind(which: i32) -> Result<TimerKind, Errno> {
    if (0..=2).contains(&which) { Ok(TimerKind::Interval(which)) } else { Err(Errno::EINVAL) }
}

/// What is left and the interval (ns) of a timer.
fn state(task: &Task, kind: TimerKind) -> Result<(u64, u64), Errno> {
    let now = on_board(task)?.0.now();
    timers(task, |timers| {
        let timer = timers.find(kind)?;
        Some((timer.deadline.map_or(0, |deadline| deadline.saturating_sub(now).max(1)), timer.interval))
    })
    .map(Option::unwrap_or_default)
}

/// Writes interval and rest; `unit` is 1 for nanoseconds and 1000 for microseconds.
fn show(task: &Task, kind: TimerKind, to: UserAddr, unit: u64) -> Result<(), Errno> {
    let (left, interval) = state(task, kind)?;
    let time = |ns: u64| {
        let [seconds, rest] = from_ns(ns);
        [seconds, rest / unit]
    };
    task.process.mm.write(UserPtr::<[Time; 2]>::new(to), &[time(interval), time(left)])
}

fn alarm(task: &Task, seconds: u64) -> Result<u64, Errno> {
    let (left, _) = state(task, TimerKind::Interval(libc::ITIMER_REAL))?;
    put_interval(task, libc::ITIMER_REAL, (seconds * NS, 0))?;
    Ok(left.div_ceil(NS))
}

fn put_interval(task: &Task, which: i32, (time, interval): (u64, u64)) -> Result<(), Errno> {
    let now = on_board(task)?.0.now();
    let deadline = (time != 0).then(|| now.saturating_add(time));
    timers(task, |timers| timers.put(Timer::of_interval(which, deadline, interval)))
}

fn set_interval(task: &Task, which: i32, [new, old]: [UserAddr; 2]) -> Result<u64, Errno> {
    let kind = interval_kind(which)?;
    let [interval, value] =
        if new.is_null() { [[0; 2]; 2] } else { task.process.mm.read(UserPtr::<[Time; 2]>::new(new))? };
    let time = |[seconds, micros]: Time| to_ns([seconds, micros.saturating_mul(1000)]);
    let (value, interval) = (time(value)?, time(interval)?);
    if !old.is_null() {
        show(task, kind, old, 1000)?;
    }
    put_interval(task, which, (value, interval)).map(|()| 0)
}

fn create(task: &Task, clock: i32, [event, to]: [UserAddr; 2]) -> Result<u64, Errno> {
    const SIGEV_NONE: i32 = 1;
    const SIGEV_THREAD_ID: i32 = 4;
    let kind = TimerKind::Posix(timers(task, crate::proc::determinism::Timers::next_number)?);
    let TimerKind::Posix(number) = kind else { return Err(Errno::EINVAL) };
    // The value is two words, then the signal, how it is told, and the thread.
    let [low, high, signal, notify, thread] = if event.is_null() {
        [number, 0, libc::SIGALRM, 0, 0]
    } else {
        task.process.mm.read(UserPtr::<[i32; 5]>::new(event))?
    };
    let info = {
        let mut info = SigInfo::sent(signal, SI_TIMER, number, 0);
        (info.rest[2], info.rest[3]) = (low.cast_unsigned(), high.cast_unsigned());
        info
    };
    check(task, clock, [low, high, signal, notify, thread])?;
    let thread = (notify & SIGEV_THREAD_ID != 0).then_some(thread);
    let signal = (notify & SIGEV_NONE == 0).then_some((info, thread));
    task.process.mm.write(UserPtr::new(to), &number)?;
    timers(task, |timers| timers.put(Timer { kind, clock, deadline: None, interval: 0, signal, overrun: 0 }))?;
    Ok(0)
}

/// Would Linux make a timer for this clock, which tells of its end in this way?
fn check(task: &Task, clock: i32, [low, high, signal, notify, thread]: [i32; 5]) -> Result<(), Errno> {
    let mut event = [0i32; 16];
    event[..5].copy_from_slice(&[low, high, signal, notify, on_board(task)?.0.host_id(thread)]);
    let mut made = [0i32];
    use zerocopy::IntoBytes;
    task.host(libc::SYS_timer_create, host_args![host_clock(task, clock)?, event.as_bytes(), made.as_mut_bytes()])?;
    task.host(libc::SYS_timer_delete, host_args![made[0]]).map(drop)
}

fn existing(task: &Task, number: i32) -> Result<TimerKind, Errno> {
    let kind = TimerKind::Posix(number);
    if timers(task, |timers| timers.find(kind).is_some())? { Ok(kind) } else { Err(Errno::EINVAL) }
}

fn set(task: &Task, kind: TimerKind, flags: u64, [new, old]: [UserAddr; 2]) -> Result<u64, Errno> {
    const TIMER_ABSTIME: u64 = 1;
    let [interval, value] = task.process.mm.read(UserPtr::<[Time; 2]>::new(new))?;
    let (value, interval) = (to_ns(value)?, to_ns(interval)?);
    if !old.is_null() {
        show(task, kind, old, 1)?;
    }
    let (board, _) = on_board(task)?;
    let now = board.now();
    timers(task, |timers| {
        let timer = timers.find(kind).ok_or(Errno::EINVAL)?;
        let end =
            if flags & TIMER_ABSTIME != 0 { board.deadline(timer.clock, value) } else { now.saturating_add(value) };
        timer.deadline = (value != 0).then_some(end);
        timer.interval = interval;
        Ok(0)
    })?
}

fn overrun(task: &Task, number: i32) -> Result<u64, Errno> {
    let found = timers(task, |timers| timers.find(TimerKind::Posix(number)).map(|timer| timer.overrun))?;
    found.map(|overrun| u64::from(overrun.unsigned_abs())).ok_or(Errno::EINVAL)
}

fn delete(task: &Task, number: i32) -> Result<u64, Errno> {
    if timers(task, |timers| timers.remove(TimerKind::Posix(number)))? { Ok(0) } else { Err(Errno::EINVAL) }
}

fn create_descriptor(task: &mut Task, args: &[u64; 6]) -> SysResult {
    let result = call(task, libc::SYS_timerfd_create, args);
    if let Ok(Outcome::Value(fd)) = result {
        let kind = TimerKind::Descriptor(i32::try_from(fd).unwrap_or(-1));
        let timer = Timer { kind, clock: int(args[0]), deadline: None, interval: 0, signal: None, overrun: 0 };
        timers(task, |timers| timers.put(timer))?;
    }
    result
}

/// `None` if the descriptor is none that this process made.
fn set_descriptor(task: &mut Task, args: &[u64; 6]) -> Option<Result<u64, Errno>> {
    let kind = TimerKind::Descriptor(Fd::decode(args[0]).ok()?.raw());
    if !timers(task, |timers| timers.find(kind).is_some()).ok()? {
        task.missing(format_args!("a timer of another process, in a deterministic run"));
        return Some(Err(Errno::EINVAL));
    }
    // The host's is not readable any more.
    let never = [0u8; 32];
    if let Err(errno) = task.host(libc::SYS_timerfd_settime, host_args![args[0], 0i32, never.as_slice(), 0u64]) {
        return Some(Err(errno));
    }
    Some(set(task, kind, args[1], [UserAddr::new(args[2]), UserAddr::new(args[3])]))
}
