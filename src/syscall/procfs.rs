//! What of /proc would give the guest the runner instead of itself.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::path::{Component, Path};

use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{Pid, getpid};

use super::arg::{Arg, Fd};
use crate::proc::Task;
use crate::sys::tgkill;

/// Another name for `/proc/self/exe`, under whichever name of the process: the host's leads to the runner.
pub(super) fn own_executable(task: &Task, path: &[u8]) -> Option<CString> {
    let owner = path.strip_prefix(b"/proc/")?.strip_suffix(b"/exe")?;
    let is_own = match owner {
        b"self" | b"thread-self" => true,
        owner => std::str::from_utf8(owner).is_ok_and(|owner| owner.parse() == Ok(getpid().as_raw())),
    };
    let fd = task.process.executable.as_raw_fd();
    is_own.then(|| CString::new(format!("/proc/self/fd/{fd}")).unwrap_or_default())
}

/// Is this descriptor of the guest's the memory of the runner, `/proc/PID/mem` of any of its threads?
///
/// The file tells, not the name that it was opened by: symbolic links, descriptors of directories and mounts lead
/// there as well.
pub(super) fn is_own_memory(fd: u64) -> bool {
    let Ok(guest_fd) = Fd::decode(fd) else { return false };
    let Ok(file) = guest_fd.borrow() else { return false };
    // The cheap test first, which all other files fail.
    looks_like_memory(file) && is_on_procfs(file) && is_named_own_memory(guest_fd.raw())
}

fn looks_like_memory(file: BorrowedFd<'_>) -> bool {
    let owner_only = SFlag::S_IFREG.bits() | (Mode::S_IRUSR | Mode::S_IWUSR).bits();
    nix::sys::stat::fstat(file).is_ok_and(|stat| stat.st_mode == owner_only && stat.st_size == 0)
}

fn is_on_procfs(file: BorrowedFd<'_>) -> bool {
    nix::sys::statfs::fstatfs(file).is_ok_and(|statfs| statfs.filesystem_type() == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// The name of the open file says whose it is; without a name it is refused.
fn is_named_own_memory(fd: RawFd) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).map_or(true, |name| match owner_of_memory(&name) {
        Some(thread) => tgkill(getpid(), thread, 0).is_ok(),
        None => false,
    })
}

/// The process or thread whose memory a name ending in `PID/mem` stands for.
fn owner_of_memory(name: &Path) -> Option<Pid> {
    let mut components = name.components().rev();
    if components.next() != Some(Component::Normal("mem".as_ref())) {
        return None;
    }
    let owner = components.next()?.as_os_str().to_str()?;
    owner.parse().ok().map(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn the_name_says_whose_memory_it_is() {
        let owner = |name: &str| owner_of_memory(Path::new(name)).map(Pid::as_raw);
        assert_eq!(owner("/proc/12/mem"), Some(12));
        assert_eq!(owner("/elsewhere/12/task/13/mem"), Some(13));
        assert_eq!(owner("/proc/12/maps"), None);
        assert_eq!(owner("/proc/self/mem"), None, "links are resolved when a file has been opened");
    }

    #[test]
    fn own_memory_is_found_under_all_its_names() {
        let is_own = |name: &str| {
            let fd = std::fs::File::open(name).unwrap().into_raw_fd();
            let is_own = is_own_memory(u64::from(fd.unsigned_abs()));
            nix::unistd::close(fd).unwrap();
            is_own
        };
        assert!(is_own("/proc/self/mem"));
        assert!(is_own("/proc/thread-self/mem"));
        assert!(is_own(&format!("/proc/{}/mem", getpid())));
        assert!(!is_own("/proc/self/status"));
        assert!(!is_own("/proc/self/exe"));
    }
}
