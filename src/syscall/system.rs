//! What the machine is called, has and uses (the kernel's `kernel/sys.c`).

use super::arg::{BytesIn, BytesOut, PathPtr};
use super::host::{HostArg, args, passthrough};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::loader::layout::gem5;
use crate::proc::Task;

passthrough! {
    sys_sysinfo(info: UserPtr<libc::sysinfo>) = SYS_sysinfo;
    sys_vhangup() = SYS_vhangup;
    sys_getrusage(who: i32, usage: UserPtr<libc::rusage>) = SYS_getrusage;
}

pub(super) fn sys_uname(task: &mut Task, name: UserPtr<libc::utsname>) -> Result<u64, Errno> {
    if task.process.settings.layout.is_gem5() {
        task.process.mm.copy_out(name.addr(), &utsname(gem5::UTSNAME))?;
        return Ok(0);
    }
    task.host(libc::SYS_uname, args![name])
}

/// `struct utsname` with these texts.
pub(super) fn utsname(texts: [&str; 6]) -> [u8; 6 * UTSNAME_FIELD] {
    let mut names = [0; 6 * UTSNAME_FIELD];
    for (field, text) in names.chunks_mut(UTSNAME_FIELD).zip(texts) {
        field[..text.len()].copy_from_slice(text.as_bytes());
    }
    names
}

/// Bytes of each text with its NUL.
const UTSNAME_FIELD: usize = 65;

/// Bytes of a host or domain name (`__NEW_UTS_LEN`).
const NAME_LEN: u64 = 64;

fn name(from: BytesIn, len: i32) -> HostArg<'static> {
    HostArg::Guest(from.0, u64::try_from(len).unwrap_or(0).min(NAME_LEN))
}

pub(super) fn sys_sethostname(task: &mut Task, from: BytesIn, len: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_sethostname, args![name(from, len), len])
}

pub(super) fn sys_setdomainname(task: &mut Task, from: BytesIn, len: i32) -> Result<u64, Errno> {
    task.host(libc::SYS_setdomainname, args![name(from, len), len])
}

pub(super) fn sys_syslog(task: &mut Task, action: i32, to: BytesOut, len: i32) -> Result<u64, Errno> {
    let room = u64::try_from(len).unwrap_or(0);
    task.host(libc::SYS_syslog, args![action, HostArg::Guest(to.0, room), len])
}

/// Names and numbers of file systems (`fs/filesystems.c`).
pub(super) fn sys_sysfs(task: &mut Task, option: i32, first: u64, second: UserAddr) -> Result<u64, Errno> {
    const INDEX_OF_NAME: i32 = 1;
    const NAME_OF_INDEX: i32 = 2;
    match option {
        INDEX_OF_NAME => {
            let name = task.string(UserAddr::new(first), 4096);
            task.host(libc::SYS_sysfs, args![option, &name])
        }
        // The kernel's names are short.
        NAME_OF_INDEX => task.host(libc::SYS_sysfs, args![option, first, HostArg::Guest(second, 1)]),
        _ => task.host(libc::SYS_sysfs, args![option]),
    }
}

pub(super) fn sys_acct(task: &mut Task, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_acct, args![&task.path(path)])
}

pub(super) fn sys_swapon(task: &mut Task, path: PathPtr, flags: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_swapon, args![&task.path(path), flags])
}

pub(super) fn sys_swapoff(task: &mut Task, path: PathPtr) -> Result<u64, Errno> {
    task.host(libc::SYS_swapoff, args![&task.path(path)])
}
