//! A guest process.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use super::aio::AsyncIo;
use super::view::Views;
use super::{Answerers, End, ExitStatus, HardLimits, Missing, Sampling, Settings, Task, Threads};
use crate::Error;
use crate::abi::Errno;
use crate::mm::AddressSpace;
use crate::signal::action::Actions;
use crate::vm::{Vcpu, VcpuState};

/// What all threads of the guest process share.
#[derive(Debug)]
pub struct Process {
    /// Its address space.
    pub mm: Arc<AddressSpace>,
    /// What it asked for in vain.
    pub missing: Arc<Missing>,
    /// What signals do.
    pub actions: Arc<Actions>,
    /// Its hard resource limits, where they are not the host's.
    pub limits: HardLimits,
    /// The file of its program, which `/proc/self/exe` stands for.
    pub executable: Arc<File>,
    /// Files that show the guest where the host's would show the runner.
    pub views: Arc<Views>,
    /// Its asynchronous I/O.
    pub async_io: Arc<AsyncIo>,
    /// What the user asked for.
    pub settings: Arc<Settings>,
    /// Runs a task to its end.
    pub run_loop: RunLoop,
    /// Its threads.
    pub threads: Threads,
    /// The runner's threads that answer calls of its threads.
    pub answerers: Answerers,
    /// How it is profiled, if it is.
    pub sampling: Option<Sampling>,
}

impl Process {
    /// For a child that shares the memory: what fork(2) copies is its own, but for the actions of signals if they are
    /// shared as well.
    pub fn sharing_memory(&self, shares_actions: bool) -> Self {
        let actions = &self.actions;
        Self {
            mm: self.mm.clone(),
            missing: self.missing.clone(),
            actions: if shares_actions { actions.clone() } else { Arc::new(Actions::clone(actions)) },
            limits: self.limits.clone(),
            executable: self.executable.clone(),
            views: self.views.clone(),
            async_io: self.async_io.clone(),
            settings: self.settings.clone(),
            run_loop: self.run_loop.clone(),
            threads: Threads::sharing_memory(&self.threads),
            answerers: Answerers::default(),
            sampling: self.sampling.as_ref().map(Sampling::sharing_memory),
        }
    }
}

impl Process {
    /// A vCPU for a new thread, with `state`. `EAGAIN` when there is none to be had.
    pub(super) fn take_vcpu(&self, state: &VcpuState) -> Result<Vcpu, Errno> {
        // To make one needs the limit on descriptors out of the way.
        let _limits = self.limits.hold();
        self.mm.machine().take_vcpu(state).map_err(|_| Errno::EAGAIN)
    }
}

/// What threads that begin inside a system call need of the layers above.
#[derive(Clone)]
pub struct RunLoop {
    run: Arc<RunTask>,
    report: Arc<Report>,
}

type RunTask = dyn Fn(&mut Task) -> Result<End, Error> + Send + Sync;
type Report = dyn Fn(&Process, &Result<ExitStatus, Error>) + Send + Sync;

impl RunLoop {
    /// From the function that runs a task to its end, and the one that tells the user how a process ended.
    pub fn new(
        run: impl Fn(&mut Task) -> Result<End, Error> + Send + Sync + 'static,
        report: impl Fn(&Process, &Result<ExitStatus, Error>) + Send + Sync + 'static,
    ) -> Self {
        Self { run: Arc::new(run), report: Arc::new(report) }
    }

    /// Runs `task` to its end.
    pub fn run(&self, task: &mut Task) -> Result<End, Error> {
        (self.run)(task)
    }

    /// Tells the user how `process` ended.
    pub(super) fn report(&self, process: &Process, result: &Result<ExitStatus, Error>) {
        (self.report)(process, result);
    }
}

impl fmt::Debug for RunLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunLoop")
    }
}
