//! `kvm-se record` and `kvm-se report`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use kvm_se::Error;
use kvm_se::proc::ExitStatus;
use kvm_se::profile::{Memory, Options, Recorder, format, report as top, usual_frequency};
use kvm_se::sys::clone::{Forked, fork};
use kvm_se::syscall::Observer;

use crate::cli::{RecordTo, Run, errno};
use crate::output::{Output, TimelineOutput};

/// Runs the program in a child, and writes what was recorded when it has ended. The status is the program's, unless
/// there is no profile.
pub(crate) fn record(mut run: Run, to: RecordTo) -> Result<ExitStatus, Error> {
    let output = Output::prepare(&to.path, "profile")?;
    let memory_output = to.memory.as_deref().map(|path| Output::prepare(path, "table of memory")).transpose()?;
    let frequency = to.frequency.unwrap_or_else(usual_frequency);
    let options = Options { frequency, event: to.event, memory: to.memory_interval };
    let recorder = Recorder::new(options, run.config.settings.region.clone()).map_err(Error::Setup)?;
    let timeline = to.timeline.as_deref().map(TimelineOutput::prepare).transpose()?;
    match fork().map_err(|errno| Error::Setup(io::Error::from_raw_os_error(errno.as_positive())))? {
        Forked::Child => {
            run.config.settings.first = nix::unistd::getpid();
            run.config.settings.board = Some(recorder.board());
            run.config.settings.counters = timeline.map(TimelineOutput::leave_to_recorder);
            run.config.observer = Observer::of(&run.config.settings);
            super::execute(run)
        }
        Forked::Parent(child) => {
            let timeline = timeline.map(TimelineOutput::begin_beside);
            let recording = recorder.record(child).map_err(Error::Setup)?;
            let has_timeline = timeline.map_or(Ok(()), |(output, collector)| {
                let lost = collector.finish(recording.memory());
                output.end(lost)
            });
            let (status, lost) = (recording.status, recording.lost);
            let has_memory = memory_output.map_or(Ok(()), |output| write_memory(recording.memory(), &to, &output));
            let profile = recording.profile(to.command.clone(), &show_progress);
            let bytes = to.format.encode(&profile, &to.path).map_err(|error| output.error(&error))?;
            output.write(&bytes)?;
            has_timeline?;
            has_memory?;
            let mut stderr = io::stderr().lock();
            if lost > 0 {
                let _ = writeln!(stderr, "kvm-se: {lost} threads or mappings could not be recorded");
            }
            if !to.is_quiet {
                let (samples, path) = (profile.samples().count(), to.path.display());
                let rate = if to.frequency.is_none() { format!(", {frequency} a second") } else { String::new() };
                let _ = writeln!(stderr, "kvm-se: {samples} samples in {path}{rate}");
            }
            Ok(status)
        }
    }
}

fn write_memory(memory: &Memory, to: &RecordTo, output: &Output) -> Result<(), Error> {
    let path = to.memory.as_deref().unwrap_or(&to.path);
    let bytes = memory.encode(&to.command, path).map_err(|error| output.error(&error))?;
    output.write(&bytes)
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
