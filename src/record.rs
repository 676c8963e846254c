//! `kvm-se record` and `kvm-se report`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use kvm_se::Error;
use kvm_se::proc::ExitStatus;
use kvm_se::profile::{Recorder, format, report as top};
use kvm_se::sys::clone::{Forked, fork};
use kvm_se::syscall::Observer;

use crate::cli::{RecordTo, Run, errno};

/// Runs the program in a child, and writes what was recorded when it has ended. The status is the program's, unless
/// there is no profile.
pub(crate) fn record(mut run: Run, to: RecordTo) -> Result<ExitStatus, Error> {
    let output = Output::prepare(&to.path)?;
    let recorder = Recorder::new(to.options).map_err(Error::Setup)?;
    match fork().map_err(|errno| Error::Setup(io::Error::from_raw_os_error(errno.as_positive())))? {
        Forked::Child => {
            run.config.settings.first = nix::unistd::getpid();
            run.config.settings.board = Some(recorder.board());
            run.config.observer = Observer::of(&run.config.settings);
            super::execute(run)
        }
        Forked::Parent(child) => {
            let recording = recorder.record(child).map_err(Error::Setup)?;
            let (status, lost) = (recording.status, recording.lost);
            let profile = recording.profile(to.command, &show_progress);
            let bytes = to.format.encode(&profile, &to.path).map_err(|error| output.error(&error))?;
            output.write(&bytes)?;
            let mut stderr = io::stderr().lock();
            if lost > 0 {
                let _ = writeln!(stderr, "kvm-se: {lost} threads or mappings could not be recorded");
            }
            if !to.is_quiet {
                let (samples, path) = (profile.samples().count(), to.path.display());
                let _ = writeln!(stderr, "kvm-se: {samples} samples in {path}");
            }
            Ok(status)
        }
    }
}

/// Says on a terminal how many files' symbols have been read.
fn show_progress(done: usize, all: usize) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let end = if done == all { "\r\x1b[K" } else { "" };
        let _ = write!(stderr, "\rkvm-se: symbols of {done} of {all} files{end}");
        let _ = stderr.flush();
    }
}

/// Prints the functions that took most.
pub(crate) fn report(path: &Path) -> Result<ExitStatus, Error> {
    let option = |what, source| Error::Option { what, path: path.into(), source };
    let bytes = fs::read(path).map_err(|error| option("cannot read", errno(&error)))?;
    let stacks = format::decode(&bytes).ok_or_else(|| Error::NotProfile { path: path.into() })?;
    super::quiet(|to| top::print(&stacks, to))
}

/// The file that the profile goes to. What is there stays as it is until there is a new one.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    /// Was there nothing?
    is_new: bool,
}

impl Output {
    /// Finds out whether it can be written.
    fn prepare(path: &Path) -> Result<Self, Error> {
        let is_new = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let output = Self { path: path.to_owned(), is_new };
        OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(|error| output.error(&error))?;
        if is_new {
            fs::remove_file(path).map_err(|error| output.error(&error))?;
        }
        // The program may change to another folder's owner, not the recorder; still, a name is to mean the same later.
        let absolute = std::path::absolute(path).map_err(|error| output.error(&error))?;
        Ok(Self { path: absolute, is_new })
    }

    fn error(&self, error: &io::Error) -> Error {
        Error::Option { what: "cannot write", path: self.path.clone().into(), source: errno(error) }
    }

    /// Writes it as a whole, or, if that fails, to the folder for temporary files, and says so.
    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let Err(error) = self.replace(bytes) else { return Ok(()) };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let other = std::env::temp_dir().join(format!("kvm-se-{}-{name}", std::process::id()));
        if Some(other.as_path().parent()) != Some(self.path.parent()) && write_whole(&other, bytes).is_ok() {
            let _ = writeln!(io::stderr(), "kvm-se: the profile is in {}", other.display());
        }
        Err(self.error(&error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let is_plain = self.is_new || fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_file());
        if !is_plain {
            return OpenOptions::new().write(true).truncate(true).create(true).open(&self.path)?.write_all(bytes);
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".{}", std::process::id()));
        match write_whole(Path::new(&beside), bytes) {
            Ok(()) => fs::rename(&beside, &self.path).inspect_err(|_| drop(fs::remove_file(&beside))),
            // The file may be ours and its folder not.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => File::create(&self.path)?.write_all(bytes),
            Err(error) => Err(error),
        }
    }
}

/// A new file with these bytes, or none.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes).inspect_err(|_| drop(fs::remove_file(path)))
}
