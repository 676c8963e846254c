//! Calls that may have to wait: they are made where they need not, and else refused.

use super::Call;
use super::files::{Files, Sort, are_sizes_unlimited, is_nonblocking, socket_option};
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::proc::Task;
use crate::sys::signal::discard;
use crate::syscall::arg::{Arg, Fd};
use crate::syscall::{Outcome, SysResult, rw};

impl Files {
    /// read(2), write(2) and the like.
    pub(super) fn transfer(&mut self, task: &mut Task, call: &Call) -> Option<SysResult> {
        let sort = self.sort(call.args[0])?;
        if sort == Sort::File {
            let is_allowed = call.is_read() || are_sizes_unlimited();
            return is_allowed.then(|| call.execute(task));
        }
        if is_nonblocking(call.args[0]) {
            return unbroken(call.execute(task), true);
        }
        let is_plain = matches!(call.nr.cast_signed(), libc::SYS_read | libc::SYS_write);
        let can_be_tried = match sort {
            Sort::Pipe => is_plain,
            Sort::Socket => is_plain && is_all_or_nothing(task, call),
            Sort::File | Sort::Event => false,
        };
        let fd = Fd::decode(call.args[0]).ok().filter(|_| can_be_tried)?;
        let result =
            rw::transfer_without_waiting(task, call.nr.cast_signed(), fd, UserAddr::new(call.args[1]), call.args[2]);
        unbroken(result.map(Outcome::Value), true).filter(is_done)
    }

    /// recvmsg(2), sendmsg(2) and the like, whose flags are this argument.
    pub(super) fn message(&mut self, task: &mut Task, call: &Call, flags: usize) -> Option<SysResult> {
        if self.sort(call.args[0])? != Sort::Socket {
            return None;
        }
        let has = |flag: i32| call.args[flags] & u64::from(flag.unsigned_abs()) != 0;
        let is_loud = !has(libc::MSG_NOSIGNAL);
        if has(libc::MSG_DONTWAIT) || is_nonblocking(call.args[0]) {
            return unbroken(call.execute(task), is_loud);
        }
        if has(libc::MSG_WAITALL) || !is_all_or_nothing(task, call) {
            return None;
        }
        let mut args = call.args;
        args[flags] |= u64::from(libc::MSG_DONTWAIT.unsigned_abs());
        unbroken(Call { args, ..*call }.execute(task), is_loud).filter(is_done)
    }

    /// accept(2), accept4(2).
    pub(super) fn connection(&mut self, task: &mut Task, call: &Call) -> Option<SysResult> {
        let is_allowed = self.sort(call.args[0])? == Sort::Socket && is_nonblocking(call.args[0]);
        is_allowed.then(|| call.execute(task))
    }
}

impl Call {
    fn is_read(&self) -> bool {
        matches!(self.nr.cast_signed(), libc::SYS_read | libc::SYS_readv | libc::SYS_recvfrom | libc::SYS_recvmsg)
    }
}

/// A call on a socket that need not wait: is its result the same as if it could?
fn is_all_or_nothing(task: &Task, call: &Call) -> bool {
    let option = |option| socket_option(task, call.args[0], option);
    if call.is_read() {
        // What is there is enough.
        return option(libc::SO_RCVLOWAT) == Some(1);
    }
    // A message of many bytes has many pieces, of which some may find room.
    let is_small = call.nr.cast_signed() != libc::SYS_sendmsg && call.args[2] <= PAGE_SIZE;
    option(libc::SO_TYPE).is_some_and(|kind| kind != libc::SOCK_STREAM)
        || is_small && option(libc::SO_DOMAIN) == Some(libc::AF_UNIX)
}

/// Is this the result of a call that was not to wait, and would be no other if it were?
fn is_done(result: &SysResult) -> bool {
    !matches!(result, Err(Errno::EAGAIN | Errno::EOPNOTSUPP))
}

/// The result, but where nobody reads any longer: then the caller makes the call itself, as the signal is to be its own.
/// `is_loud` if there was a signal.
fn unbroken(result: SysResult, is_loud: bool) -> Option<SysResult> {
    if result == Err(Errno::EPIPE) {
        if is_loud {
            discard(libc::SIGPIPE);
        }
        return None;
    }
    Some(result)
}

/// poll(2), epoll_wait(2) and the like, which wait as long as the argument `timeout` says.
pub(super) fn events(task: &mut Task, call: &Call, timeout: usize) -> Option<SysResult> {
    // What signals it blocks meanwhile is its caller's affair.
    if call.nr.cast_signed() == libc::SYS_epoll_pwait && call.args[4] != 0 {
        return None;
    }
    let mut args = call.args;
    args[timeout] = 0;
    let result = Call { args, ..*call }.execute(task);
    #[expect(clippy::cast_possible_truncation, reason = "the kernel takes the low half")]
    let may_wait = call.args[timeout] as i32 != 0;
    (!may_wait || result != Ok(Outcome::Value(0))).then_some(result)
}

/// futex(2).
pub(super) fn futex(task: &mut Task, call: &Call) -> Option<SysResult> {
    let [addr, op, value, timeout, _, mask] = call.args;
    #[expect(clippy::cast_possible_truncation, reason = "the kernel takes the low half")]
    let (op, value, mask) = (op as i32, value as u32, mask as u32);
    match op & !libc::FUTEX_PRIVATE_FLAG {
        libc::FUTEX_WAKE
        | libc::FUTEX_WAKE_BITSET
        | libc::FUTEX_WAKE_OP
        | libc::FUTEX_REQUEUE
        | libc::FUTEX_CMP_REQUEUE => Some(call.execute(task)),
        // It is over before it begins.
        wait @ (libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET) => {
            let is_good = timeout == 0 && addr.is_multiple_of(4) && (wait == libc::FUTEX_WAIT || mask != 0);
            let is = task.process.mm.read(UserPtr::<u32>::new(UserAddr::new(addr))).ok().filter(|_| is_good)?;
            (is != value).then_some(Err(Errno::EAGAIN))
        }
        _ => None,
    }
}
