//! Robust futexes: locks that are handed on when the thread that holds them ends (the kernel's
//! `Documentation/locking/robust-futexes.rst` and `exit_robust_list` in `kernel/futex/core.c`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Process;
use crate::abi::{UserAddr, UserPtr};

/// What set_robust_list(2) said, where other threads can read it.
#[derive(Clone, Debug, Default)]
pub struct RobustList(Arc<AtomicU64>);

/// Most entries that are looked at (`ROBUST_LIST_LIMIT`): the list may be a circle.
const MOST: usize = 2048;
/// Bit 0 of an entry's address says that its futex is one that hands on priority.
const IS_PI: u64 = 1;

/// An entry of the list: where the next one is, and whether that belongs to a PI futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    addr: u64,
    is_pi: bool,
}

impl Entry {
    fn from_raw(raw: u64) -> Self {
        Self { addr: raw & !IS_PI, is_pi: raw & IS_PI != 0 }
    }
}

impl RobustList {
    /// Address of the list's head, null if there is none.
    pub fn head(&self) -> UserAddr {
        UserAddr::new(self.0.load(Ordering::Relaxed))
    }

    /// Sets the address of the list's head.
    pub fn set_head(&self, head: UserAddr) {
        self.0.store(head.raw(), Ordering::Relaxed);
    }

    /// Marks the locks that the thread `tid` of `process`, which ends, still holds, and wakes a waiter of each.
    pub fn hand_on(&self, process: &Process, tid: i32) {
        let head = self.head();
        if !head.is_null() {
            // As in the kernel, a list that cannot be read ends the walk.
            let _ = Walk { process, tid: process.shown_id(tid).cast_unsigned() }.list(head.raw());
            self.set_head(UserAddr::NULL);
        }
    }
}

struct Walk<'a> {
    process: &'a Process,
    tid: u32,
}

impl Walk<'_> {
    /// `struct robust_list_head` is the first entry, the offset of a futex from its entry, and the entry that a lock
    /// operation was about.
    fn list(&self, head: u64) -> Option<()> {
        let [first, offset, pending] = [0, 8, 16].map(|at| self.word(head.wrapping_add(at)));
        let (mut entry, offset, pending) = (Entry::from_raw(first?), offset?, Entry::from_raw(pending?));
        for _ in 0..MOST {
            if entry.addr == head {
                break;
            }
            // The entry may be gone as soon as its futex is marked.
            let next = self.word(entry.addr);
            if entry.addr != pending.addr {
                self.futex(entry.addr.wrapping_add(offset), entry.is_pi, false)?;
            }
            entry = Entry::from_raw(next?);
        }
        if pending.addr != 0 {
            self.futex(pending.addr.wrapping_add(offset), pending.is_pi, true)?;
        }
        Some(())
    }

    fn word(&self, at: u64) -> Option<u64> {
        self.process.mm.read(UserPtr::<u64>::new(UserAddr::new(at))).ok()
    }

    /// `handle_futex_death`.
    fn futex(&self, at: u64, is_pi: bool, is_pending: bool) -> Option<()> {
        if !at.is_multiple_of(4) {
            return None;
        }
        let addr = UserAddr::new(at);
        let mut value: u32 = self.process.mm.read(UserPtr::new(addr)).ok()?;
        loop {
            if is_pending && !is_pi && value == 0 {
                // It was unlocked, and the thread ended before it could wake a waiter.
                self.process.wake_futex(addr);
                return Some(());
            }
            if value & libc::FUTEX_TID_MASK != self.tid {
                return Some(());
            }
            let marked = value & libc::FUTEX_WAITERS | libc::FUTEX_OWNER_DIED;
            match self.process.mm.compare_exchange(addr, value, marked).ok()? {
                seen if seen == value => break,
                seen => value = seen,
            }
        }
        if !is_pi && value & libc::FUTEX_WAITERS != 0 {
            self.process.wake_futex(addr);
        }
        Some(())
    }
}
