//! Virtual time: it passes by what the guest asks for, and never by itself.

use super::Board;
use super::board::Head;

/// What a system call takes (ns).
pub const SYSCALL: u64 = 10_000;
/// What an instruction takes that asks for the time or for the processor (ns). A nanosecond is a tick of the counter.
pub const INSTRUCTION: u64 = 1_000;
/// CLOCK_REALTIME when the run begins (s): 2033-05-18 03:33:20 UTC.
pub const EPOCH: u64 = 2_000_000_000;
/// Time since boot when the run begins (s).
pub const UPTIME: u64 = 1_000;

const NS: u64 = 1_000_000_000;

impl Board {
    /// Virtual time since the run began (ns).
    pub fn now(&self) -> u64 {
        self.get(Head::Clock)
    }

    /// Lets time pass.
    pub fn pass(&self, ns: u64) {
        self.set(Head::Clock, self.now() + ns);
    }

    pub(super) fn jump_to(&self, time: u64) {
        self.set(Head::Clock, self.now().max(time));
    }

    /// The time-stamp counter, which counts nanoseconds since boot.
    pub fn tsc(&self) -> u64 {
        UPTIME * NS + self.now()
    }

    /// What `clock` shows (ns). The clocks of processor time show how long the run takes.
    pub fn read(&self, clock: i32) -> u64 {
        self.now() + start_of(clock)
    }

    /// Since when the run lasts that `time` (ns) of `clock` is reached in, at the soonest now.
    pub fn deadline(&self, clock: i32, time: u64) -> u64 {
        time.saturating_sub(start_of(clock)).max(self.now())
    }
}

/// What `clock` shows when the run begins (ns).
fn start_of(clock: i32) -> u64 {
    match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_REALTIME_ALARM => EPOCH * NS,
        libc::CLOCK_TAI => (EPOCH + 37) * NS,
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_BOOTTIME
        | libc::CLOCK_BOOTTIME_ALARM => UPTIME * NS,
        _ => 0,
    }
}
