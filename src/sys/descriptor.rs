//! The runner's own descriptors live above all that the guest can have.

#![expect(unsafe_code, reason = "takes ownership of descriptors that the kernel just returned")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

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

fn duplicate_at_least(fd: RawFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and makes a new descriptor.
    let new = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

fn with_soft_limit_up<T>(act: impl FnOnce() -> T) -> io::Result<T> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let result = act();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(result)
}
