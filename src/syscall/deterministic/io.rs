//! Calls that may wait: tried without waiting, again and again, in the order in which threads have their turns.
//!
//! What the host alone knows to wait for is made without the baton; when such a call returns depends on the host.

mod write;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{GetSockOpt, getsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use super::super::arg::{Arg, Fd};
use super::super::host::{HostArg, args as host_args};
use super::super::nested::MaskArg;
use super::super::poll::fd_set;
use super::super::{IntoSysResult, Outcome, SysResult};
use super::time::{from_ns, to_ns};
use super::{Restart, call, on_board, wait_for};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::Wait;
use crate::signal::held::SigInfo;
use crate::signal::mask::SigSet;
use crate::sys::descriptor::guest_limit;

/// A number that libc does not know.
const SYS_IO_PGETEVENTS: i64 = 333;
const NS_PER_MS: u64 = 1_000_000;
const NOW: [u8; 16] = [0; 16];

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    let dont_wait = libc::MSG_DONTWAIT.cast_unsigned().into();
    let has = |index: usize, flag: u64| args[index] & flag != 0;
    let wait_for_all = libc::MSG_WAITALL.cast_unsigned().into();
    let wait_for_one = libc::MSG_WAITFORONE.cast_unsigned().into();
    Some(match nr {
        libc::SYS_read | libc::SYS_readv | libc::SYS_accept | libc::SYS_accept4 => receive(task, nr, args),
        libc::SYS_recvfrom | libc::SYS_recvmmsg if has(3, dont_wait) => return None,
        libc::SYS_recvmsg if has(2, dont_wait) => return None,
        // There may be something, and not all that it waits for.
        libc::SYS_recvfrom if has(3, wait_for_all) => outside(task, nr, args),
        libc::SYS_recvmsg if has(2, wait_for_all) => outside(task, nr, args),
        libc::SYS_recvmmsg if args[2] > 1 && !has(3, wait_for_one) => outside(task, nr, args),
        libc::SYS_recvfrom | libc::SYS_recvmsg | libc::SYS_recvmmsg => receive(task, nr, args),
        libc::SYS_write | libc::SYS_writev | libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => {
            write::answer(task, nr, args)
        }
        libc::SYS_flock => with_flag(task, nr, args, (1, libc::LOCK_NB as u64)),
        libc::SYS_fcntl => lock_file(task, args)?,
        libc::SYS_poll => {
            let timeout = milliseconds(args[2]);
            wait_for_events(task, (nr, &[args[0], args[1], 0, 0, 0, 0]), timeout, None)
        }
        libc::SYS_ppoll => {
            let timeout = timespec(task, args[2]);
            let mask = MaskArg::read(task, UserPtr::new(UserAddr::new(args[3])), args[4]);
            timeout.and_then(|timeout| {
                wait_for_events(task, (libc::SYS_poll, &[args[0], args[1], 0, 0, 0, 0]), timeout, mask.set())
            })
        }
        libc::SYS_epoll_wait => {
            wait_for_events(task, (nr, &[args[0], args[1], args[2], 0, 0, 0]), milliseconds(args[3]), None)
        }
        libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => {
            let timeout = if nr == libc::SYS_epoll_pwait { Ok(milliseconds(args[3])) } else { timespec(task, args[3]) };
            let mask = MaskArg::read(task, UserPtr::new(UserAddr::new(args[4])), args[5]);
            timeout.and_then(|timeout| {
                let args = [args[0], args[1], args[2], 0, 0, 0];
                wait_for_events(task, (libc::SYS_epoll_wait, &args), timeout, mask.set())
            })
        }
        libc::SYS_select | libc::SYS_pselect6 => select(task, nr, args).into_sys_result(),
        libc::SYS_pause => {
            wait_for(task, (Wait::Signal, None), Restart::Never, |_| Ok(None::<()>)).map(drop).into_sys_result()
        }
        libc::SYS_rt_sigsuspend => suspend(task, args).into_sys_result(),
        libc::SYS_rt_sigtimedwait => take_signal(task, args).into_sys_result(),
        libc::SYS_connect
        | libc::SYS_msgsnd
        | libc::SYS_msgrcv
        | libc::SYS_semop
        | libc::SYS_semtimedop
        | libc::SYS_mq_timedsend
        | libc::SYS_mq_timedreceive
        | libc::SYS_splice
        | libc::SYS_tee
        | libc::SYS_vmsplice
        | libc::SYS_sendfile
        | libc::SYS_io_getevents
        | SYS_IO_PGETEVENTS => outside(task, nr, args),
        libc::SYS_open | libc::SYS_openat if may_wait_for_peer(task, nr, args) => outside(task, nr, args),
        _ => return None,
    })
}

