//! What of /proc would give the guest the runner instead of itself.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use nix::sys::stat::{FileStat, SFlag};
use nix::unistd::{Pid, getpid};

use super::arg::{Arg, Fd};
use crate::abi::Errno;
use crate::proc::Task;
use crate::proc::view::{ABSENT, Shown, View};
use crate::sys::descriptor::guest_limit;
use crate::sys::tgkill;

/// A name that the guest does not have.
const NOTHING: &CStr = c"/proc/self/nothing";

/// Another name for `path`, which starts from `dir` if it is relative, where the host's leads to the runner: to its
/// executable, to its descriptors, or to what its address space is made of.
pub(super) fn redirected(task: &Task, dir: Option<Fd>, path: &[u8]) -> Option<CString> {
    let leaf_start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let leaf = Leaf::of(&path[leaf_start..])?;
    let parent = match &path[..leaf_start] {
        b"" => c".".into(),
        parent => CString::new(parent).ok()?,
    };
    let dir = dir.as_ref().filter(|dir| dir.raw() != libc::AT_FDCWD && path[0] != b'/');
    let dir = dir.map_or(Ok(nix::fcntl::AT_FDCWD), Fd::borrow).ok()?;
    let parent = nix::sys::stat::fstatat(dir, parent.as_c_str(), nix::fcntl::AtFlags::empty()).ok()?;
    if !looks_like_procfs(&parent) {
        return None;
    }
    let is_own = |name: &str| {
        let own = nix::sys::stat::stat(name);
        own.is_ok_and(|own| (own.st_dev, own.st_ino) == (parent.st_dev, parent.st_ino))
    };
    let owners = || ["/proc/self".to_owned(), "/proc/thread-self".to_owned()].into_iter().chain(named_thread(path));
    match leaf {
        Leaf::Executable if owners().any(|owner| is_own(&owner)) => {
            CString::new(format!("/proc/self/fd/{}", task.process.executable.as_raw_fd())).ok()
        }
        Leaf::Absent if owners().any(|owner| is_own(&owner)) => Some(NOTHING.into()),
        Leaf::RunnerDescriptor
            if owners().any(|owner| is_own(&format!("{owner}/fd")) || is_own(&format!("{owner}/fdinfo"))) =>
        {
            Some(NOTHING.into())
        }
        _ => None,
    }
}

/// A path that begins with a process's folder of /proc, by the number that the host has for it. In a deterministic run
/// the guest has numbers of its own.
pub(super) fn with_host_id(task: &Task, path: CString) -> CString {
    let Some((board, _)) = task.on_board() else { return path };
    let Some(rest) = path.to_bytes().strip_prefix(b"/proc/") else { return path };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let number = std::str::from_utf8(&rest[..end]).ok().and_then(|number| number.parse().ok());
    let Some(host) = number.map(|number| board.host_id(number)) else { return path };
    let tail = String::from_utf8_lossy(&rest[end..]);
    CString::new(format!("/proc/{host}{tail}")).unwrap_or(path)
}

/// The last part of a path that may have to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Executable,
    Absent,
    /// The number of a descriptor that is none of the guest's.
    RunnerDescriptor,
}

impl Leaf {
    fn of(name: &[u8]) -> Option<Self> {
        if name == b"exe" {
            return Some(Self::Executable);
        }
        if ABSENT.iter().any(|absent| absent.as_bytes() == name) {
            return Some(Self::Absent);
        }
        let is_number = name.first().is_some_and(u8::is_ascii_digit);
        (is_number && is_runner_descriptor(name)).then_some(Self::RunnerDescriptor)
    }
}

/// Has `path` a last part that may have to be changed, if it leads to /proc?
pub(super) fn is_special(path: &[u8]) -> bool {
    path.rsplit(|&byte| byte == b'/').next().is_some_and(|leaf| Leaf::of(leaf).is_some())
}

/// Is it the number of a descriptor that is none of the guest's?
pub(super) fn is_runner_descriptor(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| name.parse::<RawFd>().is_ok_and(|fd| fd >= guest_limit()))
}

