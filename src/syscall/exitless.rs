//! Which calls another thread may answer ([`crate::proc::exitless`]), and which set their caller apart from it.
//!
//! It answers what neither blocks for longer than a disk does, nor asks who calls: calls on files and directories of
//! ordinary file systems, on paths outside /proc and on memory, and on pipes, sockets, events and futexes where there is
//! nothing to be waited for.

mod files;
mod waiting;

use self::files::{Files, Sort, are_sizes_unlimited, is_elsewhere, lingers};
use super::{Counting, Outcome, SysResult, execute};
use crate::abi::Errno;
use crate::proc::Task;
use crate::proc::exitless::Answer;
use crate::vm::Posted;

/// What a call has to do with answers from another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is made by an exit, as most are.
    Exit,
    /// It may be answered by another thread, if what it is about allows that.
    About(Object),
    /// After it, or after some uses of it, the kernel treats the calling thread differently from others.
    SetsApart,
    /// After it, or after some uses of it, the kernel counts the time that the process takes.
    CountsTime,
}

/// What must be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Nothing: it is about memory, the working directory or descriptors to be made.
    Nothing,
    /// The descriptor that comes first, of an ordinary file.
    File,
    /// The same, and the limit on the sizes of files.
    WrittenFile,
    /// The descriptor that comes first, of whatever kind.
    Descriptor,
    /// The same, which it closes.
    Closed,
    /// The same, from which it reads or to which it writes: for a file, the limit on sizes matters.
    Stream,
    /// The descriptor that comes first, and the command that comes second.
    Command,
    /// The descriptor that comes first, of a socket.
    Socket,
    /// The same, from which it takes a connection.
    Listener,
    /// The same, and the flags that are this argument, counted from 0.
    Message { flags: usize },
    /// The path that comes first.
    Path,
    /// The path behind a descriptor of a directory.
    PathAt,
    /// The path that comes first, to be opened.
    Opened,
    /// The same behind a descriptor of a directory.
    OpenedAt,
    /// Events, for which it waits no longer than this argument says.
    Events { timeout: usize },
    /// A futex.
    Futex,
}

