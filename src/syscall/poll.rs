//! poll(2), select(2) and their kin (the kernel's `fs/select.c`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::host::{HostArg, args};
use super::nested::{BAD, MaskArg};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::sys::descriptor::guest_limit;

/// `struct timespec` or `struct timeval`.
type Time = [i64; 2];

/// `struct pollfd`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct PollFd {
    fd: i32,
    events: u16,
    revents: u16,
}

/// The argument of pselect6 that is a mask and its size.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct SizedMask {
    mask: u64,
    size: u64,
}

pub(super) fn sys_poll(task: &mut Task, fds: UserPtr<PollFd>, count: u32, timeout: i32) -> Result<u64, Errno> {
    let mut set = PollSet::read(task, fds, count);
    let result = task.wait_on_host(libc::SYS_poll, args![set.arg(), count, timeout]);
    set.finish(task, result)
}

pub(super) fn sys_ppoll(
    task: &mut Task,
    fds: UserPtr<PollFd>,
    count: u32,
    timeout: UserPtr<Time>,
    mask: UserPtr<u64>,
    mask_size: u64,
) -> Result<u64, Errno> {
    let mask = MaskArg::read(task, mask, mask_size);
    let mut set = PollSet::read(task, fds, count);
    let args = args![set.arg(), count, timeout, mask.arg(), mask_size];
    let result = task.host_with_mask(mask.set(), libc::SYS_ppoll, args);
    set.finish(task, result)
}

/// The guest's array, with none of the runner's descriptors in it.
struct PollSet {
    from: UserPtr<PollFd>,
    /// `None` if the guest's array cannot be read.
    fds: Option<Vec<PollFd>>,
}

impl PollSet {
    fn read(task: &Task, from: UserPtr<PollFd>, count: u32) -> Self {
        // More than RLIMIT_NOFILE are EINVAL before the host looks at them.
        let len = usize::try_from(count).ok().filter(|_| i64::from(count) <= i64::from(guest_limit()));
        let fds = len.and_then(|len| task.process.mm.read_array(from, len).ok());
        Self { from, fds: fds.map(hide_runner_fds) }
    }

    fn arg(&mut self) -> HostArg<'_> {
        match &mut self.fds {
            Some(fds) => HostArg::Out(fds.as_mut_slice().as_mut_bytes()),
            None => HostArg::Int(BAD),
        }
    }

    /// Hands `revents` to the guest, and nothing but those: another thread may be changing the rest.
    fn finish(self, task: &Task, result: Result<u64, Errno>) -> Result<u64, Errno> {
        let is_written = result.is_ok() || result == Err(Errno::EINTR);
        for (index, polled) in (0..).zip(self.fds.iter().flatten()).filter(|_| is_written) {
            let revents = self.from.at(index).addr().wrapping_add(std::mem::offset_of!(PollFd, revents) as u64);
            task.process.mm.write(UserPtr::new(revents), &polled.revents)?;
        }
        result
    }
}

/// A descriptor of the runner's is one that nobody has: POLLNVAL.
fn hide_runner_fds(mut fds: Vec<PollFd>) -> Vec<PollFd> {
    fds.iter_mut().filter(|polled| polled.fd >= guest_limit()).for_each(|polled| polled.fd = i32::MAX);
    fds
}

pub(super) fn sys_select(
    task: &mut Task,
    count: i32,
    read: UserAddr,
    write: UserAddr,
    except: UserAddr,
    timeout: UserPtr<Time>,
) -> Result<u64, Errno> {
    let count = count.min(guest_limit());
    let [read, write, except] = [read, write, except].map(|set| fd_set(set, count));
    task.wait_on_host(libc::SYS_select, args![count, read, write, except, timeout])
}

pub(super) fn sys_pselect6(
    task: &mut Task,
    count: i32,
    read: UserAddr,
    write: UserAddr,
    except: UserAddr,
    timeout: UserPtr<Time>,
    sized_mask: UserPtr<SizedMask>,
) -> Result<u64, Errno> {
    let count = count.min(guest_limit());
    let [read, write, except] = [read, write, except].map(|set| fd_set(set, count));
    let SizedMask { mask, size } =
        if sized_mask.is_null() { SizedMask { mask: 0, size: 0 } } else { task.process.mm.read(sized_mask)? };
    let mask = MaskArg::read(task, UserPtr::new(UserAddr::new(mask)), size);
    let host_mask = SizedMask { mask: mask.addr(), size };
    let args = args![count, read, write, except, timeout, host_mask.as_bytes()];
    task.host_with_mask(mask.set(), libc::SYS_pselect6, args)
}

/// A set of `count` descriptors. The host never looks at the bits above, as Linux does not at those of numbers that
/// its table of descriptors has no room for.
pub(super) fn fd_set(addr: UserAddr, count: i32) -> HostArg<'static> {
    HostArg::Guest(addr, u64::try_from(count).unwrap_or(0).div_ceil(64) * 8)
}
