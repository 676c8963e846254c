//! A guest process.

use std::sync::Arc;

use super::{HardLimits, Missing};
use crate::mm::AddressSpace;
use crate::signal::action::Actions;

/// What all threads of the guest process share.
#[derive(Debug)]
pub struct Process {
    /// Its address space.
    pub mm: Arc<AddressSpace>,
    /// What it asked for in vain.
    pub missing: Missing,
    /// What signals do.
    pub actions: Actions,
    /// Its hard resource limits, where they are not the host's.
    pub limits: HardLimits,
}

impl Process {
    /// A process with the address space `mm`.
    pub fn new(mm: Arc<AddressSpace>, actions: Actions, limits: HardLimits) -> Self {
        Self { mm, missing: Missing::default(), actions, limits }
    }
}
