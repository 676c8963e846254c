//! getrandom(2).

use super::arg::{BytesOut, RandomFlags};
use super::host::{HostArg, args};
use super::iovec::MAX_RW_COUNT;
use crate::abi::Errno;
use crate::proc::Task;

pub(super) fn sys_getrandom(task: &mut Task, to: BytesOut, len: u64, flags: RandomFlags) -> Result<u64, Errno> {
    task.host(libc::SYS_getrandom, args![HostArg::Guest(to.0, len.min(MAX_RW_COUNT)), len, flags])
}