/// The directory of the thread whose number comes last but one or two in `path`.
fn named_thread(path: &[u8]) -> Option<String> {
    let is_number = |part: &&[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let thread = path.rsplit(|&byte| byte == b'/').skip(1).take(2).find(is_number)?;
    Some(format!("/proc/self/task/{}", std::str::from_utf8(thread).ok()?))
}

/// Is it a process that this runner's executable runs, this one or another?
///
/// What it has at an address of its program is at another address of the host's, where its runner lives as well.
pub(super) fn is_run_here(process: Pid, executable: Option<&OwnedFd>) -> bool {
    if is_own_thread(process) {
        return true;
    }
    let other = nix::sys::stat::stat(format!("/proc/{process}/exe").as_str());
    match (other, executable.map(nix::sys::stat::fstat)) {
        (Ok(other), Some(Ok(own))) => (other.st_dev, other.st_ino) == (own.st_dev, own.st_ino),
        _ => false,
    }
}

fn is_own_thread(thread: Pid) -> bool {
    tgkill(getpid(), thread, 0).is_ok()
}

/// Takes note of a file that was just opened for the guest, if it is one of its process that is shown differently.
///
/// The file tells, not the name that it was opened by: symbolic links, descriptors of directories and mounts lead
/// there as well.
///
/// # Errors
/// `EACCES` for the memory of another runner, `/proc/PID/mem` of any of its threads.
pub(super) fn note_opened(task: &Task, fd: u64) -> Result<(), Errno> {
    let Ok(guest_fd) = Fd::decode(fd) else { return Ok(()) };
    let Ok(file) = guest_fd.borrow() else { return Ok(()) };
    // The cheap test first, which other files fail.
    let Some(stat) = nix::sys::stat::fstat(file).ok().filter(looks_like_procfs) else { return Ok(()) };
    if !is_on_procfs(file) {
        return Ok(());
    }
    let name = std::fs::read_link(format!("/proc/self/fd/{}", guest_fd.raw())).unwrap_or_default();
    match ProcessFile::of_name(&name) {
        Some(ProcessFile { owner, view }) if is_own_thread(owner) => {
            let file = (stat.st_dev, stat.st_ino);
            task.process.views.add(file, Shown { view, thread: owner });
            Ok(())
        }
        Some(ProcessFile { owner, view: View::Memory })
            if is_run_here(owner, task.process.settings.executable.as_ref()) =>
        {
            Err(Errno::EACCES)
        }
        _ => Ok(()),
    }
}

/// No file on a disk is like that: the blocks of /proc have 1024 bytes, and its files none of them.
fn looks_like_procfs(stat: &FileStat) -> bool {
    stat.st_blksize == 1024 && stat.st_blocks == 0 && is_file_or_directory(stat)
}

/// Is it a regular file or a directory?
pub(super) fn is_file_or_directory(stat: &FileStat) -> bool {
    let kind = stat.st_mode & SFlag::S_IFMT.bits();
    kind == SFlag::S_IFREG.bits() || kind == SFlag::S_IFDIR.bits()
}

fn is_on_procfs(file: BorrowedFd<'_>) -> bool {
    nix::sys::statfs::fstatfs(file).is_ok_and(|statfs| statfs.filesystem_type() == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// A file or directory of a process or thread that views exist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessFile {
    owner: Pid,
    view: View,
}

impl ProcessFile {
    /// By the name of an open file, in which links are resolved.
    fn of_name(name: &Path) -> Option<Self> {
        let number = |path: &Path| path.file_name()?.to_str()?.parse().ok().map(Pid::from_raw);
        if let Some(owner) = number(name) {
            return Some(Self { owner, view: View::Process });
        }
        let view = View::of_name(name.file_name()?.to_str()?)?;
        Some(Self { owner: number(name.parent()?)?, view })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_whose_file_it_is() {
        let owner = |name: &str| ProcessFile::of_name(Path::new(name)).map(|file| (file.owner.as_raw(), file.view));
        assert_eq!(owner("/proc/12/mem"), Some((12, View::Memory)));
        assert_eq!(owner("/elsewhere/12/task/13/mem"), Some((13, View::Memory)));
        assert_eq!(owner("/proc/12/maps"), Some((12, View::Maps)));
        assert_eq!(owner("/proc/12"), Some((12, View::Process)));
        assert_eq!(owner("/proc/12/fdinfo"), Some((12, View::Descriptors)));
        assert_eq!(owner("/proc/12/cmdline"), None);
        assert_eq!(owner("/proc/stat"), None);
        assert_eq!(owner("/proc/self/mem"), None, "links are resolved when a file has been opened");
    }

    #[test]
    fn only_files_of_proc_look_like_it() {
        let looks = |name: &str| looks_like_procfs(&nix::sys::stat::stat(name).unwrap());
        assert!(looks("/proc/self/maps") && looks("/proc/self/mem") && looks("/proc/self/fd") && looks("/proc/self"));
        assert!(!looks("/") && !looks("/dev/null") && !looks("/proc/self/exe"));
    }

    #[test]
    fn numbers_above_the_guests_are_the_runners() {
        assert!(is_runner_descriptor(guest_limit().to_string().as_bytes()));
        assert!(!is_runner_descriptor((guest_limit() - 1).to_string().as_bytes()));
        assert!(!is_runner_descriptor(b"") && !is_runner_descriptor(b"2x"));
        assert_eq!(named_thread(b"/proc/self/task/12/exe").as_deref(), Some("/proc/self/task/12"));
        assert_eq!(named_thread(b"12/fd/3").as_deref(), Some("/proc/self/task/12"));
        assert_eq!(named_thread(b"exe"), None);
    }
}
