//! `kvm-se verify`: the same program again and again, until one run differs.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use kvm_se::Error;
use kvm_se::proc::ExitStatus;
use kvm_se::proc::determinism::Board;
use kvm_se::proc::determinism::record::Kind;
use kvm_se::reference::compare::RunResult;
use kvm_se::sys::clone::{Forked, fork};
use kvm_se::syscall::Observer;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout};

use crate::cli::{Run, VerifyHow};

/// Status 0 says that all runs were alike, 1 that one was not.
pub(crate) fn verify(mut how: VerifyHow) -> Result<ExitStatus, Error> {
    let input = Input::take()?;
    let mut first: Option<RunResult> = None;
    for number in 1..=how.runs {
        let result = run(how.next_run()?, &input)?;
        let Some(first) = &first else {
            if result.events.is_empty() {
                stop(&result)?;
            }
            first = Some(result);
            continue;
        };
        if let Some(difference) = first.first_difference(&result) {
            let number = usize::try_from(number).unwrap_or(0);
            super::quiet(|to| {
                writeln!(to, "run {number} differs: {}", difference.of_runs(1, number))?;
                report_left(first, to)
            })?;
            return Ok(ExitStatus::Code(1));
        }
    }
    let Some(result) = first else { return Ok(ExitStatus::Code(0)) };
    super::quiet(|to| report(&result, how.runs, to))?;
    Ok(ExitStatus::Code(0))
}

fn report(result: &RunResult, runs: u32, to: &mut dyn Write) -> io::Result<()> {
    let [calls, pages] = [Kind::Call, Kind::Page].map(|kind| result.count(kind));
    let digest = result.digest();
    writeln!(to, "{runs} runs alike: digest {digest:016x}, {calls} system calls, {pages} pages at the end")?;
    report_left(result, to)
}

/// Code that may have told something.
fn report_left(result: &RunResult, to: &mut dyn Write) -> io::Result<()> {
    let left = result.events.iter().filter(|event| event.kind() == Kind::LeftCode);
    let likely: Vec<u64> = left.clone().filter(|event| event.value != 0).map(|event| event.what).collect();
    if let Some(one) = likely.first() {
        let count = likely.len();
        writeln!(
            to,
            "{count} places in code may be instructions that tell or are undefined and were left, the first at {one:#x}"
        )?;
    }
    match left.count() - likely.len() {
        0 => Ok(()),
        parts => writeln!(to, "{parts} places would be such if they were jumped into, which ordinary code does not do"),
    }
}

/// What kvm-se itself says against the program is no result.
fn stop(result: &RunResult) -> Result<Infallible, Error> {
    io::stderr().lock().write_all(&result.stderr).map_err(Error::Setup)?;
    std::process::exit(match result.status {
        ExitStatus::Code(code) => code.into(),
        ExitStatus::Signal(signal) => 128 + signal,
    });
}

fn run(mut run: Run, input: &Input) -> Result<RunResult, Error> {
    let setup = |errno: nix::errno::Errno| Error::Setup(errno.into());
    let settings = &mut run.config.settings;
    let board: Arc<Board> = settings.determinism.clone().ok_or_else(|| Error::Setup(io::ErrorKind::NotFound.into()))?;
    board.start_recording();
    let [mut stdout, mut stderr] = [output().map_err(Error::Setup)?, output().map_err(Error::Setup)?];
    match fork().map_err(|errno| Error::Setup(io::Error::from_raw_os_error(errno.as_positive())))? {
        Forked::Child => {
            input.rewind().map_err(Error::Setup)?;
            dup2_stdin(input.file.as_fd()).map_err(setup)?;
            dup2_stdout(stdout.as_fd()).map_err(setup)?;
            dup2_stderr(stderr.as_fd()).map_err(setup)?;
            drop((stdout, stderr));
            settings.first = nix::unistd::getpid();
            run.config.observer = Observer::of(settings);
            std::process::exit(super::end(super::execute(run)))
        }
        Forked::Parent(child) => {
            drop(run);
            let status = wait(child).map_err(setup)?;
            let events = board.recorded().map_err(Error::Setup)?;
            let [stdout, stderr] = [read(&mut stdout), read(&mut stderr)];
            let result = RunResult {
                status,
                stdout: stdout.map_err(Error::Setup)?,
                stderr: stderr.map_err(Error::Setup)?,
                events,
            };
            if board.has_ended() {
                stop(&result)?;
            }
            Ok(result)
        }
    }
}

fn wait(child: Pid) -> nix::Result<ExitStatus> {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(ExitStatus::code(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(ExitStatus::Signal(signal as i32)),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A file without a name, above the guest's descriptors: those that it makes have the same numbers each time.
fn output() -> io::Result<File> {
    let low = memfd_create(c"kvm-se verify", MFdFlags::MFD_CLOEXEC)?;
    Ok(kvm_se::sys::duplicate_above_guest(std::os::fd::AsRawFd::as_raw_fd(&low))?.into())
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What all runs read from stdin: its contents, or nothing from a terminal.
#[derive(Debug)]
pub(crate) struct Input {
    file: File,
}

impl Input {
    pub(crate) fn take() -> Result<Self, Error> {
        let mut file = output().map_err(Error::Setup)?;
        if !io::IsTerminal::is_terminal(&io::stdin()) {
            // Closed, or not for reading, it is empty.
            let mut bytes = Vec::new();
            let _ = io::stdin().lock().read_to_end(&mut bytes);
            file.write_all(&bytes).map_err(Error::Setup)?;
        }
        // Otherwise it would be a file that was changed in some runs, and before others.
        let then = nix::sys::time::TimeSpec::new(0, 0);
        nix::sys::stat::futimens(&file, &then, &then).map_err(|errno| Error::Setup(errno.into()))?;
        Ok(Self { file })
    }

    /// The same, to be read from the start by somebody else.
    pub(crate) fn reopened(&self) -> io::Result<File> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.file);
        let low = File::open(format!("/proc/self/fd/{fd}"))?;
        Ok(kvm_se::sys::duplicate_above_guest(std::os::fd::AsRawFd::as_raw_fd(&low))?.into())
    }

    fn rewind(&self) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(0)).map(drop)
    }
}
