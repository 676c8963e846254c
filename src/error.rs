//! Errors that end the run. What the guest did wrong is never among them: that is [`crate::abi::Errno`] or a signal.

use std::ffi::OsString;
use std::io;

use crate::loader::exec::ExecError;
use crate::vm::{BadExit, VmError};

/// Why kvm-se could not run, or go on running, the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The virtual machine.
    #[error(transparent)]
    Vm(#[from] VmError),
    /// There is no such program.
    #[error("{}: {}", .program.display(), .source.desc().to_lowercase())]
    NotFound {
        /// As the user wrote it.
        program: OsString,
        /// What the kernel said.
        source: nix::errno::Errno,
    },
    /// The program may not be executed.
    #[error("{}: {}", .program.display(), .source.desc().to_lowercase())]
    NotAllowed {
        /// As the user wrote it.
        program: OsString,
        /// What the kernel said.
        source: nix::errno::Errno,
    },
    /// The program cannot be run here.
    #[error("{} {source}", .program.display())]
    NotExecutable {
        /// As the user wrote it.
        program: OsString,
        /// What is wrong with it.
        source: ExecError,
    },
    /// An option names something that cannot be used.
    #[error("{what} {}: {}", .path.display(), .source.desc().to_lowercase())]
    Option {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: OsString,
        /// What the kernel said.
        source: nix::errno::Errno,
    },
    /// `kvm-se report` cannot read a file.
    #[error("{}: no profile that can be read, which are the formats firefox, pprof, folded and speedscope", .path.display())]
    NotProfile {
        /// The file.
        path: OsString,
    },
    /// `kvm-se dump` cannot read a file.
    #[error("{}: {why}", .path.display())]
    NotTrace {
        /// The file.
        path: OsString,
        /// What is wrong with it.
        why: String,
    },
    /// KVM left the guest for a reason that nothing explains.
    #[error("the virtual machine stopped unexpectedly: {0}")]
    BadExit(BadExit),
    /// A thread of a deterministic run computes, and others wait.
    #[error("deterministic: a thread has run for 5 s at {at:#x} without a system call, and others wait")]
    Spins {
        /// Where it was (GVA).
        at: u64,
    },
    /// A thread of another process does.
    #[error("deterministic: the run has ended in another process")]
    Ended,
    /// The host's processor is less than the one that was asked for.
    #[error("this machine's processor is no {model}: it lacks {missing}")]
    Processor {
        /// What was asked for.
        model: &'static str,
        /// Features, as /proc/cpuinfo names them.
        missing: String,
    },
    /// A handler could not be installed.
    #[error("cannot prepare the process: {0}")]
    Setup(io::Error),
}

impl Error {
    /// Exit status by the convention of env(1) and timeout(1).
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotFound { .. } => 127,
            Self::NotAllowed { .. } | Self::NotExecutable { .. } => 126,
            _ => 125,
        }
    }

    /// What the user can do about it, if that can be said in a line.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Vm(error) => error.remedy(),
            _ => None,
        }
    }
}
