//! The report for people.

use std::io::{self, Write};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::{HardwareCounted, Report, Shares, Snapshot};
use crate::proc::counting::{CAUSES, Calls, Counts, ERROR_PERCENT, ProcessTotals};
use crate::syscall::table;
use crate::vm::doctor::ExitCosts;

/// What is to be shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Show {
    /// The system calls of all processes together.
    pub calls: bool,
    /// Each process, with its system calls.
    pub processes: bool,
    /// Each thread, with its system calls.
    pub threads: bool,
}

impl Report {
    /// Writes it.
    pub fn write_text(&self, show: Show, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "kvm-se stat: {}\n", self.command.join(" "))?;
        self.write_snapshot(&self.whole, show, to)?;
        for (index, dump) in self.dumps.iter().enumerate() {
            writeln!(to, "\nsnapshot {} of {}\n", index + 1, self.dumps.len())?;
            self.write_snapshot(dump, show, to)?;
        }
        writeln!(to)?;
        if let Some((voluntary, others)) = self.context_switches {
            writeln!(to, "{:>14}  context switches, {others} of them not voluntary", voluntary + others)?;
        }
        let guest = self.whole.total().guest_peak;
        let guest = if guest == 0 { String::new() } else { format!(", the guest's part {} KiB", guest / 1024) };
        writeln!(to, "{:>14}  KiB peak memory of a process{guest}", self.peak_memory / 1024)?;
        self.hardware.iter().try_for_each(|counted| write_counted(counted, to))?;
        match self.lost_threads {
            0 => Ok(()),
            lost => writeln!(to, "{lost:>14}  threads not counted: there were too many, or in another pid namespace"),
        }?;
        if self.not_counted.is_empty() {
            return Ok(());
        }
        writeln!(to, "{:>14}  not counted: {}, where the guest answers them itself", "", self.not_counted.join(", "))?;
        writeln!(to, "{:>14}  with --strace=/dev/null all calls leave it, and are counted", "")
    }

    fn write_snapshot(&self, snapshot: &Snapshot, show: Show, to: &mut dyn Write) -> io::Result<()> {
        let total = snapshot.total();
        writeln!(to, "{:>14.6}  s wall", seconds(snapshot.wall))?;
        write_shares(&total, self.exit_costs.as_ref(), to)?;
        let (threads, processes) = (snapshot.nr_threads(), snapshot.processes.len());
        let alive = snapshot.processes.iter().filter(|process| process.is_alive).count();
        let alive = if alive == 0 { String::new() } else { format!(", of which {alive} live on") };
        let (lifetime, thread, process) = (seconds(total.lifetime), plural(threads, "s"), plural(processes, "es"));
        writeln!(to, "{lifetime:>14.6}  s life of {threads} thread{thread} of {processes} process{process}{alive}")?;
        write_exits(&total, to)?;
        if show.calls {
            write_calls(&total, to)?;
        }
        for process in &snapshot.processes {
            if show.processes {
                self.write_process(process, to)?;
            }
            for thread in process.threads.iter().filter(|_| show.threads) {
                writeln!(to, "\nthread {} of process {}: {}", thread.tid, process.pid, name(&thread.name))?;
                write_shares(&thread.counts, self.exit_costs.as_ref(), to)?;
                write_calls(&thread.counts, to)?;
            }
        }
        Ok(())
    }

    fn write_process(&self, process: &ProcessTotals, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "\nprocess {}: {}, threads: {}", process.pid, name(&process.name), process.threads.len())?;
        write_shares(&process.counts, self.exit_costs.as_ref(), to)?;
        if process.counts.peak != 0 {
            let (all, guest) = (process.counts.peak / 1024, process.counts.guest_peak / 1024);
            writeln!(to, "{all:>14}  KiB peak memory, the guest's part {guest} KiB")?;
        }
        write_calls(&process.counts, to)
    }
}

