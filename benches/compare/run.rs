//! One run of a program: what it took, or why it failed.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::rows::{Figure, Row};

/// After so long a run is ended: it hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What one run took, in the unit of its row.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// By the clock.
    pub(crate) wall: f64,
    /// Of CPU time, with that of kvm-se and of all children.
    pub(crate) cpu: f64,
}

/// Runs `command` as `row` says, in `folder`.
pub(crate) fn measure(mut command: Command, row: &Row, folder: &Path) -> Result<Sample, String> {
    set_up(&mut command, row, folder).map_err(|error| error.to_string())?;
    let cpu = cpu_ms(UsageWho::RUSAGE_CHILDREN);
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    end_of(&child);
    let wall = started.elapsed().as_secs_f64() * 1e3;
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("{status}: {}", last_line(&folder.join("stderr"))));
    }
    match row.figure {
        Figure::WholeRun => Ok(Sample { wall, cpu: cpu_ms(UsageWho::RUSAGE_CHILDREN) - cpu }),
        Figure::Printed => printed(&folder.join("stdout")),
    }
}

fn set_up(command: &mut Command, row: &Row, folder: &Path) -> io::Result<()> {
    if let Some(output) = row.output.map(|name| folder.join(name)).filter(|output| output.exists()) {
        fs::remove_file(output)?;
    }
    let input = row.input.map_or_else(|| "/dev/null".into(), |name| folder.join(name));
    let output = match row.figure {
        Figure::Printed => File::create(folder.join("stdout"))?.into(),
        Figure::WholeRun => Stdio::null(),
    };
    command.args(row.arguments.split_whitespace()).current_dir(folder).process_group(0);
    command.env("HOME", folder).env("LC_ALL", "C");
    command.stdin(File::open(input)?).stdout(output).stderr(File::create(folder.join("stderr"))?);
    Ok(())
}

/// Returns when `child` has ended, which it is made to if it takes too long. It remains to be waited for.
fn end_of(child: &Child) {
    let pid = Pid::from_raw(child.id().cast_signed());
    let (ended, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(TIME_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = killpg(pid, Signal::SIGKILL);
            }
        });
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        drop(ended);
    });
}

/// CPU time of `who` so far, in milliseconds.
pub(crate) fn cpu_ms(who: UsageWho) -> f64 {
    let microseconds =
        getrusage(who).map_or(0, |usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds());
    Duration::from_micros(microseconds.unsigned_abs()).as_secs_f64() * 1e3
}

/// The two numbers that a benchmark program prints (testprogs/bench/bench.h).
fn printed(file: &Path) -> Result<Sample, String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [wall, cpu] => Ok(Sample { wall, cpu }),
        _ => Err(format!("printed {text:?}")),
    }
}

fn last_line(file: &Path) -> String {
    let text = fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    text.lines().last().unwrap_or_default().to_owned()
}