/// By number.
#[expect(clippy::cast_possible_truncation, reason = "the numbers of calls are small")]
static KINDS: [Kind; 512] = {
    use Kind::{About, CountsTime, SetsApart};
    let kinds: &[(i64, Kind)] = &[
        (libc::SYS_brk, About(Object::Nothing)),
        (libc::SYS_mmap, About(Object::Nothing)),
        (libc::SYS_munmap, About(Object::Nothing)),
        (libc::SYS_mprotect, About(Object::Nothing)),
        (libc::SYS_mremap, About(Object::Nothing)),
        (libc::SYS_madvise, About(Object::Nothing)),
        (libc::SYS_getrandom, About(Object::Nothing)),
        (libc::SYS_eventfd2, About(Object::Nothing)),
        (libc::SYS_epoll_ctl, About(Object::Nothing)),
        (libc::SYS_epoll_wait, About(Object::Events { timeout: 3 })),
        (libc::SYS_epoll_pwait, About(Object::Events { timeout: 3 })),
        (libc::SYS_poll, About(Object::Events { timeout: 2 })),
        (libc::SYS_futex, About(Object::Futex)),
        (libc::SYS_accept, About(Object::Listener)),
        (libc::SYS_accept4, About(Object::Listener)),
        (libc::SYS_getsockname, About(Object::Socket)),
        (libc::SYS_getpeername, About(Object::Socket)),
        (libc::SYS_getsockopt, About(Object::Socket)),
        (libc::SYS_setsockopt, About(Object::Socket)),
        (libc::SYS_shutdown, About(Object::Socket)),
        (libc::SYS_sendto, About(Object::Message { flags: 3 })),
        (libc::SYS_recvfrom, About(Object::Message { flags: 3 })),
        (libc::SYS_sendmsg, About(Object::Message { flags: 2 })),
        (libc::SYS_recvmsg, About(Object::Message { flags: 2 })),
        (libc::SYS_getcwd, About(Object::Nothing)),
        (libc::SYS_umask, About(Object::Nothing)),
        (libc::SYS_read, About(Object::Stream)),
        (libc::SYS_readv, About(Object::Stream)),
        (libc::SYS_pread64, About(Object::File)),
        (libc::SYS_lseek, About(Object::File)),
        (libc::SYS_fstat, About(Object::Descriptor)),
        (libc::SYS_getdents64, About(Object::File)),
        (libc::SYS_close, About(Object::Closed)),
        (libc::SYS_dup, About(Object::Descriptor)),
        (libc::SYS_fchdir, About(Object::File)),
        (libc::SYS_fchmod, About(Object::File)),
        (libc::SYS_write, About(Object::Stream)),
        (libc::SYS_writev, About(Object::Stream)),
        (libc::SYS_pwrite64, About(Object::WrittenFile)),
        (libc::SYS_stat, About(Object::Path)),
        (libc::SYS_lstat, About(Object::Path)),
        (libc::SYS_access, About(Object::Path)),
        (libc::SYS_readlink, About(Object::Path)),
        (libc::SYS_chdir, About(Object::Path)),
        (libc::SYS_chmod, About(Object::Path)),
        (libc::SYS_mkdir, About(Object::Path)),
        (libc::SYS_rmdir, About(Object::Path)),
        (libc::SYS_unlink, About(Object::Path)),
        (libc::SYS_newfstatat, About(Object::PathAt)),
        (libc::SYS_statx, About(Object::PathAt)),
        (libc::SYS_faccessat, About(Object::PathAt)),
        (libc::SYS_faccessat2, About(Object::PathAt)),
        (libc::SYS_readlinkat, About(Object::PathAt)),
        (libc::SYS_fchmodat, About(Object::PathAt)),
        (libc::SYS_mkdirat, About(Object::PathAt)),
        (libc::SYS_unlinkat, About(Object::PathAt)),
        (libc::SYS_utimensat, About(Object::PathAt)),
        (libc::SYS_open, About(Object::Opened)),
        (libc::SYS_openat, About(Object::OpenedAt)),
        (libc::SYS_fcntl, About(Object::Command)),
        (libc::SYS_capset, SetsApart),
        (libc::SYS_setfsuid, SetsApart),
        (libc::SYS_setfsgid, SetsApart),
        (libc::SYS_setgroups, SetsApart),
        (libc::SYS_keyctl, SetsApart),
        (libc::SYS_prctl, SetsApart),
        (libc::SYS_landlock_restrict_self, SetsApart),
        (libc::SYS_personality, SetsApart),
        (libc::SYS_ioprio_set, SetsApart),
        (libc::SYS_setpriority, SetsApart),
        (libc::SYS_sched_setaffinity, SetsApart),
        (libc::SYS_sched_setscheduler, SetsApart),
        (libc::SYS_sched_setparam, SetsApart),
        (libc::SYS_sched_setattr, SetsApart),
        (libc::SYS_set_mempolicy, SetsApart),
        (libc::SYS_close_range, SetsApart),
        (libc::SYS_unshare, SetsApart),
        (libc::SYS_setns, SetsApart),
        (libc::SYS_timer_create, CountsTime),
        (libc::SYS_setitimer, CountsTime),
        (libc::SYS_setrlimit, CountsTime),
        (libc::SYS_prlimit64, CountsTime),
    ];
    let mut all = [Kind::Exit; 512];
    let mut next = 0;
    while next < kinds.len() {
        let (nr, kind) = kinds[next];
        all[nr.unsigned_abs() as usize] = kind;
        next += 1;
    }
    all
};

/// The kind of the call `nr`.
#[inline]
pub(super) fn kind(nr: u64) -> Kind {
    usize::try_from(nr).ok().and_then(|nr| KINDS.get(nr).copied()).unwrap_or(Kind::Exit)
}

/// Is this one of the uses of a call that sets its caller apart, or has time counted?
pub(super) fn sets_apart(nr: u64, args: &[u64; 6]) -> bool {
    const HARMLESS: [i32; 4] = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA, libc::PR_GET_DUMPABLE];
    const CLOCKS: [i32; 3] = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME];
    #[expect(clippy::cast_possible_truncation, reason = "the kernel takes the low half")]
    let first = args[0] as i32;
    match nr.cast_signed() {
        libc::SYS_prctl => !HARMLESS.contains(&first),
        libc::SYS_setitimer => first != libc::ITIMER_REAL,
        libc::SYS_timer_create => !CLOCKS.contains(&first),
        libc::SYS_close_range => args[2] & u64::from(libc::CLOSE_RANGE_UNSHARE) != 0,
        libc::SYS_setrlimit => args[0] == u64::from(libc::RLIMIT_CPU),
        libc::SYS_prlimit64 => args[1] == u64::from(libc::RLIMIT_CPU) && args[2] != 0,
        _ => true,
    }
}

/// What answers calls, for the thread that does.
pub(super) fn answer() -> Answer {
    let mut files = Files::default();
    Box::new(move |task, posted, stay| files.answer(task, posted, stay))
}

