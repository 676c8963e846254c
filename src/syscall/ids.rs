//! Ids and privileges of the process, which are those of the host process.

use super::host::{HostArg, args, passthrough};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::loader::layout::gem5;
use crate::proc::Task;

passthrough! {
    sys_getpid() = SYS_getpid;
    sys_getppid() = SYS_getppid;
    sys_gettid() = SYS_gettid;
    sys_getpgrp() = SYS_getpgrp;
    sys_getpgid(pid: i32) = SYS_getpgid;
    sys_setpgid(pid: i32, group: i32) = SYS_setpgid;
    sys_getsid(pid: i32) = SYS_getsid;
    sys_setsid() = SYS_setsid;
    sys_setfsuid(uid: u32) = SYS_setfsuid;
    sys_setfsgid(gid: u32) = SYS_setfsgid;
    sys_capget(header: UserPtr<CapHeader>, sets: UserPtr<CapSets>) = SYS_capget;
    sys_capset(header: UserPtr<CapHeader>, sets: UserPtr<CapSets>) = SYS_capset;
}

/// Calls that tell ids of users and groups, which are all the same in gem5.
macro_rules! tells_ids {
    ($($name:ident = $nr:ident;)*) => {
        $(pub(super) fn $name(task: &mut Task) -> Result<u64, Errno> {
            if task.process.settings.layout.is_gem5() { Ok(gem5::ID.into()) } else { task.host(libc::$nr, args![]) }
        })*
    };
}

tells_ids! {
    sys_getuid = SYS_getuid;
    sys_geteuid = SYS_geteuid;
    sys_getgid = SYS_getgid;
    sys_getegid = SYS_getegid;
}

type IdPtr = UserPtr<u32>;

pub(super) fn sys_getresuid(task: &mut Task, real: IdPtr, effective: IdPtr, saved: IdPtr) -> Result<u64, Errno> {
    three_ids(task, libc::SYS_getresuid, [real, effective, saved])
}

pub(super) fn sys_getresgid(task: &mut Task, real: IdPtr, effective: IdPtr, saved: IdPtr) -> Result<u64, Errno> {
    three_ids(task, libc::SYS_getresgid, [real, effective, saved])
}

fn three_ids(task: &mut Task, nr: i64, to: [IdPtr; 3]) -> Result<u64, Errno> {
    if task.process.settings.layout.is_gem5() {
        to.into_iter().try_for_each(|to| task.process.mm.write(to, &gem5::ID))?;
        return Ok(0);
    }
    let [real, effective, saved] = to;
    task.host(nr, args![real, effective, saved])
}

/// Calls after which the guest's own ids are no longer those that it began with.
macro_rules! changes_ids {
    ($($name:ident($($arg:ident: $type:ty),*) = $nr:ident;)*) => {
        $(pub(super) fn $name(task: &mut Task, $($arg: $type),*) -> Result<u64, Errno> {
            if task.process.settings.layout.is_gem5() {
                // A user without privileges, who may stay who he is.
                let stays = [$(i64::from($arg)),*].iter().all(|&id: &i64| id == i64::from(gem5::ID) || id == -1);
                return if stays { Ok(0) } else { Err(Errno::EPERM) };
            }
            task.forget_user_ids();
            task.host(libc::$nr, args![$($arg),*])
        })*
    };
}

changes_ids! {
    sys_setuid(uid: u32) = SYS_setuid;
    sys_setgid(gid: u32) = SYS_setgid;
    sys_setreuid(real: i32, effective: i32) = SYS_setreuid;
    sys_setregid(real: i32, effective: i32) = SYS_setregid;
    sys_setresuid(real: i32, effective: i32, saved: i32) = SYS_setresuid;
    sys_setresgid(real: i32, effective: i32, saved: i32) = SYS_setresgid;
}

/// `struct __user_cap_header_struct`: version and pid.
pub(super) type CapHeader = [u32; 2];
/// Two `struct __user_cap_data_struct`: effective, permitted, inheritable.
pub(super) type CapSets = [u32; 6];

pub(super) fn sys_getgroups(task: &mut Task, count: i32, groups: UserAddr) -> Result<u64, Errno> {
    task.host(libc::SYS_getgroups, args![count, group_list(count, groups)])
}

pub(super) fn sys_setgroups(task: &mut Task, count: i32, groups: UserAddr) -> Result<u64, Errno> {
    task.host(libc::SYS_setgroups, args![count, group_list(count, groups)])
}

/// As many groups as the kernel reads or writes at most (`NGROUPS_MAX`).
fn group_list(count: i32, groups: UserAddr) -> HostArg<'static> {
    const NGROUPS_MAX: u64 = 65536;
    let count = u64::try_from(count).unwrap_or(0).min(NGROUPS_MAX);
    HostArg::Guest(groups, count * size_of::<u32>() as u64)
}

pub(super) fn sys_personality(task: &mut Task, persona: u32) -> Result<u64, Errno> {
    const QUERY: u32 = 0xffff_ffff;
    const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
    if persona != QUERY && persona & READ_IMPLIES_EXEC != 0 {
        task.missing(format_args!("personality with READ_IMPLIES_EXEC"));
        return Err(Errno::EINVAL);
    }
    task.host(libc::SYS_personality, args![persona])
}
