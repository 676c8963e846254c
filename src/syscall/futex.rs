//! Futexes (the kernel's `kernel/futex/`). A futex word of the guest's is host memory, so the host's futexes are the
//! guest's, those shared with other processes too.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::{FutexOp, Hex};
use super::host::{HostArg, args};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

/// Numbers that libc does not know.
const SYS_FUTEX_WAKE: i64 = 454;
const SYS_FUTEX_WAIT: i64 = 455;
const SYS_FUTEX_REQUEUE: i64 = 456;

/// A futex word. It never goes through a copy: the address itself is what waiters share.
fn word(addr: UserAddr) -> HostArg<'static> {
    HostArg::Guest(addr, 1)
}

pub(super) fn sys_futex(
    task: &mut Task,
    first: UserAddr,
    op: FutexOp,
    value: u32,
    timeout: u64,
    second: UserAddr,
    value3: u32,
) -> Result<u64, Errno> {
    const FLAGS: i32 = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
    let fourth = match op.0 & !FLAGS {
        libc::FUTEX_WAIT
        | libc::FUTEX_WAIT_BITSET
        | libc::FUTEX_WAIT_REQUEUE_PI
        | libc::FUTEX_LOCK_PI
        | libc::FUTEX_LOCK_PI2 => UserPtr::<libc::timespec>::new(UserAddr::new(timeout)).into(),
        // A number here.
        _ => HostArg::Int(timeout),
    };
    task.host(libc::SYS_futex, args![word(first), op, value, fourth, word(second), value3])
}

/// The kernel's `struct futex_waitv`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Waiter {
    value: u64,
    addr: u64,
    flags: u32,
    reserved: u32,
}

impl Task {
    fn waiters(&self, from: UserPtr<Waiter>, count: usize) -> Result<Vec<Waiter>, Errno> {
        let mut waiters = self.process.mm.read_array(from, count)?;
        for waiter in &mut waiters {
            waiter.addr = self.process.mm.hva(waiter.addr);
        }
        Ok(waiters)
    }
}

pub(super) fn sys_futex_waitv(
    task: &mut Task,
    waiters: UserPtr<Waiter>,
    count: u32,
    flags: u32,
    timeout: UserPtr<libc::timespec>,
    clock: i32,
) -> Result<u64, Errno> {
    /// `FUTEX_WAITV_MAX`
    const MAX: usize = 128;
    let number = usize::try_from(count).unwrap_or(usize::MAX);
    if flags != 0 || number == 0 || number > MAX || waiters.is_null() {
        return Err(Errno::EINVAL);
    }
    let waiters = task.waiters(waiters, number)?;
    task.host(libc::SYS_futex_waitv, args![waiters.as_slice().as_bytes(), count, flags, timeout, clock])
}

pub(super) fn sys_futex_wake(task: &mut Task, addr: UserAddr, mask: Hex, count: i32, flags: Hex) -> Result<u64, Errno> {
    task.host(SYS_FUTEX_WAKE, args![word(addr), mask, count, flags])
}

pub(super) fn sys_futex_wait(
    task: &mut Task,
    addr: UserAddr,
    value: u64,
    mask: Hex,
    flags: Hex,
    timeout: UserPtr<libc::timespec>,
    clock: i32,
) -> Result<u64, Errno> {
    task.host(SYS_FUTEX_WAIT, args![word(addr), value, mask, flags, timeout, clock])
}

pub(super) fn sys_futex_requeue(
    task: &mut Task,
    waiters: UserPtr<Waiter>,
    flags: u32,
    nr_wake: i32,
    nr_requeue: i32,
) -> Result<u64, Errno> {
    if flags != 0 || waiters.is_null() {
        return Err(Errno::EINVAL);
    }
    // From the first to the second.
    let waiters = task.waiters(waiters, 2)?;
    task.host(SYS_FUTEX_REQUEUE, args![waiters.as_slice().as_bytes(), flags, nr_wake, nr_requeue])
}

/// Bytes of the kernel's `struct robust_list_head`.
const ROBUST_LIST_HEAD_LEN: u64 = 24;

pub(super) fn sys_set_robust_list(task: &mut Task, head: UserAddr, len: u64) -> Result<(), Errno> {
    if len != ROBUST_LIST_HEAD_LEN {
        return Err(Errno::EINVAL);
    }
    task.robust_list.set_head(head);
    Ok(())
}

pub(super) fn sys_get_robust_list(
    task: &mut Task,
    pid: i32,
    head: UserPtr<u64>,
    len: UserPtr<u64>,
) -> Result<(), Errno> {
    let list = match pid {
        0 => task.robust_list.clone(),
        _ => task.process.threads.robust_list(pid).ok_or_else(|| other_robust_list(task, pid))?,
    };
    let mm = &task.process.mm;
    mm.write(len, &ROBUST_LIST_HEAD_LEN)?;
    mm.write(head, &list.head().raw())
}

/// What the host says about another process's thread is right when it refuses; the list that it has is not a guest's.
fn other_robust_list(task: &Task, pid: i32) -> Errno {
    let (mut head, mut len) = ([0; 8], [0; 8]);
    let result = task.host(libc::SYS_get_robust_list, args![pid, head.as_mut_slice(), len.as_mut_slice()]);
    result.err().unwrap_or_else(|| {
        task.missing(format_args!("get_robust_list of another process"));
        Errno::EPERM
    })
}

/// Guest threads are host threads, and what reaches their processors makes them leave the guest.
pub(super) fn sys_membarrier(task: &mut Task, command: i32, flags: u32, cpu: i32) -> Result<u64, Errno> {
    const QUERY: i32 = libc::MEMBARRIER_CMD_QUERY;
    /// Private expedited commands for restartable sequences, which there are none of.
    const RSEQ: i32 = 1 << 7 | 1 << 8;
    if command & RSEQ != 0 {
        task.missing(format_args!("membarrier for rseq"));
        return Err(Errno::EINVAL);
    }
    let result = task.host(libc::SYS_membarrier, args![command, flags, cpu])?;
    if command == QUERY { Ok(result & !u64::from(RSEQ.unsigned_abs())) } else { Ok(result) }
}
