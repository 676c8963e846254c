//! Numbers of processes and threads: the guest's own on its side, the host's on the other.

use super::super::{IntoSysResult, Outcome, SysResult};
use super::{Restart, call, on_board, wait_for};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::Wait;

/// Which argument of a call names a process or thread.
fn place_of_id(nr: i64) -> Option<usize> {
    match nr {
        libc::SYS_kill
        | libc::SYS_tkill
        | libc::SYS_rt_sigqueueinfo
        | libc::SYS_getpgid
        | libc::SYS_getsid
        | libc::SYS_sched_setparam
        | libc::SYS_sched_getparam
        | libc::SYS_sched_setscheduler
        | libc::SYS_sched_getscheduler
        | libc::SYS_sched_rr_get_interval
        | libc::SYS_sched_setaffinity
        | libc::SYS_sched_setattr
        | libc::SYS_sched_getattr
        | libc::SYS_pidfd_open
        | libc::SYS_prlimit64
        | libc::SYS_process_vm_readv
        | libc::SYS_process_vm_writev
        | libc::SYS_get_robust_list => Some(0),
        libc::SYS_getpriority
        | libc::SYS_setpriority
        | libc::SYS_ioprio_get
        | libc::SYS_ioprio_set
        | libc::SYS_ptrace => Some(1),
        _ => None,
    }
}

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    let (board, seat) = task.on_board()?;
    let value = |id: i32| Some(Ok(Outcome::Value(u64::from(id.unsigned_abs()))));
    match nr {
        libc::SYS_getpid => return value(board.guest_pid(seat)),
        libc::SYS_gettid => return value(board.guest_tid(seat)),
        libc::SYS_getppid => return value(board.guest_parent(seat)),
        libc::SYS_set_tid_address => {
            let id = board.guest_tid(seat);
            task.clear_child_tid = UserAddr::new(args[0]);
            return value(id);
        }
        libc::SYS_wait4 => return Some(wait4(task, args).into_sys_result()),
        libc::SYS_waitid => return Some(waitid(task, args).into_sys_result()),
        libc::SYS_getpgrp | libc::SYS_setsid => return Some(with_shown_result(task, nr, args)),
        libc::SYS_getpgid | libc::SYS_getsid => {
            let args = translated(task, args, &[0]);
            return Some(with_shown_result(task, nr, &args));
        }
        libc::SYS_setpgid => {
            let args = translated(task, args, &[0, 1]);
            return Some(call(task, nr, &args));
        }
        libc::SYS_tgkill | libc::SYS_rt_tgsigqueueinfo => return Some(signal(task, nr, args, &[0, 1])),
        libc::SYS_kill | libc::SYS_tkill | libc::SYS_rt_sigqueueinfo => return Some(signal(task, nr, args, &[0])),
        libc::SYS_pidfd_send_signal => return Some(signal(task, nr, args, &[])),
        libc::SYS_fcntl => return of_file(task, args),
        libc::SYS_getsockopt => return peer(task, args),
        // The priorities of users have users' numbers.
        libc::SYS_getpriority | libc::SYS_setpriority if args[0] == 2 => return None,
        _ => {}
    }
    let place = place_of_id(nr)?;
    let args = translated(task, args, &[place]);
    Some(call(task, nr, &args))
}

#[expect(clippy::cast_possible_truncation, reason = "numbers of 32 bits")]
fn translated(task: &Task, args: &[u64; 6], places: &[usize]) -> [u64; 6] {
    let mut args = *args;
    if let Some((board, _)) = task.on_board() {
        for &place in places {
            let host = board.host_id((args[place] as u32).cast_signed());
            args[place] = i64::from(host).cast_unsigned();
        }
    }
    args
}

fn with_shown_result(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    match call(task, nr, args) {
        Ok(Outcome::Value(id)) => {
            let shown = task.process.shown_id(i32::try_from(id).unwrap_or(0));
            Ok(Outcome::Value(u64::from(shown.unsigned_abs())))
        }
        result => result,
    }
}

/// A command that libc does not know.
const F_GETOWN_EX: i32 = 16;

/// `struct f_owner_ex` of the kernel's `include/uapi/asm-generic/fcntl.h`.
#[repr(C)]
struct FileOwner {
    kind: i32,
    pid: i32,
}

/// Who gets the signals of a file, and who has locked a part of it. `None` if it is about something else.
fn of_file(task: &mut Task, args: &[u64; 6]) -> Option<SysResult> {
    match i32::try_from(args[1]).ok()? {
        libc::F_SETOWN => {
            let args = translated(task, args, &[2]);
            Some(call(task, libc::SYS_fcntl, &args))
        }
        // As libc asks for F_GETOWN.
        F_GETOWN_EX => Some(with_shown_field(task, args, std::mem::offset_of!(FileOwner, pid))),
        libc::F_GETLK => Some(with_shown_field(task, args, std::mem::offset_of!(libc::flock, l_pid))),
        _ => None,
    }
}

