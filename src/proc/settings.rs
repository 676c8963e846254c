//! What the user asked for, which all programs of a run obey.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::unistd::Pid;

use super::Tracing;
use super::counting::Counters;
use super::determinism;
use super::region::Region;
use super::sampling::Board;
use crate::loader::layout::Layout;
use crate::x86::CpuModel;

/// Settings of a run. They pass to the programs that the first one executes.
#[derive(Debug)]
pub struct Settings {
    /// The process that the user started.
    pub first: Pid,
    /// The runner's executable, by which it executes itself again; absent where there was no /proc.
    pub executable: Option<OwnedFd>,
    /// Where the tracer writes.
    pub trace: Option<Arc<File>>,
    /// What the recorder of a profiled run shares with its processes.
    pub board: Option<Arc<Board>>,
    /// What those who report on the run share with its processes.
    pub counters: Option<Arc<Counters>>,
    /// Where records of all instructions of the first process go.
    pub tracing: Option<Arc<Tracing>>,
    /// What the processes of a deterministic run share.
    pub determinism: Option<Arc<determinism::Board>>,
    /// What of the run is of interest; without it, all.
    pub region: Option<Arc<Region>>,
    /// What is done where the region ends, or so many instructions were counted.
    pub stop: Option<Arc<Stop>>,
    /// How m5ops are executed; without it, they are illegal instructions.
    pub m5ops: Option<M5ops>,
    /// Where messages go while the program runs.
    pub messages: Option<Arc<File>>,
    /// Does the first process report itself what it cost? Then others do not count.
    pub stats: bool,
    /// Report what was missing.
    pub missing: bool,
    /// Randomise addresses.
    pub aslr: bool,
    /// Let another thread answer calls, where exits are dear.
    pub exitless: bool,
    /// Turn calls that are made often into jumps, where that is of use.
    pub patch: bool,
    /// The processor that programs see.
    pub cpu: CpuModel,
    /// Whose layout, names and ids programs find.
    pub layout: Layout,
    /// How much the runner says of itself.
    pub verbose: u8,
}

/// The end of a run at a point that the user named.
#[derive(Debug)]
pub struct Stop {
    /// Where the state goes.
    pub state: Option<File>,
    /// Is it JSON?
    pub is_json: bool,
    /// Has a thread come to the point, if that is a count?
    pub has_stopped: AtomicBool,
}

/// What m5ops may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct M5ops {
    /// The folder that `write_file` writes to.
    pub output: Option<PathBuf>,
    /// The file that `read_file` reads.
    pub input: Option<PathBuf>,
}

impl Settings {
    /// Says something to the user.
    pub fn say(&self, what: fmt::Arguments<'_>) {
        if let Some(mut messages) = self.messages.as_deref() {
            // If nobody reads it any more, there is nobody to be told.
            let _ = messages.write_all(format!("kvm-se: {what}\n").as_bytes());
        }
    }

    /// Where threads of the calling process count, if they do.
    pub fn counters_of_process(&self) -> Option<&Arc<Counters>> {
        self.counters.as_ref().filter(|_| !self.stats || self.is_first_process())
    }

    /// Is this the process that the user started?
    pub fn is_first_process(&self) -> bool {
        nix::unistd::getpid() == self.first
    }
}
