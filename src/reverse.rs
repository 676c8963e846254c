//! `kvm-se --deterministic --gdb`: a front that begins the program anew when gdb goes back.

use std::io;
use std::os::fd::{AsFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use kvm_se::Error;
use kvm_se::proc::ExitStatus;
use kvm_se::proc::determinism::Board;
use kvm_se::reference::gdb::{Connection, reverse};
use kvm_se::sys::clone::{Forked, fork};
use kvm_se::sys::signal;
use kvm_se::syscall::Observer;
use nix::sys::signal::SigSet;
use nix::sys::stat::{FileStat, SFlag, fstat};
use nix::unistd::{Pid, dup2_stdin};

use crate::cli::{DebugHow, Run};
use crate::verify::Input;

/// What all runs have in common.
struct Runs {
    input: Input,
    /// Files that runs after the first do not write to again.
    quiet: Vec<FileStat>,
    /// When the first one began (ns since 1970).
    began: Option<u64>,
    mask: SigSet,
    ignores_children: bool,
}

/// Debugs the program; the status is its own.
pub(crate) fn debug(how: DebugHow) -> Result<ExitStatus, Error> {
    let setup = |errno: nix::errno::Errno| Error::Setup(errno.into());
    let (connection, first, mut next) = how.into_parts();
    let mut runs = Runs {
        input: Input::take()?,
        quiet: [io::stdout().as_fd(), io::stderr().as_fd()].into_iter().filter_map(written).collect(),
        began: None,
        mask: SigSet::thread_get_mask().map_err(setup)?,
        ignores_children: signal::action(libc::SIGCHLD)[0] == libc::SIG_IGN as u64,
    };
    let mut first = Some(first);
    let mut begin = |socket: UnixStream, quiet_until: u64, not_its: &[RawFd]| {
        let run = first.take().map_or_else(&mut next, Ok).map_err(io::Error::other)?;
        runs.begin(run, socket, quiet_until, not_its)
    };
    reverse::serve(connection, &mut begin).map_err(Error::Setup)
}

/// A file that is written to; to /dev/null it may be as often as one likes.
fn written(file: std::os::fd::BorrowedFd<'_>) -> Option<FileStat> {
    fstat(file).ok().filter(|stat| {
        let is_device = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
        !(is_device && stat.st_rdev == libc::makedev(1, 3))
    })
}

impl Runs {
    fn begin(&mut self, mut run: Run, socket: UnixStream, quiet_until: u64, not_its: &[RawFd]) -> io::Result<Pid> {
        let settings = &mut run.config.settings;
        let board: Arc<Board> = settings.determinism.clone().ok_or(io::ErrorKind::NotFound)?;
        board.make_reversible(quiet_until, &self.quiet, self.began);
        self.began = Some(board.started());
        let input = self.input.reopened()?;
        // Descriptors that the guest makes have the same numbers each time.
        let connection = Connection::of_front(socket)?;
        match fork().map_err(|errno| io::Error::from_raw_os_error(errno.as_positive()))? {
            Forked::Child => {
                dup2_stdin(input.as_fd())?;
                drop(input);
                for fd in not_its {
                    nix::unistd::close(*fd)?;
                }
                self.mask.thread_set_mask()?;
                if self.ignores_children {
                    let _ = signal::set_plain_action(libc::SIGCHLD, true, 0);
                }
                settings.first = nix::unistd::getpid();
                run.config.observer = Observer::of(settings);
                run.config.gdb = Some(connection);
                std::process::exit(super::end(super::execute(run)))
            }
            Forked::Parent(child) => Ok(child),
        }
    }
}
