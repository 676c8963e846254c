//! The arena: the host addresses (HVA) behind all guest addresses (GVA).
//!
//! `hva = f(gva)` is one fixed function for the life of the address space: linear within windows of 1 GiB, each of
//! which gets its place in the arena when the guest first maps something accessible there. So a translation is one
//! load without a lock, a range that is unmapped and mapped again keeps its HVA, and a host call that still holds a
//! buffer the guest has given up meets exactly what it would meet on Linux: nothing, or the new mapping.
//!
//! Everything in the arena that the guest has not mapped is `PROT_NONE`, so the host kernel itself finds bad pointers.

#![expect(unsafe_code, reason = "gives back part of a reservation")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use zerocopy::FromZeros;

use crate::abi::{Errno, PageRange, TASK_SIZE};
use crate::sys::copy::Hva;
use crate::sys::map;
use crate::vm::VmError;
use crate::vm::machine::ArenaSpan;
use crate::vm::memslots::CHUNK_LEN;

/// Bytes of a window.
pub const WINDOW: u64 = 1 << 30;
/// Sizes to try, largest first: address space may be limited.
const LENGTHS: [u64; 9] = [1 << 46, 1 << 45, 1 << 44, 1 << 42, 1 << 40, 1 << 36, 1 << 33, 3 << 30, 2 << 30];
/// Inaccessible bytes behind the last window: where addresses point that have no window yet. The kernel touches the
/// first bytes of any buffer first.
const GUARD: u64 = 1 << 20;
/// Address space that must be left for the rest of the runner.
const HEADROOM: u64 = crate::vm::layout::SYSTEM_LEN as u64 + (256 << 20);

/// Guest addresses and their places.
#[derive(Debug)]
pub struct Arena {
    base: Hva,
    nr_windows: u32,
    /// For each window of guest addresses its place in the arena plus one, or 0. Set once, never changed.
    places: Box<[AtomicU32]>,
    /// Which places are taken.
    taken: Mutex<BTreeSet<u32>>,
}

/// A run of host addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostRange {
    /// First byte.
    pub hva: Hva,
    /// Bytes.
    pub len: u64,
}

impl Arena {
    /// Reserves as much address space as there is, up to 64 TiB.
    pub fn new() -> Result<Self, VmError> {
        let mut last = None;
        for len in LENGTHS {
            match Self::with_len(len) {
                Ok(arena) => return Ok(arena),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(VmError::Full("address space")))
    }

    fn with_len(len: u64) -> Result<Self, VmError> {
        let total = len + GUARD + CHUNK_LEN;
        let at = map::reserve(total + HEADROOM).map_err(|source| VmError::Reserve {
            what: "guest memory",
            len: usize::try_from(total).unwrap_or(usize::MAX),
            source,
        })?;
        // SAFETY: the tail of what was just reserved.
        unsafe { map::release(at + total, HEADROOM) };
        Self::over(at.next_multiple_of(CHUNK_LEN), len)
    }

    fn over(base: Hva, len: u64) -> Result<Self, VmError> {
        let full = |_| VmError::Full("windows");
        let windows = usize::try_from(TASK_SIZE.div_ceil(WINDOW)).unwrap_or(usize::MAX);
        // Zeroed by the kernel: only the parts in use ever exist.
        let places = <[AtomicU32]>::new_box_zeroed_with_elems(windows).map_err(full)?;
        let nr_windows = u32::try_from(len / WINDOW).unwrap_or(u32::MAX);
        Ok(Self { base, nr_windows, places, taken: Mutex::default() })
    }

    /// Where the windows lie.
    pub fn span(&self) -> ArenaSpan {
        ArenaSpan { base: self.base, len: u64::from(self.nr_windows) * WINDOW }
    }

    /// HVA of `gva`. An address that the guest cannot have mapped gives one that faults on the host as well.
    #[inline]
    pub fn hva(&self, gva: u64) -> Hva {
        if gva >= TASK_SIZE {
            // As bad for the host as for the guest.
            return gva;
        }
        match self.place(gva) {
            Some(place) => self.base + place * WINDOW + gva % WINDOW,
            None => self.base + u64::from(self.nr_windows) * WINDOW,
        }
    }

    #[inline]
    fn place(&self, gva: u64) -> Option<u64> {
        let place = self.places.get(usize::try_from(gva / WINDOW).ok()?)?.load(Ordering::Acquire);
        place.checked_sub(1).map(u64::from)
    }

    /// The runs of host addresses behind `len` bytes from `gva`, windows without a place left out.
    pub fn runs(&self, gva: u64, len: u64) -> impl Iterator<Item = HostRange> + '_ {
        let end = gva.saturating_add(len).min(TASK_SIZE);
        let mut next = gva;
        std::iter::from_fn(move || {
            while next < end && self.place(next).is_none() {
                next = (next / WINDOW + 1) * WINDOW;
            }
            if next >= end {
                return None;
            }
            let start = next;
            let hva = self.hva(start);
            loop {
                next = (next / WINDOW + 1) * WINDOW;
                if next >= end || self.place(next).is_none() || self.hva(next).wrapping_sub(hva) != next - start {
                    break;
                }
            }
            next = next.min(end);
            Some(HostRange { hva, len: next - start })
        })
    }

