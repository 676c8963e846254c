//! Files of `/proc/PID` of the guest's own process whose contents would be the runner's.
//!
//! The guest gets the host's file all the same: it has the right metadata, position, flags and name, and can be
//! duplicated. What is read from it is made here, of the host's text and of what the guest was promised. Such a file is
//! known by its device and inode, so by whatever path or descriptor it is reached.

mod maps;
mod status;
mod workers;

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::unistd::{Pid, getpid};

use super::{Process, Task};
pub(super) use maps::{Smaps, path_at};
use status::Resident;
pub(super) use status::peak_memory;
pub use workers::worker;

/// What is shown in place of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `maps`
    Maps,
    /// `smaps`
    Smaps,
    /// `smaps_rollup`
    SmapsRollup,
    /// `stat`
    Stat,
    /// `statm`
    Statm,
    /// `status`
    Status,
    /// `limits`
    Limits,
    /// `syscall`
    Syscall,
    /// `pagemap`
    Pagemap,
    /// `mem`
    Memory,
    /// The directories `fd` and `fdinfo`.
    Descriptors,
    /// The directory of the process or of one of its threads.
    Process,
    /// The directory `task`.
    Tasks,
}

/// `/proc/self/maps` as `process` sees it, but for the numbers of files in a deterministic run.
pub fn memory_map(process: &Process) -> Vec<u8> {
    let host = process.limits.with_descriptors(|| std::fs::read("/proc/self/maps"));
    maps::maps(&process.mm, &host.and_then(|text| text).unwrap_or_default())
}

/// Names that a process's directory does not have here: the kernel might have been built without them.
pub const ABSENT: [&str; 2] = ["map_files", "numa_maps"];

impl View {
    /// What the file `name` of a process's directory is shown as, if not as it is.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "maps" => Self::Maps,
            "smaps" => Self::Smaps,
            "smaps_rollup" => Self::SmapsRollup,
            "stat" => Self::Stat,
            "statm" => Self::Statm,
            "status" => Self::Status,
            "limits" => Self::Limits,
            "syscall" => Self::Syscall,
            "pagemap" => Self::Pagemap,
            "mem" => Self::Memory,
            "fd" | "fdinfo" => Self::Descriptors,
            "task" => Self::Tasks,
            _ => return None,
        })
    }
}

/// A file by device and inode.
pub type FileId = (u64, u64);

/// A file that is shown differently, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As what.
    pub view: View,
    /// Of which thread; the first one's stand for the process.
    pub thread: Pid,
}

#[derive(Debug)]
struct Known {
    shown: Shown,
    /// A child inherits descriptors of its parent's files, which it cannot answer for.
    process: Pid,
    /// Grows from one to the next.
    number: u64,
    /// What was read last, and by which descriptor: a file is not to change between two parts of it.
    text: Option<(RawFd, Arc<[u8]>)>,
}

/// The files that are shown differently.
#[derive(Debug)]
pub struct Views {
    /// Has there ever been one? Reading is not to be slower for a process without.
    is_any: AtomicBool,
    known: Mutex<BTreeMap<FileId, Known>>,
    /// What the runner had in memory before the guest was loaded.
    runner: Resident,
}

/// Most files that are remembered: a process with many threads may open one after another.
const MOST: usize = 1024;

impl Views {
    /// To be called before the guest is loaded: what is in memory so far is the runner's.
    pub fn new() -> Self {
        Self { is_any: AtomicBool::new(false), known: Mutex::default(), runner: Resident::of_runner() }
    }

    /// Can any file be one?
    #[inline]
    pub fn is_any(&self) -> bool {
        self.is_any.load(Ordering::Relaxed)
    }

    /// Keeps others from adding files while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        self.lock()
    }

    /// From now on `file` is shown differently.
    pub fn add(&self, file: FileId, shown: Shown) {
        let mut known = self.lock();
        let number = known.values().map(|known| known.number + 1).max().unwrap_or(0);
        known.insert(file, Known { shown, process: getpid(), number, text: None });
        if known.len() > MOST
            && let Some(oldest) = known.iter().min_by_key(|(_, known)| known.number).map(|(&file, _)| file)
        {
            known.remove(&oldest);
        }
        self.is_any.store(true, Ordering::Relaxed);
    }

    /// How `file` is shown, if differently.
    pub fn find(&self, file: FileId) -> Option<Shown> {
        self.lock().get(&file).filter(|known| known.process == getpid()).map(|known| known.shown)
    }

    /// What the descriptor `fd` read last of `file`.
    pub fn last_text(&self, file: FileId, fd: RawFd) -> Option<Arc<[u8]>> {
        self.lock().get(&file)?.text.as_ref().filter(|(reader, _)| *reader == fd).map(|(_, text)| text.clone())
    }

    /// Keeps what `fd` reads of `file`, or forgets it.
    pub fn keep_text(&self, file: FileId, fd: RawFd, text: Option<&Arc<[u8]>>) {
        if let Some(known) = self.lock().get_mut(&file) {
            known.text = text.map(|text| (fd, text.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FileId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Views {
    fn default() -> Self {
        Self::new()
    }
}

/// The guest's version of a file of which the host says `host`. Directories and files without text have none.
pub fn text(task: &Task, shown: Shown, host: &[u8]) -> Vec<u8> {
    let process = &task.process;
    match shown.view {
        View::Maps => maps::maps(&process.mm, host),
        View::Smaps => maps::smaps(&process.mm, host),
        View::SmapsRollup => maps::rollup(&process.mm, host),
        View::Stat => status::stat(task, shown.thread, host),
        View::Statm => status::statm(task, host),
        View::Status => status::status(task, shown.thread, host),
        View::Limits => status::limits(task, host),
        View::Syscall => status::system_call(task, shown.thread),
        View::Pagemap | View::Memory | View::Descriptors | View::Process | View::Tasks => Vec::new(),
    }
}
