//! System V message queues, semaphores and shared memory (the kernel's `ipc/`).

use super::host::{HostArg, args, passthrough};
use super::iovec::MAX_RW_COUNT;
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

/// `struct timespec`.
type Timespec = [i64; 2];

// Commands that the C library's headers lack (the kernel's `include/uapi/linux/{msg,sem,shm}.h`).
const MSG_STAT_ANY: i32 = 13;
const SEM_STAT_ANY: i32 = 20;
const SHM_STAT: i32 = 13;
const SHM_INFO: i32 = 14;
const SHM_STAT_ANY: i32 = 15;

passthrough! {
    sys_msgget(key: i32, flags: i32) = SYS_msgget;
    sys_semget(key: i32, count: i32, flags: i32) = SYS_semget;
    sys_shmget(key: i32, len: u64, flags: i32) = SYS_shmget;
}

pub(super) fn sys_msgsnd(task: &mut Task, queue: i32, from: UserAddr, len: u64, flags: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_msgsnd, args![queue, message(from, len), len, flags])
}

pub(super) fn sys_msgrcv(
    task: &mut Task,
    queue: i32,
    to: UserAddr,
    len: u64,
    kind: i64,
    flags: i32,
) -> Result<u64, Errno> {
    task.host(libc::SYS_msgrcv, args![queue, message(to, len), len, kind, flags])
}

/// `struct msgbuf` with `len` bytes of text behind its type.
fn message(addr: UserAddr, len: u64) -> HostArg<'static> {
    HostArg::Guest(addr, len.min(MAX_RW_COUNT) + size_of::<i64>() as u64)
}

pub(super) fn sys_msgctl(task: &mut Task, queue: i32, command: i32, arg: UserAddr) -> Result<u64, Errno> {
    /// Bytes of `struct msqid64_ds`.
    const STATUS_LEN: u64 = 120;
    /// Bytes of `struct msginfo`.
    const LIMITS_LEN: u64 = 32;
    let arg = match command {
        libc::IPC_STAT | libc::IPC_SET | libc::MSG_STAT | MSG_STAT_ANY => HostArg::Guest(arg, STATUS_LEN),
        libc::IPC_INFO | libc::MSG_INFO => HostArg::Guest(arg, LIMITS_LEN),
        _ => HostArg::Int(0),
    };
    task.host(libc::SYS_msgctl, args![queue, command, arg])
}

pub(super) fn sys_semop(task: &mut Task, set: i32, operations: UserAddr, count: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_semop, args![set, semaphore_operations(operations, count), count])
}

pub(super) fn sys_semtimedop(
    task: &mut Task,
    set: i32,
    operations: UserAddr,
    count: u32,
    timeout: UserPtr<Timespec>,
) -> Result<u64, Errno> {
    task.host(libc::SYS_semtimedop, args![set, semaphore_operations(operations, count), count, timeout])
}

/// An array of `struct sembuf`.
fn semaphore_operations(addr: UserAddr, count: u32) -> HostArg<'static> {
    const OPERATION_LEN: u64 = 6;
    HostArg::Guest(addr, (u64::from(count) * OPERATION_LEN).min(MAX_RW_COUNT))
}

pub(super) fn sys_semctl(task: &mut Task, set: i32, semaphore: i32, command: i32, arg: UserAddr) -> Result<u64, Errno> {
    /// Bytes of `struct semid64_ds`.
    const STATUS_LEN: u64 = 104;
    /// Bytes of `struct seminfo`.
    const LIMITS_LEN: u64 = 40;
    /// Bytes of the values of as many semaphores as a set can have (`SEMMSL`).
    const VALUES_LEN: u64 = 32000 * 2;
    let arg = match command {
        libc::IPC_STAT | libc::IPC_SET | libc::SEM_STAT | SEM_STAT_ANY => HostArg::Guest(arg, STATUS_LEN),
        libc::IPC_INFO | libc::SEM_INFO => HostArg::Guest(arg, LIMITS_LEN),
        libc::GETALL | libc::SETALL => HostArg::Guest(arg, VALUES_LEN),
        libc::SETVAL => HostArg::Int(arg.raw()),
        _ => HostArg::Int(0),
    };
    task.host(libc::SYS_semctl, args![set, semaphore, command, arg])
}

pub(super) fn sys_shmctl(task: &mut Task, segment: i32, command: i32, arg: UserAddr) -> Result<u64, Errno> {
    /// Bytes of `struct shmid64_ds`.
    const STATUS_LEN: u64 = 112;
    /// Bytes of `struct shminfo64`.
    const LIMITS_LEN: u64 = 72;
    /// Bytes of `struct shm_info`.
    const USAGE_LEN: u64 = 48;
    let arg = match command {
        libc::IPC_STAT | libc::IPC_SET | SHM_STAT | SHM_STAT_ANY => HostArg::Guest(arg, STATUS_LEN),
        libc::IPC_INFO => HostArg::Guest(arg, LIMITS_LEN),
        SHM_INFO => HostArg::Guest(arg, USAGE_LEN),
        _ => HostArg::Int(0),
    };
    task.host(libc::SYS_shmctl, args![segment, command, arg])
}

pub(super) fn sys_shmat(task: &mut Task, segment: i32, addr: UserAddr, flags: i32) -> Result<UserAddr, Errno> {
    task.process.mm.attach(segment, addr, flags)
}

pub(super) fn sys_shmdt(task: &mut Task, addr: UserAddr) -> Result<(), Errno> {
    task.process.mm.detach(addr)
}
