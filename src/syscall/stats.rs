//! Counters of `--stats`.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::table;
use crate::vm::Trap;

/// What happened in a run.
#[derive(Debug)]
pub struct Stats {
    started: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    syscalls: BTreeMap<u64, SyscallCount>,
    traps: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct SyscallCount {
    calls: u64,
    errors: u64,
    time: Duration,
}

impl Default for Stats {
    fn default() -> Self {
        Self { started: Instant::now(), counts: Mutex::default() }
    }
}

impl Stats {
    /// Counts a system call and the time that the runner took to answer it.
    pub fn count_syscall(&self, nr: u64, time: Duration, is_error: bool) {
        let mut counts = self.lock();
        let count = counts.syscalls.entry(nr).or_default();
        count.calls += 1;
        count.errors += u64::from(is_error);
        count.time += time;
    }

    /// Counts an exit.
    pub fn count_trap(&self, trap: &Trap) {
        let cause = match trap {
            Trap::Syscall => "system calls",
            Trap::PageFault { .. } => "page faults",
            Trap::Exception { .. } => "exceptions",
            Trap::Kicked => "kicks",
            Trap::BusError => "bus errors",
            Trap::Bad(_) => "unexpected",
        };
        *self.lock().traps.entry(cause).or_default() += 1;
    }

    /// Writes the report. `nr_exits` counts every return of KVM_RUN, `nr_slots` the memslots.
    pub fn report(&self, to: &mut dyn io::Write, nr_exits: u64, nr_slots: usize) -> io::Result<()> {
        let counts = self.lock();
        let wall = self.started.elapsed();
        let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)?;
        writeln!(to, "{nr_exits:>12}  exits")?;
        for (cause, count) in &counts.traps {
            writeln!(to, "{count:>12}  {cause}")?;
        }
        writeln!(to, "{nr_slots:>12}  memslots")?;
        writeln!(to, "{:>12}  KiB peak memory, the runner's included", usage.max_rss())?;
        writeln!(to, "{:>12.3}  s wall", wall.as_secs_f64())?;
        writeln!(to, "{:>12.3}  s user cpu", seconds(usage.user_time()))?;
        writeln!(to, "{:>12.3}  s system cpu", seconds(usage.system_time()))?;
        writeln!(to, "{:>12} {:>8} {:>12} {:>10}  system call", "calls", "errors", "time/us", "us/call")?;
        for (nr, count) in by_time(&counts.syscalls) {
            let name = table::entry(nr).map_or("?", |entry| entry.name);
            let micros = count.time.as_secs_f64() * 1e6;
            let SyscallCount { calls, errors, .. } = count;
            #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
            let mean = micros / *calls as f64;
            writeln!(to, "{calls:>12} {errors:>8} {micros:>12.0} {mean:>10.2}  {name}")?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_time(syscalls: &BTreeMap<u64, SyscallCount>) -> Vec<(u64, &SyscallCount)> {
    let mut sorted: Vec<_> = syscalls.iter().map(|(&nr, count)| (nr, count)).collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(count.time));
    sorted
}

fn seconds(time: nix::sys::time::TimeVal) -> f64 {
    use nix::sys::time::TimeValLike;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit")]
    let micros = time.num_microseconds() as f64;
    micros / 1e6
}