fn plural(count: usize, ending: &'static str) -> &'static str {
    if count == 1 { "" } else { ending }
}

fn name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn write_counted(counted: &HardwareCounted, to: &mut dyn Write) -> io::Result<()> {
    let name = counted.name;
    match &counted.count {
        Ok(count) => writeln!(to, "{count:>14}  {name} of user code"),
        Err(reason) => writeln!(to, "{:>14}  {name} not counted: {reason}", ""),
    }
}

fn write_shares(counts: &Counts, costs: Option<&ExitCosts>, to: &mut dyn Write) -> io::Result<()> {
    let shares = Shares::of(counts, costs);
    let share = |time| percent(time, counts.lifetime);
    let entering = match (shares.entering, costs) {
        (Some(time), Some(costs)) => format!(
            ", {:.6} s of it to get there and back, at {:.1} us a system call and {:.1} us a fault",
            seconds(time),
            costs.syscall.as_secs_f64() * 1e6,
            costs.page_fault.as_secs_f64() * 1e6
        ),
        _ => ", to get there and back included".to_owned(),
    };
    for (time, what) in [
        (shares.guest, format!("guest mode{entering}")),
        (shares.syscalls, "system calls, the host's work and waiting included".to_owned()),
        (shares.faults, "page faults".to_owned()),
        (shares.runner, "what else the runner did".to_owned()),
    ] {
        writeln!(to, "{:>14.6}  s {:>5.1} %  {what}", seconds(time), share(time))?;
    }
    Ok(())
}

fn write_exits(counts: &Counts, to: &mut dyn Write) -> io::Result<()> {
    writeln!(to, "\n{:>14} {:>12} {:>10}  exits, answered in", "count", "time/us", "mean/us")?;
    let all = CAUSES.iter().zip(&counts.exits);
    for (cause, exits) in all.filter(|(_, exits)| exits.count != 0) {
        let (count, time) = (exits.count, micros(exits.time));
        writeln!(to, "{count:>14} {time:>12.0} {:>10.2}  {cause}", mean(exits.time, count))?;
    }
    if counts.answered.count != 0 {
        let (count, time) = (counts.answered.count, counts.answered.time);
        let mean = mean(time, count);
        writeln!(
            to,
            "{count:>14} {:>12.0} {mean:>10.2}  no exit: system calls answered by another thread",
            micros(time)
        )?;
    }
    Ok(())
}

/// The calls that were made, the dearest first.
fn by_time(counts: &Counts) -> Vec<(u32, &Calls)> {
    let mut calls: Vec<_> = counts.calls.iter().map(|(nr, calls)| (*nr, calls)).collect();
    calls.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.time));
    calls
}

fn write_calls(counts: &Counts, to: &mut dyn Write) -> io::Result<()> {
    writeln!(
        to,
        "\n{:>14} {:>8} {:>12} {:>10} {:>10}  system call (p99 within {ERROR_PERCENT:.1} %)",
        "calls", "errors", "time/us", "mean/us", "p99/us"
    )?;
    for (nr, calls) in by_time(counts) {
        let Calls { count, errors, time, .. } = *calls;
        let (mean, p99) = (mean(time, count), micros(calls.p99()));
        let time = micros(time);
        writeln!(to, "{count:>14} {errors:>8} {time:>12.0} {mean:>10.2} {p99:>10.2}  {}", call_name(nr))?;
    }
    Ok(())
}

/// The name of a system call.
pub(super) fn call_name(nr: u32) -> &'static str {
    table::entry(nr.into()).map_or("?", |entry| entry.name)
}

impl Snapshot {
    /// Writes the short form that `--stats` prints of the calling process, which has `nr_slots` memslots.
    pub fn write_short(&self, nr_slots: usize, to: &mut dyn Write) -> io::Result<()> {
        let counts = self.total();
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        writeln!(to, "{:>12}  exits", counts.exits.iter().map(|exits| exits.count).sum::<u64>())?;
        for (cause, exits) in CAUSES.iter().zip(&counts.exits).filter(|(_, exits)| exits.count != 0) {
            writeln!(to, "{:>12}  {cause}", exits.count)?;
        }
        if counts.answered.count != 0 {
            writeln!(to, "{:>12}  system calls without an exit", counts.answered.count)?;
        }
        writeln!(to, "{nr_slots:>12}  memslots")?;
        writeln!(to, "{:>12}  KiB peak memory, the runner's included", usage.max_rss())?;
        writeln!(to, "{:>12.3}  s wall", seconds(self.wall))?;
        for (time, what) in [(usage.user_time(), "user"), (usage.system_time(), "system")] {
            let nanos = u64::try_from(time.num_nanoseconds()).unwrap_or(0);
            writeln!(to, "{:>12.3}  s {what} cpu", seconds(nanos))?;
        }
        writeln!(to, "{:>12} {:>8} {:>12} {:>10}  system call", "calls", "errors", "time/us", "us/call")?;
        for (nr, calls) in by_time(&counts) {
            let Calls { count, errors, time, .. } = *calls;
            let mean = mean(time, count);
            writeln!(to, "{count:>12} {errors:>8} {:>12.0} {mean:>10.2}  {}", micros(time), call_name(nr))?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn micros(nanos: u64) -> f64 {
    seconds(nanos) * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn mean(nanos: u64, count: u64) -> f64 {
    micros(nanos) / count.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
