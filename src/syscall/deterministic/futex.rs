//! Futexes (the kernel's `kernel/futex/`): who waits for which stands on the board, so that the order of waking is the
//! run's own.

use super::super::{IntoSysResult, SysResult};
use super::time::to_ns;
use super::{Restart, on_board, wait_for};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::Wait;

const SYS_FUTEX_WAKE: i64 = 454;
const SYS_FUTEX_REQUEUE: i64 = 456;

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    match nr {
        libc::SYS_futex => Some(futex(task, args).into_sys_result()),
        libc::SYS_futex_waitv | SYS_FUTEX_WAKE..=SYS_FUTEX_REQUEUE => {
            task.missing(format_args!("futex_waitv and its kin, in a deterministic run"));
            Some(Err(Errno::ENOSYS))
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers of 32 bits")]
fn futex(task: &mut Task, args: &[u64; 6]) -> Result<u64, Errno> {
    const FLAGS: u32 = (libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME).cast_unsigned();
    let [first, op, value, fourth, second, third] = *args;
    let (first, second) = (UserAddr::new(first), UserAddr::new(second));
    let (op, value, third) = (op as u32, value as u32, third as u32);
    if !first.raw().is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    let number = (op & !FLAGS).cast_signed();
    match number {
        libc::FUTEX_WAIT => wait(task, first, (value, u32::MAX), deadline(task, fourth, None)?),
        libc::FUTEX_WAIT_BITSET => {
            let is_realtime = op & libc::FUTEX_CLOCK_REALTIME.cast_unsigned() != 0;
            let clock = if is_realtime { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC };
            wait(task, first, (value, third), deadline(task, fourth, Some(clock))?)
        }
        libc::FUTEX_WAKE => wake(task, first, u32::MAX, value),
        libc::FUTEX_WAKE_BITSET => wake(task, first, third, value),
        libc::FUTEX_REQUEUE => requeue(task, [first, second], [value, fourth as u32]),
        libc::FUTEX_CMP_REQUEUE => {
            if read(task, first)? != third {
                return Err(Errno::EAGAIN);
            }
            requeue(task, [first, second], [value, fourth as u32])
        }
        libc::FUTEX_WAKE_OP => wake_op(task, [first, second], [value, fourth as u32], third),
        // The owner of a futex that hands on priority is known to the host by its own numbers.
        _ => {
            task.missing(format_args!("futex operation {number} in a deterministic run"));
            Err(Errno::ENOSYS)
        }
    }
}

/// A timeout that is relative, or a time of `clock`.
fn deadline(task: &Task, timeout: u64, clock: Option<i32>) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let time = to_ns(task.process.mm.read(UserPtr::new(UserAddr::new(timeout)))?)?;
    let (board, _) = on_board(task)?;
    Ok(Some(match clock {
        None => board.now().saturating_add(time),
        Some(clock) => board.deadline(clock, time),
    }))
}

fn read(task: &Task, addr: UserAddr) -> Result<u32, Errno> {
    task.process.mm.read(UserPtr::new(addr))
}

fn key(task: &Task, addr: UserAddr) -> Result<u64, Errno> {
    let determinism = task.process.determinism.as_ref().ok_or(Errno::ENOSYS)?;
    Ok(determinism.futex_key(&task.process.mm, addr))
}

fn wait(task: &mut Task, addr: UserAddr, (value, mask): (u32, u32), deadline: Option<u64>) -> Result<u64, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    if read(task, addr)? != value {
        return Err(Errno::EAGAIN);
    }
    let key = key(task, addr)?;
    let (board, seat) = on_board(task)?;
    board.queue(seat, key, mask);
    let woken = wait_for(task, (Wait::Futex, deadline), Restart::ByAction, |task| {
        let (board, seat) = on_board(task)?;
        Ok(board.is_woken(seat).then_some(0))
    });
    let (board, seat) = on_board(task)?;
    board.leave_queue(seat);
    woken?.ok_or(Errno::ETIMEDOUT)
}

fn wake(task: &Task, addr: UserAddr, mask: u32, most: u32) -> Result<u64, Errno> {
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    let key = key(task, addr)?;
    Ok(on_board(task)?.0.wake(key, mask, count(most)) as u64)
}

fn requeue(task: &Task, [from, to]: [UserAddr; 2], [nr_wake, nr_requeue]: [u32; 2]) -> Result<u64, Errno> {
    let (from, to) = (key(task, from)?, key(task, to)?);
    let (board, _) = on_board(task)?;
    let woken = board.wake(from, u32::MAX, count(nr_wake));
    Ok((woken + board.requeue(from, to, count(nr_requeue))) as u64)
}

/// A number that the kernel takes as signed; none below 0.
fn count(number: u32) -> usize {
    usize::try_from(number.cast_signed()).unwrap_or(0)
}

/// `futex_wake_op`: changes the second word, and wakes its waiters too if it was what the operation says.
fn wake_op(
    task: &Task,
    [first, second]: [UserAddr; 2],
    [nr_first, nr_second]: [u32; 2],
    operation: u32,
) -> Result<u64, Errno> {
    const SHIFT: u32 = 8;
    let kind = operation >> 28 & 7;
    let sign_extended = |bits: u32| (bits << 20).cast_signed() >> 20;
    let (mut argument, comparand) = (sign_extended(operation >> 12), sign_extended(operation));
    if operation >> 28 & SHIFT != 0 {
        argument = 1i32.wrapping_shl(argument.cast_unsigned());
    }
    let mut old = read(task, second)?;
    loop {
        let operand = argument.cast_unsigned();
        let new = match kind {
            0 => operand,
            1 => old.wrapping_add(operand),
            2 => old | operand,
            3 => old & !operand,
            4 => old ^ operand,
            _ => return Err(Errno::ENOSYS),
        };
        match task.process.mm.compare_exchange(second, old, new)? {
            seen if seen == old => break,
            seen => old = seen,
        }
    }
    let old = old.cast_signed();
    let is_met = match operation >> 24 & 0xf {
        0 => old == comparand,
        1 => old != comparand,
        2 => old < comparand,
        3 => old <= comparand,
        4 => old > comparand,
        5 => old >= comparand,
        _ => return Err(Errno::ENOSYS),
    };
    let (first, second) = (key(task, first)?, key(task, second)?);
    let (board, _) = on_board(task)?;
    let woken = board.wake(first, u32::MAX, count(nr_first));
    Ok((woken + if is_met { board.wake(second, u32::MAX, count(nr_second)) } else { 0 }) as u64)
}
