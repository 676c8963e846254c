//! What the guest asked for and did not get: the most useful diagnostic there is.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts of unsupported requests.
#[derive(Debug, Default)]
pub struct Missing(Mutex<BTreeMap<String, Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    count: u64,
    first_rip: u64,
}

impl Missing {
    /// Counts one request, made by the instruction before `rip` (GVA). Returns whether it is the first of its kind.
    pub fn count(&self, what: fmt::Arguments<'_>, rip: u64) -> bool {
        let mut seen = self.lock();
        let entry = seen.entry(what.to_string()).or_insert_with(|| {
            tracing::info!(rip = format_args!("{rip:#x}"), "unsupported: {what}");
            Seen { count: 0, first_rip: rip }
        });
        entry.count += 1;
        entry.count == 1
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Was nothing counted?
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Writes the report of `--missing`.
    pub fn report(&self, to: &mut dyn io::Write) -> io::Result<()> {
        let seen = self.lock();
        if seen.is_empty() {
            return writeln!(to, "kvm-se: nothing was missing");
        }
        writeln!(to, "{:>8}  {:<16}  missing", "count", "first at")?;
        for (what, Seen { count, first_rip }) in seen.iter() {
            writeln!(to, "{count:>8}  {first_rip:<#16x}  {what}")?;
        }
        Ok(())
    }

    /// Keeps others from counting while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
