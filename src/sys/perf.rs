//! perf_event_open(2): the processor's counters.

#![expect(unsafe_code, reason = "perf_event_open(2) has no wrapper")]

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;

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

const SIZE_VER0: u32 = 64;
const _: () = assert!(size_of::<Attributes>() == SIZE_VER0 as usize);

/// Bits of `flags`.
mod flag {
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
        const PERF_TYPE_HARDWARE: u32 = 0;
        const PERF_FLAG_FD_CLOEXEC: u64 = 8;
        let attributes = Attributes {
            kind: PERF_TYPE_HARDWARE,
            size: SIZE_VER0,
            config: event as u64,
            read_format: WITH_TIMES,
            flags: flag::INHERIT | flag::EXCLUDE_KERNEL | flag::EXCLUDE_HV | flag::EXCLUDE_HOST,
            ..Attributes::default()
        };
        let (this_thread, any_processor, no_group) = (0, -1, -1);
        // SAFETY: the kernel reads as many bytes of the structure as its `size` says.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                this_thread,
                any_processor,
                no_group,
                PERF_FLAG_FD_CLOEXEC,
            )
        };
        match i32::try_from(fd) {
            // SAFETY: the kernel just returned it, so nobody else owns it.
            Ok(fd) if fd >= 0 => Ok(Self(unsafe { File::from_raw_fd(fd) })),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What was counted; for how long it should have been, and for how long there was a counter for it (ns).
    pub fn read(&mut self) -> io::Result<[u64; 3]> {
        let mut bytes = [0; 24];
        self.0.read_exact(&mut bytes)?;
        let (words, _) = bytes.as_chunks::<8>();
        Ok(std::array::from_fn(|index| u64::from_ne_bytes(words[index])))
    }
}
