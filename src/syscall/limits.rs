//! Resource limits (the kernel's `kernel/sys.c`): those on memory and descriptors are kept by the runner, the others
//! are the host's.

use zerocopy::IntoBytes;

use super::arg::Resource;
use super::host::args;
use crate::abi::{Errno, UserPtr};
use crate::proc::Task;
use crate::proc::limits::{KeptResource, Rlimit};

pub(super) fn sys_getrlimit(task: &mut Task, resource: Resource, to: UserPtr<Rlimit>) -> Result<u64, Errno> {
    match KeptResource::of(resource.0) {
        Some(kept) => give(task, to, &replace(task, kept, None)?),
        None => task.host(libc::SYS_getrlimit, args![resource, to]),
    }
}

pub(super) fn sys_setrlimit(task: &mut Task, resource: Resource, from: UserPtr<Rlimit>) -> Result<u64, Errno> {
    let new = task.process.mm.read(from)?;
    match KeptResource::of(resource.0) {
        Some(kept) => replace(task, kept, Some(new)).map(|_| 0),
        None => task.host(libc::SYS_setrlimit, args![resource, new.as_bytes()]),
    }
}

pub(super) fn sys_prlimit64(
    task: &mut Task,
    pid: i32,
    resource: Resource,
    from: UserPtr<Rlimit>,
    to: UserPtr<Rlimit>,
) -> Result<u64, Errno> {
    // The limits are the process's, whichever of its threads is named; the first one may have ended.
    let is_own = pid == 0 || pid == nix::unistd::getpid().as_raw() || task.process.threads.contains(pid);
    match KeptResource::of(resource.0) {
        Some(kept) if is_own => {
            let new = if from.is_null() { None } else { Some(task.process.mm.read(from)?) };
            let old = replace(task, kept, new)?;
            if to.is_null() { Ok(0) } else { give(task, to, &old) }
        }
        _ => task.host(libc::SYS_prlimit64, args![pid, resource, from, to]),
    }
}

fn replace(task: &Task, resource: KeptResource, new: Option<Rlimit>) -> Result<Rlimit, Errno> {
    task.process.limits.replace(&task.process.mm, resource, new)
}

fn give(task: &Task, to: UserPtr<Rlimit>, limit: &Rlimit) -> Result<u64, Errno> {
    task.process.mm.write(to, limit)?;
    Ok(0)
}
