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
    unused: Vec<OwnedFd>,
    /// Set up, and driven before.
    idle: Vec<Vcpu>,
    /// Descriptors of all vCPUs.
    all: Vec<RawFd>,
    next_id: u64,
    /// Is there more than one table of descriptors? Then a vCPU is made where it is needed and not kept.
    has_many_tables: bool,
}

/// A vCPU that can be had.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub(super) enum Spare {
    /// Driven before.
    Idle(Vcpu),
    /// To be set up.
    Unused(OwnedFd),
}

impl Pool {
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

    pub(super) fn stock(&mut self, fd: OwnedFd) {
        self.unused.push(fd);
    }

    pub(super) fn wants_more(&self) -> bool {
        self.unused.is_empty() && self.idle.is_empty() && !self.has_many_tables
    }

    pub(super) fn take(&mut self) -> Option<Spare> {
        if self.has_many_tables {
            return None;
        }
        self.idle.pop().map(Spare::Idle).or_else(|| self.unused.pop().map(Spare::Unused))
    }

    pub(super) fn give(&mut self, vcpu: Vcpu) {
        if !self.has_many_tables {
            self.idle.push(vcpu);
        }
    }

    pub(super) fn unshare_descriptors(&mut self) {
        self.has_many_tables = true;
    }

    /// Forgets all vCPUs, and returns those that nobody drives.
    pub(super) fn empty(&mut self) -> (Vec<OwnedFd>, Vec<Vcpu>) {
        let spare = (mem::take(&mut self.unused), mem::take(&mut self.idle));
        *self = Self { has_many_tables: self.has_many_tables, ..Self::default() };
        spare
    }

    /// In a fork child: forgets the vCPUs of the parent, and returns their descriptors, which are open still.
    pub(super) fn abandon(&mut self) -> Vec<RawFd> {
        let all = mem::take(&mut self.all);
        let has_many_tables = mem::take(&mut self.has_many_tables);
        // Their mappings did not come along, so nothing is to be dropped.
        let (unused, idle) = self.empty();
        unused.into_iter().for_each(mem::forget);
        idle.into_iter().for_each(mem::forget);
        // Numbers of another table are left alone.
        if has_many_tables { Vec::new() } else { all }
    }
}
