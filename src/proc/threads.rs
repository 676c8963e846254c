//! The threads of a process, as they know of each other.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::unistd::Pid;

use super::RobustList;
use crate::mm::AddressSpace;

/// The threads that live.
#[derive(Debug, Default)]
pub struct Threads {
    /// By thread id.
    live: Mutex<BTreeMap<i32, RobustList>>,
    /// Held by the thread that ends the process.
    ending: Mutex<()>,
}

/// While it lives, no thread begins or ends.
#[derive(Debug)]
pub(super) struct ThreadsGuard<'a> {
    _ending: MutexGuard<'a, ()>,
    _live: MutexGuard<'a, BTreeMap<i32, RobustList>>,
}

impl Threads {
    /// Is there but one?
    pub fn is_single(&self) -> bool {
        self.lock().len() <= 1
    }

    /// What the thread `tid` said by set_robust_list(2), if it is one of this process.
    pub fn robust_list(&self, tid: i32) -> Option<RobustList> {
        self.lock().get(&tid).cloned()
    }

    pub(super) fn add(&self, tid: Pid, robust_list: RobustList) {
        self.lock().insert(tid.as_raw(), robust_list);
    }

    /// Takes a thread from the list; returns whether it was the last.
    pub(super) fn remove(&self, tid: Pid) -> bool {
        let mut live = self.lock();
        live.remove(&tid.as_raw());
        live.is_empty()
    }

    /// In a process that was just made: there is only the calling thread.
    pub(super) fn restart(&self, tid: Pid, robust_list: RobustList) {
        *self.lock() = BTreeMap::from([(tid.as_raw(), robust_list)]);
    }

    pub(super) fn hold(&self) -> ThreadsGuard<'_> {
        ThreadsGuard { _ending: self.begin_end(), _live: self.lock() }
    }

    /// Ends all threads but the calling one as far as others can tell: from now on nobody else ends the process.
    pub(super) fn end_all(&self, mm: &AddressSpace) {
        // Threads that come later wait here for the end.
        mem::forget(self.begin_end());
        for (tid, robust_list) in &*self.lock() {
            robust_list.hand_on(mm, *tid);
        }
    }

    fn begin_end(&self) -> MutexGuard<'_, ()> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, RobustList>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