/// The host call without the baton.
fn outside(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    let process = task.process.clone();
    let determinism = process.determinism.as_ref().ok_or(Errno::ENOSYS)?;
    let (_, seat) = on_board(task)?;
    determinism.board().outside(seat, || call(task, nr, args))
}

/// What tells that a call would wait.
fn unless_it_waits(result: SysResult) -> Result<Option<Outcome>, Errno> {
    match result {
        Err(Errno::EAGAIN) => Ok(None),
        result => result.map(Some),
    }
}

/// Waits for `timeout` (ns) at most, and is not made again then after a signal.
fn progress(
    task: &mut Task,
    timeout: Option<u64>,
    attempt: impl FnMut(&mut Task) -> Result<Option<Outcome>, Errno>,
) -> SysResult {
    let restart = if timeout.is_some() { Restart::Never } else { Restart::ByAction };
    let deadline = deadline(task, timeout)?;
    wait_for(task, (Wait::Progress, deadline), restart, attempt)?.ok_or(Errno::EAGAIN)
}

/// How long calls on a socket wait at most (socket(7)), in ns.
fn timeout_of(fd: Fd, option: impl GetSockOpt<Val = TimeVal>) -> Option<u64> {
    let timeout = getsockopt(&fd.borrow().ok()?, option).ok()?;
    u64::try_from(timeout.num_microseconds()).ok().filter(|&micros| micros > 0).map(|micros| micros * 1000)
}

/// A file that calls of the guest's may wait for.
fn waiting_file(raw: u64) -> Option<Fd> {
    Fd::decode(raw).ok().filter(|fd| (0..guest_limit()).contains(&fd.raw()))
}

fn is_blocking(fd: Fd) -> bool {
    let flags = fd.borrow().ok().and_then(|fd| fcntl(fd, FcntlArg::F_GETFL).ok());
    flags.is_some_and(|flags| !OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK))
}

/// A call that returns at once when there is something to be had.
fn receive(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    let Some(fd) = waiting_file(args[0]).filter(|fd| is_blocking(*fd)) else { return call(task, nr, args) };
    let timeout = timeout_of(fd, sockopt::ReceiveTimeout);
    progress(task, timeout, |task| if is_ready(fd)? { call(task, nr, args).map(Some) } else { Ok(None) })
}

fn is_ready(fd: Fd) -> Result<bool, Errno> {
    let mut polled = [PollFd::new(fd.borrow()?, PollFlags::POLLIN)];
    match poll(&mut polled, PollTimeout::ZERO) {
        Ok(count) => Ok(count > 0),
        Err(nix::errno::Errno::EINTR) => Err(Errno::ERESTARTNOINTR),
        Err(errno) => Err(errno.into()),
    }
}

/// A call with a flag that keeps it from waiting.
fn with_flag(task: &mut Task, nr: i64, args: &[u64; 6], (place, flag): (usize, u64)) -> SysResult {
    if args[place] & flag != 0 {
        return call(task, nr, args);
    }
    let mut with_flag = *args;
    with_flag[place] |= flag;
    progress(task, None, |task| unless_it_waits(call(task, nr, &with_flag)))
}

