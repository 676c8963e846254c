//! The command `kvm-se`.

// Rust's own start-up would ignore SIGPIPE, open missing standard descriptors and handle SIGSEGV; the guest is to
// find what the parent process left. So this program starts where a C program does.
#![no_main]

mod cli;
mod output;
mod record;
mod reverse;
mod stat;
mod trace;
mod verify;

use std::io::{self, Write};

use cli::{Request, Run};
use kvm_se::proc::{ExitStatus, Process};
use kvm_se::profile::stat::Snapshot;
use kvm_se::runner::Runner;
use kvm_se::{Error, sys};

/// Called by the C library.
#[expect(unsafe_code, reason = "the C library looks for this name")]
// SAFETY: no other symbol of this name is linked.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: i32, _argv: *const *const libc::c_char) -> i32 {
    end(cli::parse(std::env::args_os()).and_then(carry_out))
}

/// The status of this process, unless it dies by a signal.
fn end(result: Result<ExitStatus, Error>) -> i32 {
    let status = result.unwrap_or_else(|error| {
        report(&error);
        ExitStatus::Code(error.exit_status())
    });
    match status {
        ExitStatus::Code(code) => code.into(),
        ExitStatus::Signal(signal) => sys::signal::die_by(signal),
    }
}

fn carry_out(request: Request) -> Result<ExitStatus, Error> {
    match request {
        Request::Run(run) => execute(*run),
        Request::Record(run, to) => record::record(*run, to),
        Request::Stat(run, to) => stat::stat(*run, to),
        Request::Trace(run, to) => trace::trace(*run, to),
        Request::Dump(to) => trace::dump(&to),
        Request::Compare(states) => trace::compare(&states),
        Request::Report(file) => record::report(&file),
        Request::Verify(how) => verify::verify(how),
        Request::Debug(how) => reverse::debug(*how),
        Request::Doctor => doctor(),
        Request::ListSyscalls => quiet(|to| kvm_se::syscall::table::list(to)),
    }
}

/// Status 0 says that programs can run here, 1 that they cannot.
fn doctor() -> Result<ExitStatus, Error> {
    match kvm_se::vm::doctor::examine() {
        Ok(findings) => {
            quiet(|to| write!(to, "{findings}"))?;
            Ok(ExitStatus::Code(u8::from(findings.obstacle().is_some())))
        }
        Err(error) => {
            report(&error.into());
            Ok(ExitStatus::Code(1))
        }
    }
}

fn execute(run: Run) -> Result<ExitStatus, Error> {
    Runner::new(run.config, report_end)?.run()
}

/// Prints what the options ask for, and the error that ended the run.
fn report_end(process: &Process, result: &Result<ExitStatus, Error>) {
    let mut stderr = io::stderr().lock();
    let is_first = process.settings.is_first_process();
    if let Some(counters) = process.settings.counters.as_ref().filter(|_| process.settings.stats && is_first) {
        let snapshot = Snapshot::of(counters);
        let _ = snapshot.write_short(process.mm.machine().nr_slots(), &mut stderr);
    }
    if process.settings.stop.is_some()
        && let Some(tracing) = process.settings.tracing.as_ref().filter(|_| is_first)
    {
        let what = if tracing.is_counted_out() { "stopped at" } else { "the run never came to" };
        let _ = writeln!(stderr, "kvm-se: {what} that many instructions");
    }
    if let Some(region) = process.settings.region.as_ref().filter(|_| is_first) {
        let (times, seconds) =
            (region.times(), std::time::Duration::from_nanos(region.time(kvm_se::proc::sampling::now())));
        let _ = match times {
            _ if process.settings.stop.is_some() => {
                let what = if region.is_inside() { "the run never came to" } else { "stopped at" };
                writeln!(stderr, "kvm-se: {what} {}", region.span().to)
            }
            0 => writeln!(stderr, "kvm-se: the region {} never began", region.span()),
            1 => writeln!(stderr, "kvm-se: the region began once and took {:.6} s", seconds.as_secs_f64()),
            _ => writeln!(stderr, "kvm-se: the region began {times} times and took {:.6} s", seconds.as_secs_f64()),
        };
    }
    if process.settings.missing && (is_first || !process.missing.is_empty()) {
        let _ = process.missing.report(&mut stderr);
    }
    drop(stderr);
    if let Err(error) = result {
        report(error);
    }
}

/// Prints to stdout; a reader that has gone is no error.
fn quiet(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<ExitStatus, Error> {
    match print(&mut io::stdout().lock()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Option { what: "cannot write to", path: "stdout".into(), source: cli::errno(&error) })
        }
        _ => Ok(ExitStatus::Code(0)),
    }
}

fn report(error: &Error) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "kvm-se: {error}");
    if let Some(remedy) = error.remedy() {
        let _ = writeln!(stderr, "  {remedy}");
    }
}
