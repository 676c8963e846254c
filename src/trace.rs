//! `kvm-se trace`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use kvm_se::Error;
use kvm_se::proc::{ExitStatus, Tracing};
use kvm_se::reference::state::{NotState, StateDump};
use kvm_se::reference::trace::binary::{ReadError, read};
use kvm_se::reference::trace::{Receiver, native_trace};
use kvm_se::sys::clone::{Forked, fork};
use kvm_se::syscall::Observer;

use crate::cli::{DumpTo, Run, TraceTo, errno};

/// Runs the program in a child, and writes what it executes. The status is the program's, unless the trace is not whole.
pub(crate) fn trace(mut run: Run, to: TraceTo) -> Result<ExitStatus, Error> {
    let failed = |error: &io::Error| {
        let peer = || to.peer.clone().map_or_else(|| "the trace".into(), OsString::from);
        let path = to.path.clone().map_or_else(peer, Into::into);
        Error::Option { what: "cannot write", path, source: errno(error) }
    };
    // First of all, as stderr may be closed. The guest's descriptors are below it.
    let writer: Box<dyn Write> = match (&to.path, &to.peer) {
        (_, Some(peer)) => Box::new(connect(peer)?),
        (Some(path), None) => Box::new(File::create(path).map_err(|error| failed(&error))?),
        (None, None) => Box::new(File::from(kvm_se::sys::duplicate_above_guest(2).map_err(|error| failed(&error))?)),
    };
    let (receiver, socket) = Receiver::new().map_err(Error::Setup)?;
    match fork().map_err(|errno| Error::Setup(io::Error::from_raw_os_error(errno.as_positive())))? {
        Forked::Child => {
            let tracing = Tracing::new(&socket, to.folds_repeats, to.skip).map_err(Error::Setup)?;
            drop((receiver, socket, writer));
            let settings = &mut run.config.settings;
            settings.first = nix::unistd::getpid();
            settings.tracing = Some(Arc::new(tracing));
            run.config.observer = Observer::of(settings);
            super::execute(run)
        }
        Forked::Parent(child) => {
            drop((run, socket));
            let writer = Box::new(BufWriter::with_capacity(1 << 16, writer));
            let sink = match to.peer {
                Some(_) => native_trace(writer),
                None => to.format.sink(writer).map_err(|error| failed(&error))?,
            };
            let traced = receiver.run(child, sink, to.limit).map_err(Error::Setup)?;
            if let Some(error) = traced.failed {
                return Err(failed(&error));
            }
            if let (Some(path), false) = (&to.path, to.is_quiet) {
                let _ = writeln!(io::stderr(), "kvm-se: {} instructions in {}", traced.instructions, path.display());
            }
            Ok(traced.status)
        }
    }
}

/// gem5 waits for a peer when it starts.
fn connect(peer: &str) -> Result<TcpStream, Error> {
    let address = if peer.starts_with(':') { format!("localhost{peer}") } else { peer.to_owned() };
    TcpStream::connect(&address).map_err(|error| Error::Option {
        what: "cannot connect to",
        path: peer.into(),
        source: errno(&error),
    })
}

/// Writes a compressed trace in another format.
pub(crate) fn dump(to: &DumpTo) -> Result<ExitStatus, Error> {
    let unreadable =
        |error: &io::Error| Error::Option { what: "cannot read", path: to.file.clone().into(), source: errno(error) };
    let unwritable = |error: &io::Error| Error::Option {
        what: "cannot write",
        path: to.path.clone().map_or_else(|| "stdout".into(), Into::into),
        source: errno(error),
    };
    let from = BufReader::new(File::open(&to.file).map_err(|error| unreadable(&error))?);
    let writer: Box<dyn Write> = match &to.path {
        Some(path) => Box::new(File::create(path).map_err(|error| unwritable(&error))?),
        None => Box::new(io::stdout()),
    };
    let result = to.format.sink(Box::new(BufWriter::new(writer))).map_err(Failure::Write).and_then(|mut sink| {
        let read = read(from, |record| sink.record(record).map_err(Failure::Write));
        // What was read is written, whatever comes of the rest.
        let finished = sink.finish().map_err(Failure::Write);
        read.and(finished)
    });
    match result {
        Ok(()) => Ok(ExitStatus::Code(0)),
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitStatus::Code(0)),
        Err(Failure::Write(error)) => Err(unwritable(&error)),
        Err(Failure::Read(ReadError::Io(error))) => Err(unreadable(&error)),
        Err(Failure::Read(error)) => Err(Error::NotTrace { path: to.file.clone().into(), why: error.to_string() }),
    }
}

/// Prints what differs in two states; the status is 1 if anything does.
pub(crate) fn compare(states: &[PathBuf; 2]) -> Result<ExitStatus, Error> {
    let read = |path: &PathBuf| {
        let failed = |error: io::Error| Error::Option { what: "cannot read", path: path.into(), source: errno(&error) };
        let bytes = std::fs::read(path).map_err(failed)?;
        let state = String::from_utf8(bytes).ok().and_then(|text| StateDump::read(&text).ok());
        state.ok_or_else(|| Error::NotTrace { path: path.into(), why: NotState.to_string() })
    };
    let [one, two] = states.each_ref().map(read);
    let (one, two) = (one?, two?);
    let mut differences = 0;
    super::quiet(|to| {
        differences = one.write_difference(&two, to)?;
        Ok(())
    })?;
    Ok(ExitStatus::Code(u8::from(differences > 0)))
}

/// Which side failed.
enum Failure {
    Read(ReadError),
    Write(io::Error),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
