//! What descriptors and paths are of, as far as that decides how calls on them can be answered.

use std::ffi::CString;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::Resource;
use nix::sys::stat::{FileStat, fstat};
use nix::sys::statfs::{self, FsType, Statfs};
use zerocopy::IntoBytes;

use crate::proc::Task;
use crate::proc::limits::is_unlimited;
use crate::syscall::arg::{Arg, Fd, PathPtr};
use crate::syscall::host::args;
use crate::syscall::procfs;
use crate::syscall::string::{HostString, PATH_MAX};

/// What a descriptor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A file or directory that waits for nothing but a disk.
    File,
    /// A pipe.
    Pipe,
    /// A socket.
    Socket,
    /// Made by eventfd(2) or timerfd_create(2).
    Event,
}

/// What is known of files that were met.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Which devices hold ordinary files.
    devices: Vec<(u64, bool)>,
    /// A descriptor and what it is of, while nobody else may change that.
    descriptor: Option<(u64, Sort)>,
    /// The stay in guest mode for which that holds.
    stay: u64,
    /// May nothing be known?
    is_blind: bool,
}

impl Files {
    /// A call is answered during this stay in guest mode; nobody else makes calls meanwhile if the thread `is_single`.
    pub(super) fn begin(&mut self, stay: u64, is_single: bool) {
        if self.stay != stay || !is_single {
            self.descriptor = None;
        }
        (self.stay, self.is_blind) = (stay, !is_single);
    }

    /// Descriptors may mean other files from now on.
    pub(super) fn forget(&mut self) {
        self.descriptor = None;
    }

    /// What the descriptor is of, if that is known to be harmless.
    pub(super) fn sort(&mut self, raw: u64) -> Option<Sort> {
        if let Some((known, sort)) = self.descriptor
            && known == raw
        {
            return Some(sort);
        }
        let sort = self.find_sort(raw)?;
        if !self.is_blind {
            self.descriptor = Some((raw, sort));
        }
        Some(sort)
    }

    fn find_sort(&mut self, raw: u64) -> Option<Sort> {
        /// Bits of the type, which files without an inode of their own have none of.
        const ANONYMOUS: u32 = 0;
        let fd = Fd::decode(raw).ok()?;
        let file = fd.borrow().ok()?;
        let stat = fstat(file).ok()?;
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFIFO => Some(Sort::Pipe),
            libc::S_IFSOCK => Some(Sort::Socket),
            ANONYMOUS => is_event(fd).then_some(Sort::Event),
            _ => self.allow_file(&stat, || statfs::fstatfs(file).ok()).then_some(Sort::File),
        }
    }

    pub(super) fn allow_opening(&mut self, task: &Task, dir: i32, path: u64, flags: u64) -> bool {
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

/// Was it made by eventfd(2) or timerfd_create(2)?
fn is_event(fd: Fd) -> bool {
    let name = nix::fcntl::readlink(format!("/proc/self/fd/{}", fd.raw()).as_str());
    name.is_ok_and(|name| name == "anon_inode:[eventfd]" || name == "anon_inode:[timerfd]")
}

/// Do calls on the descriptor return at once?
pub(super) fn is_nonblocking(raw: u64) -> bool {
    let flags = Fd::decode(raw).and_then(|fd| Ok(fcntl(fd.borrow()?, FcntlArg::F_GETFL)?));
    flags.is_ok_and(|flags| OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK))
}

/// Are there no limits on the sizes of files?
pub(super) fn are_sizes_unlimited() -> bool {
    is_unlimited(Resource::RLIMIT_FSIZE)
}

/// Does close(2) of the socket wait until what was sent has arrived?
pub(super) fn lingers(task: &Task, raw: u64) -> bool {
    socket_option(task, raw, libc::SO_LINGER) != Some(0)
}

/// The first number of an option of the level `SOL_SOCKET`.
pub(super) fn socket_option(task: &Task, raw: u64, option: i32) -> Option<i32> {
    let fd = Fd::decode(raw).ok()?;
    // One has two.
    let (mut value, mut len) = ([0i32; 2], [8i32]);
    let args = args![fd, libc::SOL_SOCKET, option, value.as_mut_bytes(), len.as_mut_bytes()];
    task.host(libc::SYS_getsockopt, args).ok().map(|_| value[0])
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
pub(super) fn is_elsewhere(task: &Task, path: u64) -> bool {
    path_elsewhere(task, path).is_some()
}

fn path_elsewhere(task: &Task, path: u64) -> Option<CString> {
    let path = PathPtr::decode(path).ok()?;
    match task.string(path.0, PATH_MAX) {
        HostString::Copied(path) => {
            let bytes = path.to_bytes();
            let may_ask = bytes.windows(4).any(|part| part == b"proc") || procfs::is_special(bytes);
            (!may_ask).then_some(path)
        }
        HostString::Null | HostString::Unreadable => None,
    }
}
