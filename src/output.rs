//! Files that results are written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kvm_se::Error;
use kvm_se::proc::counting::Counters;
use kvm_se::profile::stat::{Background, Collector, TimelineFile};

use crate::cli::errno;

/// The file that a result goes to. What is there stays as it is until there is a new one.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    /// What it is called in messages.
    what: &'static str,
    /// Was there nothing?
    is_new: bool,
}

impl Output {
    /// Finds out whether it can be written.
    pub(crate) fn prepare(path: &Path, what: &'static str) -> Result<Self, Error> {
        let is_new = fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        let output = Self { path: path.to_owned(), what, is_new };
        OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(|error| output.error(&error))?;
        if is_new {
            fs::remove_file(path).map_err(|error| output.error(&error))?;
        }
        // The program may change to another folder's owner, not the recorder; still, a name is to mean the same later.
        let absolute = std::path::absolute(path).map_err(|error| output.error(&error))?;
        Ok(Self { path: absolute, what, is_new })
    }

    pub(crate) fn error(&self, error: &io::Error) -> Error {
        Error::Option { what: "cannot write", path: self.path.clone().into(), source: errno(error) }
    }

    /// Writes it as a whole, or, if that fails, to the folder for temporary files, and says so.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let Err(error) = self.replace(bytes) else { return Ok(()) };
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let other = std::env::temp_dir().join(format!("kvm-se-{}-{name}", std::process::id()));
        if Some(other.as_path().parent()) != Some(self.path.parent()) && write_whole(&other, bytes).is_ok() {
            let _ = writeln!(io::stderr(), "kvm-se: the {} is in {}", self.what, other.display());
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

/// A timeline that is wanted of a run.
#[derive(Debug)]
pub(crate) struct TimelineOutput {
    output: Output,
    file: TimelineFile,
    counters: Arc<Counters>,
}

impl TimelineOutput {
    /// Opens its file.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Error> {
        let output = Output::prepare(path, "timeline")?;
        let file = TimelineFile::create(path).map_err(|error| output.error(&error))?;
        let counters = Arc::new(Counters::new(true).map_err(Error::Setup)?);
        Ok(Self { output, file, counters })
    }

    /// What the run's processes need of it.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// In the run's first process: closes the file.
    pub(crate) fn leave_to_recorder(self) -> Arc<Counters> {
        self.counters
    }

    /// Writes it in a thread of its own.
    pub(crate) fn begin_beside(self) -> (Output, Background) {
        (self.output, Background::start(Collector::new(self.counters, Some(self.file))))
    }

    /// Lets `collector` write it.
    pub(crate) fn begin(self) -> (Output, TimelineFile) {
        (self.output, self.file)
    }
}

impl Output {
    /// What became of a timeline: how many events are not on it.
    pub(crate) fn end(&self, lost: io::Result<u64>) -> Result<(), Error> {
        let lost = lost.map_err(|error| self.error(&error))?;
        if lost > 0 {
            let _ = writeln!(io::stderr(), "kvm-se: {lost} events are not on the timeline: it was not written in time");
        }
        Ok(())
    }
}
