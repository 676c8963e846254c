//! Memory protection keys, as on a processor that has none (the kernel's `mm/mprotect.c`): the guest's has them
//! switched off.

use super::arg::ProtBits;
use super::memory::sys_mprotect;
use crate::abi::{Errno, UserAddr};
use crate::proc::Task;

pub(super) fn sys_pkey_mprotect(
    task: &mut Task,
    addr: UserAddr,
    len: u64,
    prot: ProtBits,
    key: i32,
) -> Result<(), Errno> {
    // Nothing at all is changed before the key is looked at.
    if key == -1 || len == 0 { sys_mprotect(task, addr, len, prot) } else { Err(Errno::EINVAL) }
}

pub(super) fn sys_pkey_alloc(_task: &mut Task, flags: u64, rights: u64) -> Result<u64, Errno> {
    const PKEY_ACCESS_MASK: u64 = 3;
    if flags != 0 || rights & !PKEY_ACCESS_MASK != 0 { Err(Errno::EINVAL) } else { Err(Errno::ENOSPC) }
}

pub(super) fn sys_pkey_free(_task: &mut Task, _key: i32) -> Result<u64, Errno> {
    Err(Errno::EINVAL)
}
