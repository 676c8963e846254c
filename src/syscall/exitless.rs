//! Which calls another thread may answer ([`crate::proc::exitless`]), and which set their caller apart from it.
//!
//! It answers what neither blocks for longer than a disk does, nor asks who calls: calls on files and directories of
//! ordinary file systems, on paths outside /proc, on memory, and on pipes where they need not be waited for.

use nix::sys::resource::Resource;
use nix::sys::stat::FileStat;
use nix::sys::statfs::{self, FsType, Statfs};

use super::arg::{Arg, Fd, PathPtr};
use super::string::HostString;
use super::{Outcome, execute, procfs, rw};
use crate::abi::{Errno, UserAddr};
use crate::proc::Task;
use crate::proc::exitless::Answer;
use crate::proc::limits::is_unlimited;
use crate::vm::Posted;

/// What a call has to do with answers from another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is made by an exit, as most are.
    Exit,
    /// It may be answered by another thread, if what it is about allows that.
    About(Object),
    /// After it, or after some uses of it, the kernel treats the calling thread differently from others, or counts the
    /// time that the process takes.
    SetsApart,
}

/// What must be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Nothing: it is about memory or the working directory.
    Nothing,
    /// The descriptor that comes first.
    Descriptor,
    /// The same, which may be a pipe's.
    Stream,
    /// The descriptor that comes first, and the limit on the sizes of files.
    Written,
    /// The same, which may be a pipe's.
    WrittenStream,
    /// The path that comes first.
    Path,
    /// The path behind a descriptor of a directory.
    PathAt,
    /// The path that comes first, to be opened.
    Opened,
    /// The same behind a descriptor of a directory.
    OpenedAt,
    /// The descriptor that comes first, and the command that comes second.
    Command,
}

