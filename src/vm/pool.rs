//! The vCPUs of a machine that nobody drives. KVM never takes one back, so threads that end leave theirs to others.
//!
//! KVM gives a new vCPU the lowest free descriptor for a moment, where the guest expects its own next one. So vCPUs are
//! made some at a time, the first batch before there is a second thread that could see it.

use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Vcpu, VmError};

/// vCPUs made at once when a process begins to have threads, and whenever they have run out.
pub(super) const BATCH: usize = 8;

/// The vCPUs that are not in use, and what is known of all.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vcpus>);

#[derive(Debug, Default)]
pub(super) struct Vcpus {
    /// Nothing but a descriptor yet; the last one is used first.
    pub unused: Vec<OwnedFd>,
    /// Set up, and driven before.
    pub idle: Vec<Vcpu>,
    /// Descriptors of all vCPUs.
    all: Vec<RawFd>,
    next_id: u64,
}

/// While it lives, only its owner makes or takes vCPUs.
#[derive(Debug)]
pub struct PoolGuard<'a> {
    _vcpus: MutexGuard<'a, Vcpus>,
}

impl Pool {
    pub(super) fn hold(&self) -> PoolGuard<'_> {
        PoolGuard { _vcpus: self.lock() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vcpus> {
        // A panic while the lock was held would have ended the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vcpus {
    /// Makes a vCPU by way of `create`, which gets its number.
    pub(super) fn create(&mut self, create: impl FnOnce(u64) -> Result<OwnedFd, VmError>) -> Result<OwnedFd, VmError> {
        let fd = create(self.next_id)?;
        self.next_id += 1;
        self.all.push(fd.as_raw_fd());
        Ok(fd)
    }

    /// In a fork child: forgets the vCPUs of the parent, and returns their descriptors, which are open still.
    pub(super) fn abandon(&mut self) -> Vec<RawFd> {
        // Their mappings did not come along, so nothing is to be dropped.
        mem::take(&mut self.idle).into_iter().for_each(mem::forget);
        mem::take(&mut self.unused).into_iter().for_each(mem::forget);
        self.next_id = 0;
        mem::take(&mut self.all)
    }
}
