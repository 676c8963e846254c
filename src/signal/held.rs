//! Signals that are pending at a guest thread and not on the host, which never blocks them.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::exception::{Fault, code};
use super::mask::SigSet;
use crate::abi::Errno;
use crate::sys::capture::RawSigInfo;

/// The kernel's `siginfo_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SigInfo {
    /// The signal.
    pub signal: i32,
    /// `si_errno`
    pub errno: i32,
    /// `si_code`
    pub code: i32,
    /// Not used.
    pub padding: i32,
    /// By code; for a signal that a process sent, first its pid, then its user.
    pub rest: [u32; 28],
}

impl SigInfo {
    /// A signal that the process `pid` of `user` sent.
    pub fn sent(signal: i32, code: i32, pid: i32, user: u32) -> Self {
        let mut rest = [0; 28];
        (rest[0], rest[1]) = (pid.cast_unsigned(), user);
        Self { signal, errno: 0, code, padding: 0, rest }
    }

    /// A signal of the kernel's, for no reason that could be told (`force_sig`).
    pub fn forced(signal: i32) -> Self {
        Self::sent(signal, code::SI_KERNEL, 0, 0)
    }
}

impl From<RawSigInfo> for SigInfo {
    fn from(raw: RawSigInfo) -> Self {
        zerocopy::transmute!(raw)
    }
}

impl From<SigInfo> for RawSigInfo {
    fn from(info: SigInfo) -> Self {
        zerocopy::transmute!(info)
    }
}

impl From<&Fault> for SigInfo {
    fn from(fault: &Fault) -> Self {
        let mut info = Self::forced(fault.signal);
        info.code = fault.code;
        let [low @ .., a, b, c, d] = fault.addr.to_ne_bytes();
        (info.rest[0], info.rest[1]) = (u32::from_ne_bytes(low), u32::from_ne_bytes([a, b, c, d]));
        info
    }
}

/// The signals, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Held(Vec<SigInfo>);

/// Most of them; a queue that only its own thread fills needs a limit, not `RLIMIT_SIGPENDING`.
const MAX: usize = 1024;
/// The first signal of which more than one can be pending.
const FIRST_REAL_TIME: i32 = 32;

impl Held {
    /// Adds a signal; `EAGAIN` if there are too many.
    pub fn push(&mut self, info: SigInfo) -> Result<(), Errno> {
        if info.signal < FIRST_REAL_TIME && self.pending().contains(info.signal) {
            return Ok(());
        }
        if self.0.len() == MAX {
            return Err(Errno::EAGAIN);
        }
        self.0.push(info);
        Ok(())
    }

    /// Which signals are pending.
    pub fn pending(&self) -> SigSet {
        self.0.iter().fold(SigSet::EMPTY, |set, info| set.union(SigSet::only(info.signal)))
    }

    /// The first of `set` that is pending: the lowest number. Synchronous signals have lower numbers than the others, so
    /// this is the kernel's order (`next_signal`).
    pub fn first(&self, set: SigSet) -> Option<i32> {
        self.0.iter().map(|info| info.signal).filter(|&signal| set.contains(signal)).min()
    }

    /// Takes the first of `set`.
    pub fn take(&mut self, set: SigSet) -> Option<SigInfo> {
        let first = self.first(set)?;
        let place = self.0.iter().position(|info| info.signal == first)?;
        Some(self.0.remove(place))
    }

    /// Drops all of `signal`, which is now ignored.
    pub fn forget(&mut self, signal: i32) {
        self.0.retain(|info| info.signal != signal);
    }
}

const _: () = assert!(size_of::<SigInfo>() == size_of::<libc::siginfo_t>());

#[cfg(test)]
mod tests {
    use super::*;

    const REAL_TIME: i32 = 50;

    fn sent(signal: i32, code: i32) -> SigInfo {
        SigInfo::sent(signal, code, 1, 2)
    }

    #[test]
    fn real_time_signals_queue_and_others_do_not() {
        let mut held = Held::default();
        for code in 1..=3 {
            assert_eq!(held.push(sent(REAL_TIME, code)), Ok(()));
            assert_eq!(held.push(sent(libc::SIGSEGV, code)), Ok(()));
        }
        let all = SigSet::from_bits(u64::MAX);
        let taken: Vec<_> = std::iter::from_fn(|| held.take(all)).map(|info| (info.signal, info.code)).collect();
        assert_eq!(taken, [(libc::SIGSEGV, 1), (REAL_TIME, 1), (REAL_TIME, 2), (REAL_TIME, 3)]);
    }

    #[test]
    fn only_what_is_asked_for_is_taken() {
        let mut held = Held::default();
        assert_eq!(held.push(sent(REAL_TIME, 0)), Ok(()));
        assert_eq!(held.take(SigSet::only(libc::SIGSEGV)), None);
        assert_eq!(held.first(SigSet::only(REAL_TIME)), Some(REAL_TIME));
        held.forget(REAL_TIME);
        assert_eq!(held.pending(), SigSet::EMPTY);
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut held = Held::default();
        assert!((0..MAX).all(|_| held.push(sent(REAL_TIME, 0)).is_ok()));
        assert_eq!(held.push(sent(REAL_TIME, 0)), Err(Errno::EAGAIN));
    }
}
