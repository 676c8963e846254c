//! perf_event_open(2): the processor's counters.

#![expect(unsafe_code, reason = "perf_event_open(2) has no wrapper")]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use zerocopy::{Immutable, IntoBytes};

/// What the processor can count (`enum perf_hw_id` in the kernel's `include/uapi/linux/perf_event.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum HardwareEvent {
    /// `PERF_COUNT_HW_CPU_CYCLES`
    Cycles = 0,
    /// `PERF_COUNT_HW_INSTRUCTIONS`
    Instructions = 1,
    /// `PERF_COUNT_HW_CACHE_MISSES`
    CacheMisses = 3,
    /// `PERF_COUNT_HW_BRANCH_INSTRUCTIONS`
    Branches = 4,
    /// `PERF_COUNT_HW_BRANCH_MISSES`
    BranchMisses = 5,
}

/// The first 64 bytes of `struct perf_event_attr`, which are all of its first version (`PERF_ATTR_SIZE_VER0`).
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable)]
#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_addr: u64,
}

impl Attributes {
    fn hardware(event: HardwareEvent) -> Self {
        const PERF_TYPE_HARDWARE: u32 = 0;
        Self { kind: PERF_TYPE_HARDWARE, size: SIZE_VER0, config: event as u64, ..Self::default() }
    }

