//! Process and thread: exit, arch_prctl.

use super::{Outcome, SysResult};
use crate::abi::{Errno, TASK_SIZE, UserAddr, UserPtr};
use crate::proc::{ExitStatus, Task};

pub(super) fn sys_exit(_task: &mut Task, status: i32) -> SysResult {
    Ok(Outcome::Exit(ExitStatus::code(status)))
}

pub(super) fn sys_arch_prctl(task: &mut Task, code: i32, addr: UserAddr) -> Result<(), Errno> {
    const ARCH_SET_GS: i32 = 0x1001;
    const ARCH_SET_FS: i32 = 0x1002;
    const ARCH_GET_FS: i32 = 0x1003;
    const ARCH_GET_GS: i32 = 0x1004;
    let (fs, gs) = task.segment_bases()?;
    match code {
        ARCH_SET_FS | ARCH_SET_GS if addr.raw() >= TASK_SIZE => Err(Errno::EPERM),
        ARCH_SET_FS => task.set_segment_bases(addr.raw(), gs),
        ARCH_SET_GS => task.set_segment_bases(fs, addr.raw()),
        ARCH_GET_FS => task.process.mm.write(UserPtr::new(addr), &fs),
        ARCH_GET_GS => task.process.mm.write(UserPtr::new(addr), &gs),
        _ => {
            task.missing(format_args!("arch_prctl code {code:#x}"));
            Err(Errno::EINVAL)
        }
    }
}

pub(super) fn sys_set_tid_address(task: &mut Task, addr: UserAddr) -> u64 {
    task.clear_child_tid = addr;
    u64::from(task.tid().as_raw().unsigned_abs())
}