/// `None` if it is about something else.
fn lock_file(task: &mut Task, args: &[u64; 6]) -> Option<SysResult> {
    let without_waiting = match i32::try_from(args[1]).ok()? {
        libc::F_SETLKW => libc::F_SETLK,
        libc::F_OFD_SETLKW => libc::F_OFD_SETLK,
        _ => return None,
    };
    let mut args = *args;
    args[1] = u64::from(without_waiting.unsigned_abs());
    Some(progress(task, None, |task| match call(task, libc::SYS_fcntl, &args) {
        Err(Errno::EACCES) => Ok(None),
        result => unless_it_waits(result),
    }))
}

/// Would opening a FIFO wait for its other end?
fn may_wait_for_peer(task: &Task, nr: i64, args: &[u64; 6]) -> bool {
    let at = usize::from(nr == libc::SYS_openat);
    let path = task.process.mm.read_string(UserAddr::new(args[at]), 4096, Errno::ENAMETOOLONG);
    let is_waiting = args[at + 1] & libc::O_NONBLOCK as u64 == 0 && args[at + 1] & libc::O_ACCMODE as u64 != 2;
    let Some(path) = path.ok().filter(|_| is_waiting) else { return false };
    let dir = if at == 0 { None } else { Fd::decode(args[0]).ok().filter(|dir| dir.raw() >= 0) };
    let dir = dir.as_ref().and_then(|dir| dir.borrow().ok()).unwrap_or(nix::fcntl::AT_FDCWD);
    let stat = nix::sys::stat::fstatat(dir, path.as_slice(), nix::fcntl::AtFlags::empty());
    stat.is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFIFO)
}

fn milliseconds(raw: u64) -> Option<u64> {
    let timeout = i32::try_from(raw & u64::from(u32::MAX)).ok()?;
    u64::try_from(timeout).ok().map(|timeout| timeout * NS_PER_MS)
}

fn timespec(task: &Task, addr: u64) -> Result<Option<u64>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    to_ns(task.process.mm.read(UserPtr::new(UserAddr::new(addr)))?).map(Some)
}

fn deadline(task: &Task, timeout: Option<u64>) -> Result<Option<u64>, Errno> {
    let now = on_board(task)?.0.now();
    Ok(timeout.map(|timeout| now.saturating_add(timeout)))
}

/// `EINTR` if a signal is pending that `mask` does not block.
fn look_for_signals(task: &mut Task, mask: Option<SigSet>) -> Result<(), Errno> {
    let Some(mask) = mask else { return Ok(()) };
    let mut now = NOW;
    let bytes = mask.host_mask().bits().to_ne_bytes();
    let args = host_args![0u64, 0u64, now.as_mut_slice(), bytes.as_slice(), 8u64];
    task.host_with_mask(Some(mask), libc::SYS_ppoll, args).map(drop)
}

/// A call that returns how many events there are.
fn wait_for_events(
    task: &mut Task,
    (nr, args): (i64, &[u64; 6]),
    timeout: Option<u64>,
    mask: Option<SigSet>,
) -> SysResult {
    let deadline = deadline(task, timeout)?;
    let found = wait_for(task, (Wait::Progress, deadline), Restart::Never, |task| {
        match call(task, nr, args)? {
            Outcome::Value(0) => {}
            outcome => return Ok(Some(outcome)),
        }
        look_for_signals(task, mask)?;
        Ok(None)
    })?;
    Ok(found.unwrap_or(Outcome::Value(0)))
}

