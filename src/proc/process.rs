//! A guest process.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::fstat;

use super::aio::AsyncIo;
use super::region::Ends;
use super::view::{Views, path_at};
use super::{
    Answerers, Debugger, Determinism, End, ExitStatus, HardLimits, Missing, Sampling, Settings, Task, Threads,
};
use crate::Error;
use crate::abi::{Errno, PageRange, UserAddr};
use crate::loader::functions;
use crate::mm::AddressSpace;
use crate::mm::vma::{Backing, Vma};
use crate::signal::action::Actions;
use crate::sys::call::wake_futex;
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
    /// Where its region of interest begins and ends in its code, if it does there.
    pub ends: Option<Arc<Ends>>,
    /// Its debugger, if it has one.
    pub debugger: Option<Arc<Debugger>>,
    /// How it is profiled, if it is.
    pub sampling: Option<Sampling>,
    /// What makes the run deterministic, if it is.
    pub determinism: Option<Determinism>,
    /// Was it said which instruction the processor lacks that the program sees?
    pub has_refused: AtomicBool,
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
            ends: self.ends.clone(),
            debugger: self.debugger.clone(),
            sampling: self.sampling.as_ref().map(Sampling::sharing_memory),
            determinism: self.determinism.as_ref().map(Determinism::sharing_memory),
            has_refused: AtomicBool::new(false),
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

impl Process {
    /// Wakes a waiter of the futex at `addr`.
    pub fn wake_futex(&self, addr: UserAddr) {
        match &self.determinism {
            None => wake_futex(self.mm.hva(addr.raw())),
            Some(determinism) => {
                determinism.board().wake(determinism.futex_key(&self.mm, addr), u32::MAX, 1);
            }
        }
    }

    /// The guest's number of what the host calls `id`.
    pub fn shown_id(&self, id: i32) -> i32 {
        self.determinism.as_ref().map_or(id, |determinism| determinism.board().guest_id(id))
    }

    /// Is this the first instruction that the processor lacks?
    pub fn is_first_refusal(&self) -> bool {
        !self.has_refused.swap(true, Ordering::Relaxed)
    }

    /// The function in whose code `at` (GVA) is, by the symbols of its file.
    pub fn function_at(&self, at: u64) -> Option<String> {
        let (range, vma) = self.mm.vmas().into_iter().find(|(range, _)| (range.start()..range.end()).contains(&at))?;
        let Backing::File { offset, .. } = vma.backing else { return None };
        let file = self.file_mapped_at(range, &vma)?;
        functions::name_at(&file, at - range.start() + offset)
    }

    /// The file that is mapped at `range`, if it can be opened.
    pub(super) fn file_mapped_at(&self, range: PageRange, vma: &Vma) -> Option<File> {
        let Backing::File { file, .. } = &vma.backing else { return None };
        let is_it = |found: &File| fstat(found).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (file.dev, file.ino));
        let maps = std::fs::read("/proc/self/maps").unwrap_or_default();
        let path = path_at(&maps, self.mm.hva(range.start())).unwrap_or_default();
        let opened = File::open(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&path));
        opened.or_else(|_| self.executable.try_clone()).ok().filter(is_it)
    }

    /// The process ends, and whoever is next in a deterministic run goes on.
    pub(super) fn leave_run(&self) {
        if let Some(determinism) = &self.determinism {
            determinism.board().leave_process();
        }
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
