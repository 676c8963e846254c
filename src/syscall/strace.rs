//! `--strace`: system calls as strace(1) shows them.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::{Entry, SysResult};
use crate::proc::Task;

/// Writes one line a call.
#[derive(Debug)]
pub struct Tracer {
    to: Mutex<std::fs::File>,
}

impl Tracer {
    /// Writes to `to`, which is above the guest's descriptors.
    pub fn new(to: std::fs::File) -> Self {
        Self { to: Mutex::new(to) }
    }

    pub(super) fn before(&self, _task: &Task, _nr: u64, _args: &[u64; 6], _entry: Option<&Entry>) {}

    pub(super) fn after(&self, _task: &Task, args: &[u64; 6], entry: Option<&Entry>, result: &SysResult) {
        let name = entry.map_or("?", |entry| entry.name);
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(to, "{name}({args:x?}) = {result:?}");
    }
}
