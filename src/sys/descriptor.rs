//! The runner's own descriptors live above all that the guest can have.

#![expect(unsafe_code, reason = "takes ownership of descriptors that the kernel just returned")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Most descriptors that the runner keeps for itself.
const RUNNER_DESCRIPTORS: u64 = 1024;
/// The runner's descriptors lie below this: the kernel's table grows with the highest number, and fork copies it.
const HIGHEST: u64 = 65536;

static FIRST_RUNNER_FD: OnceLock<RawFd> = OnceLock::new();

/// Number of the first descriptor that is the runner's; the guest's are below.
pub fn guest_limit() -> RawFd {
    *FIRST_RUNNER_FD.get_or_init(|| {
        let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(_, hard)| hard).min(HIGHEST);
        let first = hard - RUNNER_DESCRIPTORS.min(hard / 4);
        RawFd::try_from(first).unwrap_or(0)
    })
}

/// A duplicate, close-on-exec, with a number of at least [`guest_limit`].
pub fn duplicate_above_guest(fd: RawFd) -> io::Result<OwnedFd> {
    match duplicate_at_least(fd, guest_limit()) {
        // The soft limit may be lower than the hard one; descriptors made while it is up stay valid.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            with_soft_limit_up(|| duplicate_at_least(fd, guest_limit()))?
        }
        result => result,
    }
}

/// A duplicate as by [`duplicate_above_guest`], but one that the next program of this process finds open.
pub fn duplicate_for_exec(fd: RawFd) -> io::Result<OwnedFd> {
    let new = duplicate_above_guest(fd)?;
    set_close_on_exec(&new, false)?;
    Ok(new)
}

/// Takes over a descriptor that the program before this one has left open; the next one will not.
///
/// Whoever starts this program can name any number; it must be one that is open.
pub fn take_over(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD changes nothing.
    if fd < guest_limit() || unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is open, and above all that the guest or a library has opened so far, so nobody owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    set_close_on_exec(&fd, true)?;
    Ok(fd)
}

fn set_close_on_exec(fd: &OwnedFd, is_on: bool) -> io::Result<()> {
    let flags = if is_on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() };
    fcntl(fd, FcntlArg::F_SETFD(flags))?;
    Ok(())
}

fn duplicate_at_least(fd: RawFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and makes a new descriptor.
    let new = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Sets the soft limit on descriptors; lowering it needs no privilege.
pub fn set_soft_limit(soft: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?)
}

/// Does `act`, which makes descriptors for a moment where Linux needs none: neither the guest's limit nor its full table
/// hinders it.
pub fn with_soft_limit_up<T>(act: impl FnOnce() -> T) -> io::Result<T> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft == hard {
        return Ok(act());
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let result = act();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(result)
}
