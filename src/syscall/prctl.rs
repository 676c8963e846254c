//! prctl(2) (the kernel's `kernel/sys.c`), option by option: what an unknown one would do to the runner is unknown.

use super::arg::{Hex, PrctlOption};
use super::host::{HostArg, args};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

/// Bytes of a thread's name (`TASK_COMM_LEN`).
const NAME_LEN: u64 = 16;

pub(super) fn sys_prctl(
    task: &mut Task,
    option: PrctlOption,
    second: Hex,
    third: Hex,
    fourth: Hex,
    fifth: Hex,
) -> Result<u64, Errno> {
    let second = second.0;
    match option.0 {
        libc::PR_GET_TSC => return time_stamp_counter(task, UserPtr::new(UserAddr::new(second))),
        libc::PR_SET_TSC if second == u64::from(libc::PR_TSC_ENABLE.unsigned_abs()) => return Ok(0),
        _ => {}
    }
    let second = match option.0 {
        libc::PR_SET_NAME | libc::PR_GET_NAME => HostArg::Guest(UserAddr::new(second), NAME_LEN),
        libc::PR_GET_PDEATHSIG | libc::PR_GET_CHILD_SUBREAPER => UserPtr::<i32>::new(UserAddr::new(second)).into(),
        option if takes_numbers(option) => HostArg::Int(second),
        _ => return Err(refused(task, option)),
    };
    task.host(libc::SYS_prctl, args![option, second, third, fourth, fifth])
}

/// Options without pointers whose effect on the runner is the one that the guest asks for.
const fn takes_numbers(option: i32) -> bool {
    matches!(
        option,
        libc::PR_SET_PDEATHSIG
            | libc::PR_GET_DUMPABLE
            | libc::PR_SET_DUMPABLE
            | libc::PR_GET_KEEPCAPS
            | libc::PR_SET_KEEPCAPS
            | libc::PR_GET_TIMING
            | libc::PR_SET_TIMING
            | libc::PR_GET_SECCOMP
            | libc::PR_CAPBSET_READ
            | libc::PR_CAPBSET_DROP
            | libc::PR_GET_SECUREBITS
            | libc::PR_SET_SECUREBITS
            | libc::PR_SET_TIMERSLACK
            | libc::PR_GET_TIMERSLACK
            | libc::PR_MCE_KILL
            | libc::PR_MCE_KILL_GET
            | libc::PR_SET_PTRACER
            | libc::PR_SET_CHILD_SUBREAPER
            | libc::PR_SET_NO_NEW_PRIVS
            | libc::PR_GET_NO_NEW_PRIVS
            | libc::PR_SET_THP_DISABLE
            | libc::PR_GET_THP_DISABLE
            | libc::PR_CAP_AMBIENT
            | libc::PR_GET_MDWE
    )
}

fn refused(task: &Task, option: PrctlOption) -> Errno {
    task.missing(format_args!("prctl option {}", option.0));
    Errno::EINVAL
}

/// RDTSC is never refused to user code.
fn time_stamp_counter(task: &Task, to: UserPtr<i32>) -> Result<u64, Errno> {
    task.process.mm.write(to, &libc::PR_TSC_ENABLE)?;
    Ok(0)
}
