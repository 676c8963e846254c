//! Memory of other processes, and of one's own by the same calls (the kernel's `mm/process_vm_access.c`).

use nix::unistd::{Pid, getpid};

use super::host::args;
use super::iovec::{HostIovecs, Iovec};
use super::procfs;
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;
use crate::sys::tgkill;

pub(super) fn sys_process_vm_readv(
    task: &mut Task,
    pid: i32,
    local: UserPtr<Iovec>,
    nr_local: u32,
    remote: UserPtr<Iovec>,
    nr_remote: u64,
    flags: u64,
) -> Result<u64, Errno> {
    let local = task.iovecs(local, nr_local.into())?;
    let remote = remote_iovecs(task, pid, remote, nr_remote)?;
    task.host(libc::SYS_process_vm_readv, args![pid, &local, local.count(), &remote, remote.count(), flags])
}

pub(super) fn sys_process_vm_writev(
    task: &mut Task,
    pid: i32,
    local: UserPtr<Iovec>,
    nr_local: u32,
    remote: UserPtr<Iovec>,
    nr_remote: u64,
    flags: u64,
) -> Result<u64, Errno> {
    let local = task.iovecs(local, nr_local.into())?;
    let remote = remote_iovecs(task, pid, remote, nr_remote)?;
    task.host(libc::SYS_process_vm_writev, args![pid, &local, local.count(), &remote, remote.count(), flags])
}

/// The array of remote addresses: the guest's own are translated, those of any other process mean something there
/// alone.
fn remote_iovecs(task: &Task, pid: i32, remote: UserPtr<Iovec>, count: u64) -> Result<HostIovecs, Errno> {
    if is_own_thread(pid) {
        return task.iovecs(remote, count);
    }
    if procfs::is_run_here(Pid::from_raw(pid), task.process.settings.executable.as_ref()) {
        task.missing(format_args!("memory of another process that kvm-se runs"));
        return Err(Errno::EPERM);
    }
    Ok(task.foreign_iovecs(remote, count))
}

/// The calls find a process by any of its threads.
fn is_own_thread(pid: i32) -> bool {
    tgkill(getpid(), Pid::from_raw(pid), 0).is_ok()
}
