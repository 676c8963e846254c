//! The command line of a deterministic run that a debugger goes back in.

use kvm_se::Error;
use kvm_se::reference::gdb;

use super::{Options, Request, Run, init_tracing, refuse, wait_for_gdb};

/// What is run for a gdb that has connected.
#[derive(Debug)]
pub(crate) struct DebugHow {
    /// The gdb.
    pub(crate) connection: gdb::Connection,
    /// The first run.
    pub(crate) first: Run,
    options: Options,
}

impl DebugHow {
    /// Takes it apart: gdb, the first run, and what makes others like it.
    pub(crate) fn into_parts(self) -> (gdb::Connection, Run, impl FnMut() -> Result<Run, Error>) {
        let Self { connection, first, options } = self;
        (connection, first, move || options.to_run())
    }
}

impl Options {
    /// Waits for gdb.
    pub(super) fn into_debug(mut self) -> Result<Request, Error> {
        if self.list_syscalls {
            return Ok(Request::ListSyscalls);
        }
        if self.command.is_empty() {
            refuse("no program was named");
        }
        if self.strace.is_some() {
            refuse("--gdb takes no --strace in a deterministic run: gdb can catch system calls");
        }
        self.refuse_stop("--gdb in a deterministic run");
        init_tracing(self.verbose);
        let place = self.gdb.take().unwrap_or_default();
        let first = self.to_run()?;
        // The front is there.
        self.cwd = None;
        Ok(Request::Debug(Box::new(DebugHow { connection: wait_for_gdb(&place)?, first, options: self })))
    }
}
