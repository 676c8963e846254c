//! A guest process.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use super::{ExitStatus, HardLimits, Missing, Settings, Task};
use crate::Error;
use crate::mm::AddressSpace;
use crate::signal::action::Actions;

/// What all threads of the guest process share.
#[derive(Debug)]
pub struct Process {
    /// Its address space.
    pub mm: Arc<AddressSpace>,
    /// What it asked for in vain.
    pub missing: Arc<Missing>,
    /// What signals do.
    pub actions: Actions,
    /// Its hard resource limits, where they are not the host's.
    pub limits: HardLimits,
    /// The file of its program, which `/proc/self/exe` stands for.
    pub executable: Arc<File>,
    /// What the user asked for.
    pub settings: Arc<Settings>,
    /// Runs a task to its end.
    pub run_loop: RunLoop,
}

impl Process {
    /// For a child that shares the memory: what fork(2) copies is its own.
    pub fn sharing_memory(&self) -> Self {
        Self {
            mm: self.mm.clone(),
            missing: self.missing.clone(),
            actions: self.actions.clone(),
            limits: self.limits.clone(),
            executable: self.executable.clone(),
            settings: self.settings.clone(),
            run_loop: self.run_loop.clone(),
        }
    }
}

/// The run loop, which a process that starts inside a system call begins anew.
#[derive(Clone)]
pub struct RunLoop(Arc<RunTask>);

type RunTask = dyn Fn(&mut Task) -> Result<ExitStatus, Error> + Send + Sync;

impl RunLoop {
    /// Wraps the function that runs a task to its end.
    pub fn new(run: impl Fn(&mut Task) -> Result<ExitStatus, Error> + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// Runs `task` to its end.
    pub fn run(&self, task: &mut Task) -> Result<ExitStatus, Error> {
        (self.0)(task)
    }
}

impl fmt::Debug for RunLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunLoop")
    }
}
