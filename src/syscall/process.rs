//! Process and thread: exit, wait, arch_prctl, and descriptors of processes.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arg::{Arg, ArgKind, Fd, Hex, Packed};
use super::host::{HostArg, args, passthrough};
use super::{Outcome, SysResult};
use crate::abi::clone::{CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM};
use crate::abi::{Errno, TASK_SIZE, UserAddr, UserPtr};
use crate::proc::{End, ExitStatus, Task};

pub(super) fn sys_exit(task: &mut Task, status: i32) -> SysResult {
    // A signal to the process that this thread has caught is not to be lost with it.
    task.signals.hold_off()?;
    let [code, ..] = status.to_le_bytes();
    Ok(Outcome::Exit(End::Thread(code)))
}

pub(super) fn sys_exit_group(_task: &mut Task, status: i32) -> SysResult {
    Ok(Outcome::Exit(End::Process(ExitStatus::code(status))))
}

const ARCH_SET_GS: i32 = 0x1001;
const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;
const ARCH_GET_GS: i32 = 0x1004;

/// What arch_prctl(2) does.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArchCode(i32);

impl Arg for ArchCode {
    const KIND: ArgKind = ArgKind::Packed(&Packed {
        mask: 0xffff_ffff,
        values: &[("ARCH_SET_GS", 0x1001), ("ARCH_SET_FS", 0x1002), ("ARCH_GET_FS", 0x1003), ("ARCH_GET_GS", 0x1004)],
        flags: &[],
    });

    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(Self(i32::decode(raw)?))
    }
}

pub(super) fn sys_arch_prctl(task: &mut Task, code: ArchCode, addr: UserAddr) -> Result<(), Errno> {
    let (fs, gs) = task.segment_bases()?;
    match code.0 {
        ARCH_SET_FS | ARCH_SET_GS if addr.raw() >= TASK_SIZE => Err(Errno::EPERM),
        ARCH_SET_FS => task.set_segment_bases(addr.raw(), gs),
        ARCH_SET_GS => task.set_segment_bases(fs, addr.raw()),
        ARCH_GET_FS => task.process.mm.write(UserPtr::new(addr), &fs),
        ARCH_GET_GS => task.process.mm.write(UserPtr::new(addr), &gs),
        _ => {
            task.missing(format_args!("arch_prctl code {:#x}", code.0));
            Err(Errno::EINVAL)
        }
    }
}

pub(super) fn sys_set_tid_address(task: &mut Task, addr: UserAddr) -> u64 {
    task.clear_child_tid = addr;
    u64::from(task.tid().as_raw().unsigned_abs())
}

passthrough! {
    sys_waitid(
        kind: i32,
        id: i32,
        info: UserPtr<libc::siginfo_t>,
        options: i32,
        usage: UserPtr<libc::rusage>
    ) = SYS_waitid;
    sys_pidfd_open(pid: i32, flags: u32) = SYS_pidfd_open;
}

/// What threads share, a single one has for itself. The host may see a thread more: KVM's own.
pub(super) fn sys_unshare(task: &mut Task, what: Hex) -> Result<u64, Errno> {
    const OF_THREADS: u64 = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    if what.0 & CLONE_FILES != 0 {
        before_unsharing_descriptors(task);
    }
    let what = if is_alone(task) { what.0 & !OF_THREADS } else { what.0 };
    as_single_thread(task, |task| task.host(libc::SYS_unshare, args![what]))
}

/// To be called before the thread gets a table of descriptors of its own, if it shares one.
pub(super) fn before_unsharing_descriptors(task: &Task) {
    if !is_alone(task) {
        task.process.mm.machine().note_unshared_descriptors();
    }
}

pub(super) fn sys_setns(task: &mut Task, namespace: Fd, kind: Hex) -> Result<u64, Errno> {
    as_single_thread(task, |task| task.host(libc::SYS_setns, args![namespace, kind]))
}

fn is_alone(task: &Task) -> bool {
    let process = &task.process;
    // A process that is not a thread can share memory and handlers, too.
    process.threads.is_single() && Arc::strong_count(&process.mm) == 1 && Arc::strong_count(&process.actions) == 1
}

/// Makes a call that the host refuses to processes of several threads, once more without KVM's.
fn as_single_thread(task: &mut Task, call: impl Fn(&mut Task) -> Result<u64, Errno>) -> Result<u64, Errno> {
    // In another namespace of users.
    task.forget_user_ids();
    match call(task) {
        Err(errno) if means_threads(errno) && is_alone(task) => {
            let process = task.process.clone();
            let _limits = process.limits.hold();
            process.mm.machine().renew(&mut task.vcpu).map_err(|_| Errno::ENOMEM)?;
            until_alone_on_host(|| call(task))
        }
        result => result,
    }
}

fn means_threads(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::EUSERS)
}

/// KVM's thread is counted for a moment after its VM is gone: it says that it ends before it does (`vhost_task_fn`).
fn until_alone_on_host(mut call: impl FnMut() -> Result<u64, Errno>) -> Result<u64, Errno> {
    const PAUSE: Duration = Duration::from_micros(100);
    const LONGEST: Duration = Duration::from_secs(2);
    let started = Instant::now();
    loop {
        let is_last = is_single_on_host() || started.elapsed() > LONGEST;
        match call() {
            Err(errno) if means_threads(errno) && !is_last => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
}

/// Has the host process one thread? A folder has two links and one for each of those in it.
fn is_single_on_host() -> bool {
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() <= 3)
}

/// A descriptor of the runner's cannot be had this way, nor one of that number of any other process.
pub(super) fn sys_pidfd_getfd(task: &mut Task, process: Fd, wanted: Fd, flags: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_pidfd_getfd, args![process, wanted, flags])
}

pub(super) fn sys_kcmp(
    task: &mut Task,
    first: i32,
    second: i32,
    kind: i32,
    one: u64,
    other: u64,
) -> Result<u64, Errno> {
    const KCMP_FILE: i32 = 0;
    const KCMP_EPOLL_TFD: i32 = 7;
    let other = match kind {
        KCMP_FILE => {
            // Numbers of the runner's descriptors are nobody's.
            Fd::decode(one)?;
            Fd::decode(other)?.into()
        }
        KCMP_EPOLL_TFD => UserPtr::<[u32; 3]>::new(UserAddr::new(other)).into(),
        _ => HostArg::Int(other),
    };
    task.host(libc::SYS_kcmp, args![first, second, kind, one, other])
}
