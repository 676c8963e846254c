//! Calls that send and write to pipes and sockets: all of it, as calls do that may wait.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::sockopt;
use nix::sys::stat::{SFlag, fstat};

use super::super::super::arg::Fd;
use super::super::super::host::args;
use super::super::super::iovec::{Iovec, MAX_RW_COUNT};
use super::super::super::{Outcome, SysResult};
use super::{call, is_blocking, progress, timeout_of, unless_it_waits, waiting_file};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

const DONT_WAIT: u64 = libc::MSG_DONTWAIT as u64;

/// The argument of a call that has flags of send(2).
fn place_of_flags(nr: i64) -> Option<usize> {
    match nr {
        libc::SYS_sendto | libc::SYS_sendmmsg => Some(3),
        libc::SYS_sendmsg => Some(2),
        _ => None,
    }
}

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    let is_told_not_to_wait = place_of_flags(nr).is_some_and(|place| args[place] & DONT_WAIT != 0);
    let fd = waiting_file(args[0]).filter(|fd| !is_told_not_to_wait && is_queue(*fd) && is_blocking(*fd));
    let Some(fd) = fd else { return call(task, nr, args) };
    let timeout = timeout_of(fd, sockopt::SendTimeout);
    let (mut part, mut done) = ((nr, *args), 0);
    loop {
        let (nr_of_part, args_of_part) = part;
        match progress(task, timeout, |task| unless_it_waits(at_once(task, fd, nr_of_part, &args_of_part))) {
            Ok(Outcome::Value(len)) if len > 0 && nr != libc::SYS_sendmmsg => done += len,
            Err(_) if done > 0 => return Ok(Outcome::Value(done)),
            result => return result,
        }
        match rest(task, nr, args, done) {
            Some(rest) => part = rest,
            None => return Ok(Outcome::Value(done)),
        }
    }
}

/// Without waiting.
fn at_once(task: &mut Task, fd: Fd, nr: i64, args: &[u64; 6]) -> SysResult {
    if let Some(place) = place_of_flags(nr) {
        let mut args = *args;
        args[place] |= DONT_WAIT;
        return call(task, nr, &args);
    }
    match by_vector(task, fd, nr, args) {
        // An older kernel. The flag is that of all who have the file, of whom no other one of the run looks at it meanwhile.
        Err(Errno::EOPNOTSUPP) => {
            set_blocking(fd, false);
            let result = call(task, nr, args);
            set_blocking(fd, true);
            result
        }
        result => result,
    }
}

/// By a call that can be told not to wait.
fn by_vector(task: &mut Task, fd: Fd, nr: i64, args: &[u64; 6]) -> SysResult {
    let [_, from, len, ..] = *args;
    let is_vector = nr == libc::SYS_writev;
    if !is_vector && !UserAddr::new(from).is_user_range(len) {
        return Err(Errno::EFAULT);
    }
    let iovecs = if is_vector {
        task.iovecs(UserPtr::new(UserAddr::new(from)), len)?
    } else {
        task.one_iovec(UserAddr::new(from), len.min(MAX_RW_COUNT))
    };
    let count = iovecs.count();
    let here = u64::MAX;
    let args = args![fd, &iovecs, count, here, here, libc::RWF_NOWAIT.unsigned_abs()];
    task.host(libc::SYS_pwritev2, args).map(Outcome::Value)
}

/// The call that goes on when `done` bytes are written: the rest of a buffer. `None` when all are.
fn rest(task: &Task, nr: i64, args: &[u64; 6], done: u64) -> Option<(i64, [u64; 6])> {
    let [fd, first, second, flags, ..] = *args;
    match nr {
        libc::SYS_write => {
            part(&[Iovec { base: first, len: second }], done).map(|(at, len)| (nr, [fd, at, len, 0, 0, 0]))
        }
        // With an address it is no stream, of which parts could be sent.
        libc::SYS_sendto if args[4] == 0 => {
            part(&[Iovec { base: first, len: second }], done).map(|(at, len)| (nr, [fd, at, len, flags, 0, 0]))
        }
        libc::SYS_writev => {
            part(&buffers(task, first, second)?, done).map(|(at, len)| (libc::SYS_write, [fd, at, len, 0, 0, 0]))
        }
        libc::SYS_sendmsg => {
            let header: [u64; 4] = task.process.mm.read(UserPtr::new(UserAddr::new(first))).ok()?;
            let [_, _, iovecs, count] = header;
            part(&buffers(task, iovecs, count)?, done).map(|(at, len)| (libc::SYS_sendto, [fd, at, len, second, 0, 0]))
        }
        _ => None,
    }
}

fn buffers(task: &Task, from: u64, count: u64) -> Option<Vec<Iovec>> {
    task.process.mm.read_array(UserPtr::new(UserAddr::new(from)), usize::try_from(count).ok()?).ok()
}

/// Where the rest of a buffer is, and how long, of which `done` bytes of all are written.
fn part(buffers: &[Iovec], mut done: u64) -> Option<(u64, u64)> {
    for buffer in buffers {
        if done < buffer.len {
            return Some((buffer.base + done, buffer.len - done));
        }
        done -= buffer.len;
    }
    None
}

/// A pipe, a socket, or what has no kind as eventfd(2).
fn is_queue(fd: Fd) -> bool {
    let stat = fd.borrow().ok().and_then(|fd| fstat(fd).ok());
    stat.is_some_and(|stat| {
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK || kind.is_empty()
    })
}

fn set_blocking(fd: Fd, is_blocking: bool) {
    if let Ok(fd) = fd.borrow()
        && let Ok(flags) = fcntl(fd, FcntlArg::F_GETFL)
    {
        let mut flags = OFlag::from_bits_retain(flags);
        flags.set(OFlag::O_NONBLOCK, !is_blocking);
        let _ = fcntl(fd, FcntlArg::F_SETFL(flags));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_that_of_one_buffer() {
        let buffers = [(0x1000, 10), (0x2000, 0), (0x3000, 5)].map(|(base, len)| Iovec { base, len });
        let parts = [0, 4, 10, 12, 15].map(|done| part(&buffers, done));
        assert_eq!(parts, [Some((0x1000, 10)), Some((0x1004, 6)), Some((0x3000, 5)), Some((0x3002, 3)), None]);
    }
}