    /// A counter of the calling thread.
    fn open(&self) -> io::Result<OwnedFd> {
        const PERF_FLAG_FD_CLOEXEC: u64 = 8;
        let (this_thread, any_processor, no_group) = (0, -1, -1);
        // SAFETY: the kernel reads as many bytes of the structure as its `size` says.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                std::ptr::from_ref(self),
                this_thread,
                any_processor,
                no_group,
                PERF_FLAG_FD_CLOEXEC,
            )
        };
        match i32::try_from(fd) {
            // SAFETY: the kernel just returned it, so nobody else owns it.
            Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

const SIZE_VER0: u32 = 64;
const _: () = assert!(size_of::<Attributes>() == SIZE_VER0 as usize);

/// Bits of `flags`.
mod flag {
    pub(super) const DISABLED: u64 = 1;
    pub(super) const PINNED: u64 = 1 << 2;
    pub(super) const INHERIT: u64 = 1 << 1;
    pub(super) const EXCLUDE_KERNEL: u64 = 1 << 5;
    pub(super) const EXCLUDE_HV: u64 = 1 << 6;
    pub(super) const EXCLUDE_HOST: u64 = 1 << 19;
}

/// `PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING`
const WITH_TIMES: u64 = 3;

/// A counter of what the calling thread, and all threads and processes that it makes from now on, execute as user code
/// of a guest.
#[derive(Debug)]
pub struct GuestCounter(File);

impl GuestCounter {
    /// Begins to count `event`.
    ///
    /// # Errors
    /// Those of perf_event_open(2): `ENOENT` or `EOPNOTSUPP` without a counter for it, `EACCES` where
    /// /proc/sys/kernel/perf_event_paranoid keeps users from it.
    pub fn open(event: HardwareEvent) -> io::Result<Self> {
        let flags = flag::INHERIT | flag::EXCLUDE_KERNEL | flag::EXCLUDE_HV | flag::EXCLUDE_HOST;
        let attributes = Attributes { read_format: WITH_TIMES, flags, ..Attributes::hardware(event) };
        attributes.open().map(|fd| Self(fd.into()))
    }

    /// What was counted; for how long it should have been, and for how long there was a counter for it (ns).
    pub fn read(&mut self) -> io::Result<[u64; 3]> {
        let mut bytes = [0; 24];
        self.0.read_exact(&mut bytes)?;
        let (words, _) = bytes.as_chunks::<8>();
        Ok(std::array::from_fn(|index| u64::from_ne_bytes(words[index])))
    }
}

/// The descriptor whose overflow is signalled, or -1.
static OVERFLOWING: AtomicI32 = AtomicI32::new(-1);

/// Counts the instructions that the calling thread executes as user code of a guest, and sends it a signal when there were
/// so many.
#[derive(Debug)]
pub struct OverflowCounter(File);

impl OverflowCounter {
    /// One that does not count yet, and will send `signal`.
    ///
    /// # Errors
    /// Those of [`GuestCounter::open`], and of fcntl(2).
    pub fn open(signal: i32) -> io::Result<Self> {
        /// `struct f_owner_ex`
        #[repr(C)]
        struct Owner {
            kind: i32,
            pid: i32,
        }
        const F_SETSIG: i32 = 10;
        const F_SETOWN_EX: i32 = 15;
        const F_OWNER_TID: i32 = 0;
        const FAR: u64 = 1 << 40;
        let attributes = Attributes {
            sample_period: FAR,
            // It is to count all the time, or fail.
            flags: flag::DISABLED | flag::PINNED | flag::EXCLUDE_KERNEL | flag::EXCLUDE_HV | flag::EXCLUDE_HOST,
            wakeup_events: 1,
            ..Attributes::hardware(HardwareEvent::Instructions)
        };
        let fd = super::descriptor::duplicate_above_guest(attributes.open()?.as_raw_fd())?;
        let owner = Owner { kind: F_OWNER_TID, pid: nix::unistd::gettid().as_raw() };
        // SAFETY: the kernel reads that structure.
        let is_owned = unsafe { libc::fcntl(fd.as_raw_fd(), F_SETOWN_EX, &raw const owner) } == 0;
        // SAFETY: no memory is touched.
        let is_named = unsafe { libc::fcntl(fd.as_raw_fd(), F_SETSIG, signal) } == 0;
        // SAFETY: likewise.
        let is_sent = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_ASYNC) } == 0;
        if !(is_owned && is_named && is_sent) {
            return Err(io::Error::last_os_error());
        }
        OVERFLOWING.store(fd.as_raw_fd(), Ordering::Relaxed);
        Ok(Self(fd.into()))
    }

    /// Counts from 0, up to a signal after so many.
    ///
    /// # Errors
    /// Those of ioctl(2).
    pub fn arm(&mut self, instructions: u64) -> io::Result<()> {
        const RESET: u64 = 0x2403;
        const PERIOD: u64 = 0x4008_2404;
        const ENABLE: u64 = 0x2400;
        self.ioctl(PERIOD, (&raw const instructions).cast())?;
        self.ioctl(RESET, std::ptr::null())?;
        self.ioctl(ENABLE, std::ptr::null())
    }

    /// Stops it, and says how many there were.
    ///
    /// # Errors
    /// Those of ioctl(2) and read(2), which finds nothing if the processor had no counter to spare.
    pub fn disarm(&mut self) -> io::Result<u64> {
        const DISABLE: u64 = 0x2401;
        self.ioctl(DISABLE, std::ptr::null())?;
        let mut count = [0; 8];
        self.0.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }

    fn ioctl(&self, what: u64, value: *const u8) -> io::Result<()> {
        // SAFETY: of these calls PERIOD alone reads memory, eight bytes, which its caller has there.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), what, value) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for OverflowCounter {
    fn drop(&mut self) {
        OVERFLOWING.store(-1, Ordering::Relaxed);
    }
}

/// Is it the signal of an [`OverflowCounter`]? By its code and descriptor (`si_fd`), as fcntl(2) has them.
pub(super) fn is_overflow(siginfo: &super::capture::RawSigInfo) -> bool {
    const POLL_IN: u64 = 1;
    const POLL_HUP: u64 = 6;
    let low = |word: u64| word & u64::from(u32::MAX);
    let fd = OVERFLOWING.load(Ordering::Relaxed);
    fd >= 0 && (POLL_IN..=POLL_HUP).contains(&low(siginfo[1])) && low(siginfo[3]) == u64::from(fd.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_of_a_counter_is_known_by_its_descriptor() {
        let mut siginfo = [0; 16];
        (siginfo[0], siginfo[1], siginfo[3]) = (8, 6, 40_000);
        assert!(!is_overflow(&siginfo));
        OVERFLOWING.store(40_000, Ordering::Relaxed);
        assert!(is_overflow(&siginfo));
        siginfo[3] = 40_001;
        assert!(!is_overflow(&siginfo));
        OVERFLOWING.store(-1, Ordering::Relaxed);
    }
}