/// By number.
#[expect(clippy::cast_possible_truncation, reason = "the numbers of calls are small")]
static KINDS: [Kind; 512] = {
    use Kind::{About, SetsApart};
    let kinds: &[(i64, Kind)] = &[
        (libc::SYS_brk, About(Object::Nothing)),
        (libc::SYS_mmap, About(Object::Nothing)),
        (libc::SYS_munmap, About(Object::Nothing)),
        (libc::SYS_mprotect, About(Object::Nothing)),
        (libc::SYS_getcwd, About(Object::Nothing)),
        (libc::SYS_umask, About(Object::Nothing)),
        (libc::SYS_read, About(Object::Stream)),
        (libc::SYS_readv, About(Object::Descriptor)),
        (libc::SYS_pread64, About(Object::Descriptor)),
        (libc::SYS_lseek, About(Object::Descriptor)),
        (libc::SYS_fstat, About(Object::Descriptor)),
        (libc::SYS_getdents64, About(Object::Descriptor)),
        (libc::SYS_close, About(Object::Descriptor)),
        (libc::SYS_dup, About(Object::Descriptor)),
        (libc::SYS_fchdir, About(Object::Descriptor)),
        (libc::SYS_fchmod, About(Object::Descriptor)),
        (libc::SYS_write, About(Object::WrittenStream)),
        (libc::SYS_writev, About(Object::Written)),
        (libc::SYS_pwrite64, About(Object::Written)),
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
        (libc::SYS_timer_create, SetsApart),
        (libc::SYS_setitimer, SetsApart),
        (libc::SYS_setrlimit, SetsApart),
        (libc::SYS_prlimit64, SetsApart),
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

/// Is this one of the uses of a call that sets its caller apart?
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

/// What is known of files that were met.
#[derive(Debug, Default)]
struct Files {
    /// Which devices hold ordinary files.
    devices: Vec<(u64, bool)>,
    /// A descriptor, what it is of, and the stay in guest mode during which nobody else may change that.
    descriptor: Option<(u64, Sort, u64)>,
    /// The kernel cannot tell whether a pipe would have to be waited for.
    has_blind_pipes: bool,
}

/// What a call is about, as far as that decides how it can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// What waits for nothing but a disk.
    Ordinary,
    /// A pipe, which may have to be waited for.
    Pipe,
}

impl Files {
    fn answer(&mut self, task: &mut Task, posted: Posted, stay: u64) -> Option<u64> {
        let nr = posted.nr & u64::from(u32::MAX);
        let Kind::About(object) = kind(nr) else { return None };
        if self.descriptor.is_some_and(|(.., known_in)| known_in != stay) {
            self.descriptor = None;
        }
        if self.allow(task, object, &posted.args, stay)? == Sort::Pipe {
            return self.transfer(task, nr.cast_signed(), &posted.args);
        }
        if changes_descriptors(nr) {
            self.descriptor = None;
        }
        task.vcpu.regs_mut().rip = posted.rip;
        match execute(task, nr, &posted.args) {
            Ok(Outcome::Value(value)) => Some(value),
            Err(Errno::ERESTARTNOINTR) | Ok(_) => None,
            Err(errno) => Some(errno.as_negative()),
        }
    }

    /// A call on a pipe, which leaves the guest if it cannot be made now: whoever makes it may have to wait, or to die.
    fn transfer(&mut self, task: &Task, nr: i64, args: &[u64; 6]) -> Option<u64> {
        let fd = Fd::decode(args[0]).ok().filter(|_| !self.has_blind_pipes)?;
        let result = rw::transfer_without_waiting(task, nr, fd, UserAddr::new(args[1]), args[2]);
        self.has_blind_pipes = result == Err(Errno::EOPNOTSUPP);
        result.ok()
    }

    /// What the call is about if it may be answered.
    fn allow(&mut self, task: &Task, object: Object, args: &[u64; 6], stay: u64) -> Option<Sort> {
        const QUICK: [i32; 6] =
            [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL, libc::F_DUPFD, libc::F_DUPFD_CLOEXEC];
        #[expect(clippy::cast_possible_truncation, reason = "the kernel takes the low half")]
        let (first, second) = (args[0] as i32, args[1] as i32);
        let is_allowed = match object {
            Object::Nothing => true,
            Object::Stream => return self.sort(args[0], stay),
            Object::WrittenStream => return self.sort(args[0], stay).filter(|_| is_unlimited(Resource::RLIMIT_FSIZE)),
            Object::Descriptor => self.is_ordinary(args[0], stay),
            Object::Written => is_unlimited(Resource::RLIMIT_FSIZE) && self.is_ordinary(args[0], stay),
            Object::Path => is_elsewhere(task, args[0]),
            Object::PathAt => is_elsewhere(task, args[1]),
            Object::Opened => self.allow_opening(task, libc::AT_FDCWD, args[0], args[1]),
            Object::OpenedAt => self.allow_opening(task, first, args[1], args[2]),
            Object::Command => QUICK.contains(&second) && self.is_ordinary(args[0], stay),
        };
        is_allowed.then_some(Sort::Ordinary)
    }

    fn is_ordinary(&mut self, fd: u64, stay: u64) -> bool {
        self.sort(fd, stay) == Some(Sort::Ordinary)
    }

    /// What the descriptor is of.
    fn sort(&mut self, raw: u64, stay: u64) -> Option<Sort> {
        if let Some((known, sort, known_in)) = self.descriptor
            && (known, known_in) == (raw, stay)
        {
            return Some(sort);
        }
        let fd = Fd::decode(raw).ok()?;
        let file = fd.borrow().ok()?;
        let stat = nix::sys::stat::fstat(file).ok()?;
        let sort = if stat.st_mode & libc::S_IFMT == libc::S_IFIFO {
            Sort::Pipe
        } else if self.allow_file(&stat, || statfs::fstatfs(file).ok()) {
            Sort::Ordinary
        } else {
            return None;
        };
        self.descriptor = Some((raw, sort, stay));
        Some(sort)
    }

    fn allow_opening(&mut self, task: &Task, dir: i32, path: u64, flags: u64) -> bool {
        let Some(path) = path_elsewhere(task, path) else { return false };
        let Ok(dir) = Fd::decode(i64::from(dir).cast_unsigned()) else { return false };
        let Ok(at) = (if dir.raw() == libc::AT_FDCWD { Ok(nix::fcntl::AT_FDCWD) } else { dir.borrow() }) else {
            return false;
        };
        match nix::sys::stat::fstatat(at, path.as_c_str(), nix::fcntl::AtFlags::empty()) {
            // Which file system it is on can be asked by a whole path.
            Ok(stat) => self.allow_file(&stat, || {
                let is_whole = path.to_bytes().starts_with(b"/");
                is_whole.then(|| statfs::statfs(path.as_c_str()).ok()).flatten()
            }),
            Err(nix::errno::Errno::ENOENT) => flags & libc::O_CREAT.unsigned_abs() as u64 == 0,
            Err(_) => false,
        }
    }

    /// May a file be worked with that `stat` tells of, and `statfs` of its file system, if that can be asked?
    fn allow_file(&mut self, stat: &FileStat, statfs: impl FnOnce() -> Option<Statfs>) -> bool {
        /// There are not many; the memory of more is not worth it.
        const MOST: usize = 16;
        if !procfs::is_file_or_directory(stat) {
            return false;
        }
        if let Some((_, is_ordinary)) = self.devices.iter().find(|(device, _)| *device == stat.st_dev) {
            return *is_ordinary;
        }
        let Some(statfs) = statfs() else { return false };
        let is_ordinary = is_ordinary(&statfs);
        if self.devices.len() < MOST {
            self.devices.push((stat.st_dev, is_ordinary));
        }
        is_ordinary
    }
}

/// May the call have a descriptor mean another file?
fn changes_descriptors(nr: u64) -> bool {
    [libc::SYS_close, libc::SYS_open, libc::SYS_openat, libc::SYS_dup, libc::SYS_fcntl].contains(&nr.cast_signed())
}

/// Is it a file system whose files wait for nothing but a disk?
fn is_ordinary(statfs: &Statfs) -> bool {
    /// `SQUASHFS_MAGIC` of the kernel's `include/uapi/linux/magic.h`.
    const SQUASHFS: FsType = FsType(0x7371_7368);
    const ORDINARY: [FsType; 7] = [
        statfs::OVERLAYFS_SUPER_MAGIC,
        statfs::BTRFS_SUPER_MAGIC,
        statfs::XFS_SUPER_MAGIC,
        statfs::F2FS_SUPER_MAGIC,
        statfs::EXT4_SUPER_MAGIC,
        statfs::TMPFS_MAGIC,
        SQUASHFS,
    ];
    ORDINARY.contains(&statfs.filesystem_type())
}

/// Does the guest's string at `path` lead to no place in /proc that asks who looks?
fn is_elsewhere(task: &Task, path: u64) -> bool {
    path_elsewhere(task, path).is_some()
}

fn path_elsewhere(task: &Task, path: u64) -> Option<std::ffi::CString> {
    let path = PathPtr::decode(path).ok()?;
    match task.string(path.0, super::string::PATH_MAX) {
        HostString::Copied(path) => {
            let bytes = path.to_bytes();
            let may_ask = bytes.windows(4).any(|part| part == b"proc") || procfs::is_special(bytes);
            (!may_ask).then_some(path)
        }
        HostString::Null | HostString::Unreadable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(nr: i64, args: [i32; 3]) -> bool {
        let [a, b, c] = args.map(|arg| u64::from(arg.unsigned_abs()));
        kind(nr.unsigned_abs()) == Kind::SetsApart && sets_apart(nr.unsigned_abs(), &[a, b, c, 0, 0, 0])
    }

    #[test]
    fn what_blocks_or_asks_who_calls_is_an_exit() {
        for nr in [libc::SYS_futex, libc::SYS_poll, libc::SYS_kill, libc::SYS_getppid, libc::SYS_clone, libc::SYS_flock]
        {
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
