//! A guest process.

use std::sync::Arc;

use super::Stats;
use crate::mm::AddressSpace;
use crate::syscall::missing::Missing;
use crate::syscall::strace::Tracer;

/// What all threads of the guest process share.
#[derive(Debug)]
pub struct Process {
    /// Its address space.
    pub mm: Arc<AddressSpace>,
    /// What it asked for in vain.
    pub missing: Missing,
    observer: Option<Observer>,
}

/// Who watches the process. A process that nobody watches pays one test a system call.
#[derive(Debug, Default)]
pub struct Observer {
    /// `--strace`
    pub tracer: Option<Tracer>,
    /// `--stats`
    pub stats: Option<Stats>,
}

impl Process {
    /// A process with the address space `mm`.
    pub fn new(mm: Arc<AddressSpace>, observer: Option<Observer>) -> Self {
        Self { mm, missing: Missing::default(), observer }
    }

    /// Who watches it.
    #[inline]
    pub fn observer(&self) -> Option<&Observer> {
        self.observer.as_ref()
    }
}
