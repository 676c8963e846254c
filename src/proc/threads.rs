//! The threads of a process, as they know of each other.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::unistd::{Pid, getpid};

use super::stop::{StopPoint, StopPoints, note_end};
use super::{Process, RobustList, Task};
use crate::sys::capture;

/// The threads that live.
#[derive(Debug, Default)]
pub struct Threads {
    /// By thread id.
    live: Mutex<BTreeMap<i32, RobustList>>,
    /// How many that are.
    count: AtomicUsize,
    /// Those of other processes that share the memory are there too.
    stop_points: Arc<Mutex<StopPoints>>,
    /// Held by the thread that ends the process.
    ending: Mutex<()>,
}

impl Threads {
    /// For a process that shares the memory of that of `other`.
    pub(super) fn sharing_memory(other: &Self) -> Self {
        Self { stop_points: other.stop_points.clone(), ..Self::default() }
    }

    /// Is there but one?
    pub fn is_single(&self) -> bool {
        self.count.load(Ordering::Acquire) <= 1
    }

    /// Is the thread `tid` one of this process?
    pub fn contains(&self, tid: i32) -> bool {
        self.lock().contains_key(&tid)
    }

    /// Ids of all of them.
    pub fn tids(&self) -> Vec<i32> {
        self.lock().keys().copied().collect()
    }

    /// What the thread `tid` said by set_robust_list(2), if it is one of this process.
    pub fn robust_list(&self, tid: i32) -> Option<RobustList> {
        self.lock().get(&tid).cloned()
    }

    /// Where the thread `tid` stops for a tracer, if it is one that shares the memory.
    pub fn stop_point(&self, tid: i32) -> Option<Arc<StopPoint>> {
        self.lock_stop_points().get(&tid).cloned()
    }

    pub(super) fn add(&self, task: &Task) {
        let tid = task.tid().as_raw();
        let mut live = self.lock();
        live.insert(tid, task.robust_list.clone());
        self.count.store(live.len(), Ordering::Release);
        drop(live);
        self.lock_stop_points().insert(tid, task.stop_point.clone());
    }

    /// Takes a thread from the list; returns whether it was the last.
    pub(super) fn remove(&self, tid: Pid) -> bool {
        self.leave_memory(tid);
        let mut live = self.lock();
        live.remove(&tid.as_raw());
        self.count.store(live.len(), Ordering::Release);
        live.is_empty()
    }

    /// The thread cannot be stopped any more.
    pub(super) fn leave_memory(&self, tid: Pid) {
        if let Some(point) = self.lock_stop_points().remove(&tid.as_raw()) {
            note_end(&point);
        }
    }

    /// Lets all threads go on that the process `tracer` has stopped.
    pub(super) fn release_traced(&self, tracer: Pid) {
        self.lock_stop_points().values().for_each(|point| point.release(tracer));
    }

    /// In a process that was just made: there is only the calling thread.
    pub(super) fn restart(&self, task: &Task) {
        self.lock().clear();
        self.lock_stop_points().clear();
        self.add(task);
    }

    /// Keeps threads from beginning or ending while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        (self.begin_end(), self.lock(), self.lock_stop_points())
    }

    /// Ends all threads but the calling one as far as others can tell: from now on nobody else ends the process.
    pub(super) fn end_all(&self, process: &Process) {
        // Threads that come later wait here for the end.
        mem::forget(self.begin_end());
        self.hand_on_all(process);
    }

    /// Has all threads but `own` leave guest mode.
    pub(super) fn kick_others(&self, own: Pid) {
        let tids: Vec<i32> = self.lock().keys().copied().filter(|tid| *tid != own.as_raw()).collect();
        for tid in tids {
            // It may have ended.
            let _ = capture::kick(getpid(), Pid::from_raw(tid));
        }
    }

    /// Hands on what any thread holds, before all of them end.
    pub fn hand_on_all(&self, process: &Process) {
        for (tid, robust_list) in &*self.lock() {
            robust_list.hand_on(process, *tid);
        }
    }

    fn begin_end(&self) -> MutexGuard<'_, ()> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, RobustList>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_stop_points(&self) -> MutexGuard<'_, StopPoints> {
        self.stop_points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
