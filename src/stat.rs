//! `kvm-se stat`.

use std::io::{self, Write};
use std::sync::Arc;

use kvm_se::Error;
use kvm_se::proc::ExitStatus;
use kvm_se::proc::counting::Counters;
use kvm_se::profile::stat::{Collector, HardwareCounting, Subject};
use kvm_se::sys::clone::{Forked, fork};
use kvm_se::syscall::Observer;

use crate::cli::{Run, StatTo};
use crate::output::{Output, TimelineOutput};

/// Runs the program in a child, and says what it cost when it has ended. The status is the program's, unless there is no
/// report.
pub(crate) fn stat(mut run: Run, to: StatTo) -> Result<ExitStatus, Error> {
    let output = to.path.as_deref().map(|path| Output::prepare(path, "report")).transpose()?;
    let timeline = to.timeline.as_deref().map(TimelineOutput::prepare).transpose()?;
    let counters = match &timeline {
        Some(timeline) => timeline.counters(),
        None => Arc::new(Counters::new(false).map_err(Error::Setup)?),
    };
    let hardware = HardwareCounting::begin();
    match fork().map_err(|errno| Error::Setup(io::Error::from_raw_os_error(errno.as_positive())))? {
        Forked::Child => {
            // Their descriptors are none of the guest's.
            drop((hardware, timeline));
            run.config.settings.first = nix::unistd::getpid();
            run.config.settings.counters = Some(counters);
            run.config.observer = Observer::of(&run.config.settings);
            super::execute(run)
        }
        Forked::Parent(child) => {
            let (timeline_output, file) = timeline.map(TimelineOutput::begin).unzip();
            let collector = Collector::new(counters, file);
            let subject = Subject { command: to.command, is_traced: run.config.settings.trace.is_some() };
            let (report, lost_events) = collector.run(child, subject, hardware).map_err(Error::Setup)?;
            let mut bytes = Vec::new();
            if to.is_json {
                bytes = report.to_json();
            } else {
                report.write_text(to.show, &mut bytes).map_err(Error::Setup)?;
            }
            match &output {
                Some(output) => output.write(&bytes)?,
                None => write_to_stderr(&bytes)?,
            }
            timeline_output.map_or(Ok(()), |output| output.end(lost_events))?;
            Ok(report.status)
        }
    }
}

fn write_to_stderr(bytes: &[u8]) -> Result<(), Error> {
    io::stderr().write_all(bytes).map_err(|error| Error::Option {
        what: "cannot write to",
        path: "stderr".into(),
        source: crate::cli::errno(&error),
    })
}
