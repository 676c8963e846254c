//! A guest process.

use std::sync::Arc;

use super::Missing;
use crate::mm::AddressSpace;

/// What all threads of the guest process share.
#[derive(Debug)]
pub struct Process {
    /// Its address space.
    pub mm: Arc<AddressSpace>,
    /// What it asked for in vain.
    pub missing: Missing,
}

impl Process {
    /// A process with the address space `mm`.
    pub fn new(mm: Arc<AddressSpace>) -> Self {
        Self { mm, missing: Missing::default() }
    }
}
