//! New processes: fork(2), vfork(2), clone(2), clone3(2) (the kernel's `kernel/fork.c`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::arg::Hex;
use crate::abi::clone::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_CLEAR_SIGHAND, CLONE_DETACHED, CLONE_FILES, CLONE_FS,
    CLONE_INTO_CGROUP, CLONE_IO, CLONE_NEWNS, CLONE_NEWUSER, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD,
    CLONE_SETTLS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_UNTRACED, CLONE_VFORK, CLONE_VM,
};
use crate::abi::{Errno, PAGE_SIZE, UserAddr};
use crate::proc::Task;
use crate::proc::clone::clone_thread;
use crate::proc::fork::{self, NewProcess};
use crate::signal;

/// `CSIGNAL`: the bits of clone(2)'s flags that are the exit signal.
const SIGNAL_BITS: u64 = 0xff;

pub(super) fn sys_fork(task: &mut Task) -> Result<u64, Errno> {
    let new = NewProcess { exit_signal: libc::SIGCHLD, ..NewProcess::default() };
    with_room(task, |task| fork::fork(task, &new))
}

pub(super) fn sys_vfork(task: &mut Task) -> Result<u64, Errno> {
    let flags = CLONE_VM | CLONE_VFORK;
    let new = NewProcess { flags, exit_signal: libc::SIGCHLD, ..NewProcess::default() };
    with_room(task, |task| fork::vfork(task, &new))
}

/// Where the host allows no more threads, the runner's own give way.
fn with_room(task: &mut Task, start: impl Fn(&mut Task) -> Result<u64, Errno>) -> Result<u64, Errno> {
    match start(task) {
        Err(Errno::EAGAIN) if task.end_other_threads() => start(task),
        result => result,
    }
}

pub(super) fn sys_clone(
    task: &mut Task,
    flags: Hex,
    stack: UserAddr,
    parent_tid: UserAddr,
    child_tid: UserAddr,
    tls: u64,
) -> Result<u64, Errno> {
    let exit_signal = i32::from(flags.0.to_le_bytes()[0]);
    let flags = flags.0 & u64::from(u32::MAX) & !SIGNAL_BITS;
    // Both would go to the same place.
    if flags & CLONE_PIDFD != 0 && flags & (CLONE_PARENT_SETTID | CLONE_DETACHED) != 0 {
        return Err(Errno::EINVAL);
    }
    let new =
        NewProcess { flags, exit_signal, stack, pidfd: parent_tid, parent_tid, child_tid, tls, ..Default::default() };
    start(task, &new)
}

/// The kernel's `struct clone_args`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Bytes of its first version (`CLONE_ARGS_SIZE_VER0`).
const FIRST_LEN: u64 = 64;
/// Most ids that can be asked for (`MAX_PID_NS_LEVEL`).
const MOST_TIDS: u64 = 32;

pub(super) fn sys_clone3(task: &mut Task, args: UserAddr, len: u64) -> Result<u64, Errno> {
    if len > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if len < FIRST_LEN {
        return Err(Errno::EINVAL);
    }
    let args = read_args(task, args, len)?;
    const MAX_SIGNAL: u64 = signal::mask::MAX_SIGNAL as u64;
    if args.set_tid_size > MOST_TIDS
        || (args.set_tid == 0) != (args.set_tid_size == 0)
        || args.exit_signal > MAX_SIGNAL
        || args.flags & (CLONE_DETACHED | SIGNAL_BITS) != 0
        || args.flags > (CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP | u64::from(u32::MAX))
        || args.flags & (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND) == CLONE_SIGHAND | CLONE_CLEAR_SIGHAND
        || args.flags & (CLONE_THREAD | CLONE_PARENT) != 0 && args.exit_signal != 0
        || (args.stack == 0) != (args.stack_size == 0)
    {
        return Err(Errno::EINVAL);
    }
    let new = NewProcess {
        flags: args.flags,
        exit_signal: i32::try_from(args.exit_signal).map_err(|_| Errno::EINVAL)?,
        stack: UserAddr::new(args.stack.wrapping_add(args.stack_size)),
        pidfd: UserAddr::new(args.pidfd),
        parent_tid: UserAddr::new(args.parent_tid),
        child_tid: UserAddr::new(args.child_tid),
        tls: args.tls,
        set_tid: (UserAddr::new(args.set_tid), args.set_tid_size),
        cgroup: args.cgroup,
    };
    start(task, &new)
}

/// A structure of this or another version; what is unknown of it must be zero (`copy_struct_from_user`).
fn read_args(task: &Task, from: UserAddr, len: u64) -> Result<CloneArgs, Errno> {
    let mut args = CloneArgs::default();
    let known = usize::try_from(len).map_err(|_| Errno::E2BIG)?.min(size_of::<CloneArgs>());
    let rest = len - known as u64;
    let mut tail = vec![0; usize::try_from(rest).map_err(|_| Errno::E2BIG)?];
    task.process.mm.copy_in(from.wrapping_add(known as u64), &mut tail)?;
    if tail.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    task.process.mm.copy_in(from, &mut args.as_mut_bytes()[..known])?;
    Ok(args)
}

/// Sorts out what is asked for; the order of checks is `copy_process`'s.
fn start(task: &mut Task, new: &NewProcess) -> Result<u64, Errno> {
    let has_all = |flags: u64| new.flags & flags == flags;
    if has_all(CLONE_NEWNS | CLONE_FS)
        || has_all(CLONE_NEWUSER | CLONE_FS)
        || has_all(CLONE_THREAD) && !has_all(CLONE_SIGHAND)
        || has_all(CLONE_SIGHAND) && !has_all(CLONE_VM)
    {
        return Err(Errno::EINVAL);
    }
    if has_all(CLONE_SETTLS) && new.tls >= crate::abi::TASK_SIZE {
        return Err(Errno::EPERM);
    }
    if has_all(CLONE_THREAD) {
        return with_room(task, |task| start_thread(task, new));
    }
    match (has_all(CLONE_VM), has_all(CLONE_VFORK), new.flags & CLONE_SIGHAND) {
        (true, true, _) => with_room(task, |task| fork::vfork(task, new)),
        (true, false, _) => with_room(task, |task| fork::share_memory(task, new)),
        (false, _, 0) => with_room(task, |task| fork::fork(task, new)),
        _ => {
            task.missing(format_args!("clone with flags {:#x}", new.flags));
            Err(Errno::ENOSYS)
        }
    }
}

/// A thread shares memory and actions of signals, and what else it does not ask to have for itself.
fn start_thread(task: &mut Task, new: &NewProcess) -> Result<u64, Errno> {
    /// Done for the thread, or of no consequence for one.
    const KNOWN: u64 = CLONE_VM
        | CLONE_SIGHAND
        | CLONE_THREAD
        | CLONE_FS
        | CLONE_FILES
        | CLONE_SETTLS
        | CLONE_PARENT_SETTID
        | CLONE_CHILD_SETTID
        | CLONE_CHILD_CLEARTID
        | CLONE_SYSVSEM
        | CLONE_DETACHED
        | CLONE_PARENT
        | CLONE_IO
        | CLONE_UNTRACED;
    if new.flags & !KNOWN != 0 || new.set_tid.1 != 0 {
        task.missing(format_args!("clone of a thread with flags {:#x}", new.flags));
        return Err(Errno::EINVAL);
    }
    clone_thread(task, new)
}
