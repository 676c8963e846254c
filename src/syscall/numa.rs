//! Memory policies (the kernel's `mm/mempolicy.c`): a thread's is the host thread's, that of a range the host mapping's.

use super::host::{HostArg, args};
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr, UserPtr};
use crate::proc::Task;

/// A mask of `count` nodes; the kernel looks at no more than a page.
fn nodes(mask: UserAddr, count: u64) -> HostArg<'static> {
    HostArg::Guest(mask, (count.div_ceil(64).saturating_mul(8)).min(PAGE_SIZE))
}

pub(super) fn sys_set_mempolicy(task: &mut Task, mode: i32, mask: UserAddr, count: u64) -> Result<u64, Errno> {
    task.host(libc::SYS_set_mempolicy, args![mode, nodes(mask, count), count])
}

pub(super) fn sys_get_mempolicy(
    task: &mut Task,
    mode: UserPtr<i32>,
    mask: UserAddr,
    count: u64,
    addr: UserAddr,
    flags: u64,
) -> Result<u64, Errno> {
    const MPOL_F_ADDR: u64 = 2;
    let addr = if flags & MPOL_F_ADDR == 0 {
        addr.raw()
    } else {
        // What the guest has not mapped, the host has reserved.
        task.process.mm.mapped_run(addr, 1).map_or(0, |(hva, _)| hva)
    };
    task.host(libc::SYS_get_mempolicy, args![mode, nodes(mask, count), count, addr, flags])
}

pub(super) fn sys_mbind(
    task: &mut Task,
    start: UserAddr,
    len: u64,
    mode: u64,
    mask: UserAddr,
    count: u64,
    flags: u32,
) -> Result<u64, Errno> {
    let task = &*task;
    let bind = |hva: u64, len: u64| task.host(libc::SYS_mbind, args![hva, len, mode, nodes(mask, count), count, flags]);
    let rounded = len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0);
    let Some(range) = PageRange::with_len(start, rounded).filter(|_| start.is_page_aligned()) else {
        // The host says what is wrong, or that nothing is to be done.
        return bind(start.raw(), len);
    };
    // The other arguments first, by a range of no bytes.
    bind(0, 0)?;
    let mm = &task.process.mm;
    if mm.mapped_parts(range).iter().map(|part| part.len()).sum::<u64>() != range.len() {
        return Err(Errno::EFAULT);
    }
    mm.arena().assign(range)?;
    for run in mm.arena().runs(range.start(), range.len()) {
        bind(run.hva, run.len)?;
    }
    Ok(0)
}