fn select(task: &mut Task, nr: i64, args: &[u64; 6]) -> Result<u64, Errno> {
    let (timeout, mask) = if nr == libc::SYS_select {
        let time = if args[4] == 0 { None } else { Some(task.process.mm.read(UserPtr::new(UserAddr::new(args[4])))?) };
        let to_ns = |[seconds, micros]: [u64; 2]| seconds.saturating_mul(1_000_000_000).saturating_add(micros * 1000);
        (time.map(to_ns), None)
    } else {
        let sized = UserPtr::<[u64; 2]>::new(UserAddr::new(args[5]));
        let [mask, size] = if sized.is_null() { [0; 2] } else { task.process.mm.read(sized)? };
        let mask = MaskArg::read(task, UserPtr::new(UserAddr::new(mask)), size);
        (timespec(task, args[4])?, mask.set())
    };
    let deadline = deadline(task, timeout)?;
    let count = i32::try_from(args[0] & u64::from(u32::MAX)).unwrap_or(-1).min(guest_limit());
    let sets = [1, 2, 3].map(|index| UserAddr::new(args[index]));
    let saved = sets.map(|set| saved_set(task, set, count));
    let found = wait_for(task, (Wait::Progress, deadline), Restart::Never, |task| {
        for (set, saved) in sets.iter().zip(&saved).filter(|(set, _)| !set.is_null()) {
            task.process.mm.copy_out(*set, saved)?;
        }
        let mut now = NOW;
        let [read, write, except] = sets.map(|set| fd_set(set, count));
        let args: &mut [HostArg<'_>] = &mut [count.into(), read, write, except, HostArg::Out(&mut now)];
        match task.host(libc::SYS_select, args)? {
            0 => look_for_signals(task, mask).map(|()| None),
            found => Ok(Some(found)),
        }
    });
    if found == Err(Errno::ERESTARTNOINTR) {
        // It is made again with the sets that it got.
        for (set, saved) in sets.iter().zip(&saved).filter(|(set, _)| !set.is_null()) {
            task.process.mm.copy_out(*set, saved)?;
        }
    }
    let count = found?.unwrap_or(0);
    show_time_left(task, nr, args[4], deadline)?;
    Ok(count)
}

/// As Linux shows it: microseconds by select(2), nanoseconds by the system call pselect6.
fn show_time_left(task: &Task, nr: i64, to: u64, deadline: Option<u64>) -> Result<(), Errno> {
    let Some(deadline) = deadline else { return Ok(()) };
    let [seconds, nanoseconds] = from_ns(deadline.saturating_sub(on_board(task)?.0.now()));
    let parts = if nr == libc::SYS_select { nanoseconds / 1000 } else { nanoseconds };
    // What cannot be written to is left, as it was read already.
    let _ = task.process.mm.write(UserPtr::new(UserAddr::new(to)), &[seconds, parts]);
    Ok(())
}

fn saved_set(task: &Task, set: UserAddr, count: i32) -> Vec<u8> {
    let mut saved = vec![0; usize::try_from(count).unwrap_or(0).div_ceil(64) * 8];
    let got = if set.is_null() { 0 } else { task.process.mm.copy_in_partly(set, &mut saved) };
    saved.truncate(got);
    saved
}

fn suspend(task: &mut Task, args: &[u64; 6]) -> Result<u64, Errno> {
    if args[1] != size_of::<SigSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let mask: SigSet = task.process.mm.read(UserPtr::new(UserAddr::new(args[0])))?;
    let mask = mask.minus(SigSet::UNBLOCKABLE);
    wait_for(task, (Wait::Signal, None), Restart::Never, |task| {
        look_for_signals(task, Some(mask))?;
        Ok(None::<u64>)
    })?;
    Err(Errno::EINTR)
}

fn take_signal(task: &mut Task, args: &[u64; 6]) -> Result<u64, Errno> {
    if args[3] != size_of::<SigSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let set: SigSet = task.process.mm.read(UserPtr::new(UserAddr::new(args[0])))?;
    let timeout = timespec(task, args[2])?;
    let info = UserPtr::<SigInfo>::new(UserAddr::new(args[1]));
    let deadline = deadline(task, timeout)?;
    let taken =
        wait_for(task, (Wait::Signal, deadline), Restart::Never, |task| {
            match super::super::signal::take_pending(task, set, info) {
                Err(Errno::EAGAIN) => Ok(None),
                result => result.map(Some),
            }
        })?
        .ok_or(Errno::EAGAIN)?;
    if !info.is_null() {
        let shown = task.as_shown(task.process.mm.read(info)?);
        task.process.mm.write(info, &shown)?;
    }
    Ok(taken)
}