fn with_shown_field(task: &mut Task, args: &[u64; 6], offset: usize) -> SysResult {
    let outcome = call(task, libc::SYS_fcntl, args)?;
    show_id(task, UserAddr::new(args[2]).wrapping_add(offset as u64))?;
    Ok(outcome)
}

/// Who is at the other end of a socket. `None` if it is about something else.
fn peer(task: &mut Task, args: &[u64; 6]) -> Option<SysResult> {
    let is_asked = [libc::SOL_SOCKET, libc::SO_PEERCRED].map(|number| u64::from(number.unsigned_abs()));
    if args[1..3] != is_asked {
        return None;
    }
    let result = call(task, libc::SYS_getsockopt, args);
    Some(result.and_then(|outcome| {
        let len: u32 = task.process.mm.read(UserPtr::new(UserAddr::new(args[4])))?;
        if len >= 4 {
            show_id(task, UserAddr::new(args[3]))?;
        }
        Ok(outcome)
    }))
}

/// Replaces a number of the host's; there may be none.
fn show_id(task: &Task, at: UserAddr) -> Result<(), Errno> {
    let host: i32 = task.process.mm.read(UserPtr::new(at))?;
    if host > 0 { task.process.mm.write(UserPtr::new(at), &task.process.shown_id(host)) } else { Ok(()) }
}

/// A signal is there when the call returns, so whoever gets it finds it when it has the baton.
fn signal(task: &mut Task, nr: i64, args: &[u64; 6], places: &[usize]) -> SysResult {
    let host = translated(task, args, places);
    let result = call(task, nr, &host);
    let (board, _) = on_board(task)?;
    board.note_signal();
    let number = args[places.len()];
    let target = i32::try_from(host[0].cast_signed()).unwrap_or(0);
    if result.is_ok() && !places.is_empty() && number == libc::SIGKILL as u64 && target > 0 {
        board.bury(target);
    }
    result
}

fn wait4(task: &mut Task, args: &[u64; 6]) -> Result<u64, Errno> {
    let mut host = translated(task, args, &[0]);
    host[2] |= libc::WNOHANG as u64;
    let is_waiting = args[2] & libc::WNOHANG as u64 == 0;
    let waited =
        wait_for(task, (Wait::Progress, None), Restart::ByAction, |task| match call(task, libc::SYS_wait4, &host)? {
            Outcome::Value(0) if is_waiting => Ok(None),
            Outcome::Value(pid) => Ok(Some(pid)),
            _ => Err(Errno::ENOSYS),
        })?;
    let pid = i32::try_from(waited.unwrap_or(0)).unwrap_or(0);
    if args[3] != 0 && pid > 0 {
        // Processor times and faults are the host's.
        task.process.mm.copy_out(UserAddr::new(args[3]), &[0; size_of::<libc::rusage>()])?;
    }
    Ok(u64::from(task.process.shown_id(pid).unsigned_abs()))
}

fn waitid(task: &mut Task, args: &[u64; 6]) -> Result<u64, Errno> {
    let is_by_number = args[0] == u64::from(libc::P_PID) || args[0] == u64::from(libc::P_PGID);
    let mut host = if is_by_number { translated(task, args, &[1]) } else { *args };
    host[3] |= libc::WNOHANG as u64;
    let is_waiting = args[3] & libc::WNOHANG as u64 == 0;
    // Where nothing tells whether there was a child, the host's structure must.
    let info = UserPtr::<[i32; 6]>::new(UserAddr::new(args[2]));
    if info.is_null() {
        task.missing(format_args!("waitid without siginfo in a deterministic run"));
        return Err(Errno::EINVAL);
    }
    wait_for(task, (Wait::Progress, None), Restart::ByAction, |task| {
        call(task, libc::SYS_waitid, &host)?;
        let [_, _, _, _, pid, _] = task.process.mm.read(info)?;
        Ok((pid != 0 || !is_waiting).then_some(()))
    })?;
    let [signal, errno, code, padding, pid, user] = task.process.mm.read(info)?;
    if pid != 0 {
        task.process.mm.write(info, &[signal, errno, code, padding, task.process.shown_id(pid), user])?;
    }
    if args[4] != 0 && pid > 0 {
        task.process.mm.copy_out(UserAddr::new(args[4]), &[0; size_of::<libc::rusage>()])?;
    }
    Ok(0)
}