    /// Is the range one run of host addresses?
    #[inline]
    pub fn is_contiguous(&self, gva: u64, len: u64) -> bool {
        if gva / WINDOW == gva.saturating_add(len).saturating_sub(1) / WINDOW {
            return true;
        }
        let mut runs = self.runs(gva, len);
        runs.next().is_some_and(|run| run.len == len)
    }

    /// Gives every window of `range` a place. `ENOMEM` when there is none left.
    pub fn assign(&self, range: PageRange) -> Result<(), Errno> {
        let windows = range.start() / WINDOW..=(range.end() - 1) / WINDOW;
        if windows.clone().all(|window| self.place(window * WINDOW).is_some()) {
            return Ok(());
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for window in windows {
            if self.place(window * WINDOW).is_none() {
                let place = self.choose(&taken, window).ok_or(Errno::ENOMEM)?;
                taken.insert(place);
                self.places[usize::try_from(window).unwrap_or(0)].store(place + 1, Ordering::Release);
            }
        }
        Ok(())
    }

    /// A place next to a neighbour's if it can be had, so that host ranges rarely break at window borders.
    fn choose(&self, taken: &BTreeSet<u32>, window: u64) -> Option<u32> {
        let place = |window: u64| self.place(window * WINDOW);
        let after_lower = window.checked_sub(1).and_then(place).map(|place| place + 1);
        let before_upper = place(window + 1).and_then(|place| place.checked_sub(1));
        let usual = Some(window % u64::from(self.nr_windows));
        [after_lower, before_upper, usual]
            .into_iter()
            .flatten()
            .filter_map(|place| u32::try_from(place).ok().filter(|&place| place < self.nr_windows))
            .find(|place| !taken.contains(place))
            .or_else(|| (0..self.nr_windows).rev().find(|place| !taken.contains(place)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = WINDOW;

    fn arena(windows: u64) -> Arena {
        Arena::over(0x1000 * GIB, windows * GIB).unwrap()
    }

    fn pages(start: u64, end: u64) -> PageRange {
        PageRange::new(start, end).unwrap()
    }

    #[test]
    fn addresses_without_a_window_point_at_the_guard() {
        let arena = arena(4);
        assert_eq!(arena.hva(0x1234), arena.base + 4 * GIB);
        assert_eq!(arena.hva(TASK_SIZE), TASK_SIZE);
        assert_eq!(arena.hva(u64::MAX), u64::MAX);
        arena.assign(pages(0x1000, 0x2000)).unwrap();
        assert_eq!(arena.hva(0x1234), arena.base + 0x1234);
    }

    #[test]
    fn neighbours_stay_neighbours() {
        let arena = arena(8);
        arena.assign(pages(3 * GIB, 6 * GIB)).unwrap();
        assert!(arena.is_contiguous(3 * GIB, 3 * GIB));
        arena.assign(pages(2 * GIB, 3 * GIB)).unwrap();
        assert_eq!(arena.runs(2 * GIB, 4 * GIB).count(), 1);
    }

    #[test]
    fn colliding_windows_go_elsewhere_and_break_the_run() {
        let arena = arena(4);
        arena.assign(pages(GIB, 2 * GIB)).unwrap();
        arena.assign(pages(5 * GIB, 6 * GIB)).unwrap(); // place 1 is taken: goes to 3
        arena.assign(pages(4 * GIB, 5 * GIB)).unwrap(); // before it: 2
        arena.assign(pages(6 * GIB, 7 * GIB)).unwrap(); // behind it there is none: 0
        assert_eq!(arena.assign(pages(7 * GIB, 8 * GIB)), Err(Errno::ENOMEM));
        assert!(arena.is_contiguous(4 * GIB, 2 * GIB));
        assert!(!arena.is_contiguous(5 * GIB + 4096, GIB));
        let runs: Vec<_> = arena.runs(5 * GIB + 4096, GIB).collect();
        assert_eq!(
            runs,
            [HostRange { hva: arena.base + 3 * GIB + 4096, len: GIB - 4096 }, HostRange { hva: arena.base, len: 4096 }]
        );
    }

    #[test]
    fn runs_skip_windows_without_a_place() {
        let arena = arena(16);
        arena.assign(pages(GIB, 2 * GIB)).unwrap();
        arena.assign(pages(4 * GIB, 5 * GIB)).unwrap();
        let total: u64 = arena.runs(0, 10 * GIB).map(|run| run.len).sum();
        assert_eq!(total, 2 * GIB);
    }
}