impl Files {
    fn answer(&mut self, task: &mut Task, posted: Posted, stay: u64) -> Option<u64> {
        let nr = posted.nr & u64::from(u32::MAX);
        let Kind::About(object) = kind(nr) else { return None };
        self.begin(stay, task.process.threads.is_single());
        let call = &Call { nr, args: posted.args };
        let counting = Counting::begin(task, nr, &call.args);
        let result = match object {
            Object::Stream => self.transfer(task, call),
            Object::Message { flags } => self.message(task, call, flags),
            Object::Listener => self.connection(task, call),
            Object::Events { timeout } => waiting::events(task, call, timeout),
            Object::Futex => waiting::futex(task, call),
            _ => self.allows(task, object, &call.args).then(|| {
                task.vcpu.regs_mut().rip = posted.rip;
                call.execute(task)
            }),
        };
        if changes_descriptors(nr) {
            self.forget();
        }
        let result = result?;
        let answer = match result {
            Ok(Outcome::Value(value)) => value,
            // It had to give up, or to wait.
            Err(Errno::ERESTARTNOINTR | Errno::EINTR) | Ok(_) => return None,
            Err(errno) => errno.as_negative(),
        };
        if let Some(counting) = counting {
            counting.end(task, &result);
        }
        Some(answer)
    }

    /// May a call be made that waits for nothing, by what it is about?
    fn allows(&mut self, task: &Task, object: Object, args: &[u64; 6]) -> bool {
        const QUICK: [i32; 6] =
            [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL, libc::F_DUPFD, libc::F_DUPFD_CLOEXEC];
        #[expect(clippy::cast_possible_truncation, reason = "the kernel takes the low half")]
        let (first, second) = (args[0] as i32, args[1] as i32);
        match object {
            Object::Nothing => true,
            Object::File => self.sort(args[0]) == Some(Sort::File),
            Object::WrittenFile => self.sort(args[0]) == Some(Sort::File) && are_sizes_unlimited(),
            Object::Descriptor => self.sort(args[0]).is_some(),
            Object::Closed => self.sort(args[0]).is_some_and(|sort| sort != Sort::Socket || !lingers(task, args[0])),
            Object::Command => QUICK.contains(&second) && self.sort(args[0]).is_some(),
            Object::Socket => self.sort(args[0]) == Some(Sort::Socket),
            Object::Path => is_elsewhere(task, args[0]),
            Object::PathAt => is_elsewhere(task, args[1]),
            Object::Opened => self.allow_opening(task, libc::AT_FDCWD, args[0], args[1]),
            Object::OpenedAt => self.allow_opening(task, first, args[1], args[2]),
            // They may wait.
            Object::Stream | Object::Listener | Object::Message { .. } | Object::Events { .. } | Object::Futex => false,
        }
    }
}

/// May the call have a descriptor mean another file?
fn changes_descriptors(nr: u64) -> bool {
    matches!(
        nr.cast_signed(),
        libc::SYS_close
            | libc::SYS_open
            | libc::SYS_openat
            | libc::SYS_dup
            | libc::SYS_fcntl
            | libc::SYS_accept
            | libc::SYS_accept4
            | libc::SYS_eventfd2
            | libc::SYS_recvmsg
    )
}

/// A call that is to be answered.
struct Call {
    nr: u64,
    args: [u64; 6],
}

impl Call {
    fn execute(&self, task: &mut Task) -> SysResult {
        execute(task, self.nr, &self.args)
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    fn apart(nr: i64, args: [i32; 3]) -> bool {
        let [a, b, c] = args.map(|arg| u64::from(arg.unsigned_abs()));
        matches!(kind(nr.unsigned_abs()), Kind::SetsApart | Kind::CountsTime)
            && sets_apart(nr.unsigned_abs(), &[a, b, c, 0, 0, 0])
    }

    #[test]
    fn what_blocks_or_asks_who_calls_is_an_exit() {
        for nr in [libc::SYS_pause, libc::SYS_kill, libc::SYS_getppid, libc::SYS_clone, libc::SYS_flock] {
            assert_eq!(kind(nr.unsigned_abs()), Kind::Exit, "{nr}");
        }
        assert_eq!(kind(511), Kind::Exit);
        assert_eq!(kind(u64::MAX), Kind::Exit);
    }

    #[test]
    fn what_sets_apart_depends_on_arguments() {
        assert!(apart(libc::SYS_capset, [0; 3]));
        assert!(apart(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS, 1, 0]));
        assert!(!apart(libc::SYS_prctl, [libc::PR_SET_NAME, 1, 0]));
        assert!(apart(libc::SYS_setitimer, [libc::ITIMER_PROF, 0, 0]));
        assert!(!apart(libc::SYS_setitimer, [libc::ITIMER_REAL, 0, 0]));
        assert!(apart(libc::SYS_prlimit64, [0, 0, 1]));
        assert!(!apart(libc::SYS_prlimit64, [0, 0, 0]));
    }
}
