//! Counters of `--stats`.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::table;
use crate::vm::Trap;

/// Causes of exits, in the order of [`cause`].
const CAUSES: [&str; 6] = ["bus errors", "exceptions", "kicks", "page faults", "system calls", "unexpected"];
/// Numbers of system calls that are counted each on its own; all others together are the last one.
const NR_COUNTS: usize = 1024;

/// What happened in a run. All threads count, and none holds a lock that a fork child would find closed.
#[derive(Debug)]
pub struct Stats {
    started: Instant,
    syscalls: Box<[SyscallCount]>,
    traps: [AtomicU64; CAUSES.len()],
}

#[derive(Debug, Default)]
struct SyscallCount {
    calls: AtomicU64,
    errors: AtomicU64,
    nanos: AtomicU64,
}

/// A [`SyscallCount`] as it was at one moment.
#[derive(Clone, Copy, Debug)]
struct Counted {
    nr: usize,
    calls: u64,
    errors: u64,
    time: Duration,
}

impl Default for Stats {
    fn default() -> Self {
        let syscalls = (0..NR_COUNTS).map(|_| SyscallCount::default()).collect();
        Self { started: Instant::now(), syscalls, traps: [const { AtomicU64::new(0) }; CAUSES.len()] }
    }
}

impl Stats {
    /// Counts a system call and the time that the runner took to answer it.
    pub fn count_syscall(&self, nr: u64, time: Duration, is_error: bool) {
        let count = &self.syscalls[usize::try_from(nr).unwrap_or(NR_COUNTS).min(NR_COUNTS - 1)];
        count.calls.fetch_add(1, Ordering::Relaxed);
        count.errors.fetch_add(is_error.into(), Ordering::Relaxed);
        count.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts an exit.
    pub fn count_trap(&self, trap: &Trap) {
        self.traps[cause(trap)].fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the report. `nr_slots` is the number of memslots.
    pub fn report(&self, to: &mut dyn io::Write, nr_slots: usize) -> io::Result<()> {
        let wall = self.started.elapsed();
        let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)?;
        let traps = self.traps.each_ref().map(|count| count.load(Ordering::Relaxed));
        writeln!(to, "{:>12}  exits", traps.iter().sum::<u64>())?;
        for (cause, count) in CAUSES.iter().zip(traps).filter(|(_, count)| *count != 0) {
            writeln!(to, "{count:>12}  {cause}")?;
        }
        writeln!(to, "{nr_slots:>12}  memslots")?;
        writeln!(to, "{:>12}  KiB peak memory, the runner's included", usage.max_rss())?;
        writeln!(to, "{:>12.3}  s wall", wall.as_secs_f64())?;
        writeln!(to, "{:>12.3}  s user cpu", seconds(usage.user_time()))?;
        writeln!(to, "{:>12.3}  s system cpu", seconds(usage.system_time()))?;
        writeln!(to, "{:>12} {:>8} {:>12} {:>10}  system call", "calls", "errors", "time/us", "us/call")?;
        for Counted { nr, calls, errors, time } in self.by_time() {
            let name = table::entry(nr as u64).map_or("?", |entry| entry.name);
            let micros = time.as_secs_f64() * 1e6;
            #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
            let mean = micros / calls as f64;
            writeln!(to, "{calls:>12} {errors:>8} {micros:>12.0} {mean:>10.2}  {name}")?;
        }
        Ok(())
    }

    /// The calls that were made, the dearest first.
    fn by_time(&self) -> Vec<Counted> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counted = |(nr, count): (usize, &SyscallCount)| Counted {
            nr,
            calls: read(&count.calls),
            errors: read(&count.errors),
            time: Duration::from_nanos(read(&count.nanos)),
        };
        let all = self.syscalls.iter().enumerate().map(counted);
        let mut made: Vec<_> = all.filter(|count| count.calls != 0).collect();
        made.sort_by_key(|count| std::cmp::Reverse(count.time));
        made
    }
}

/// Index into [`CAUSES`].
fn cause(trap: &Trap) -> usize {
    match trap {
        Trap::BusError => 0,
        Trap::Exception { .. } => 1,
        Trap::Kicked => 2,
        Trap::PageFault { .. } => 3,
        Trap::Syscall => 4,
        Trap::Bad(_) => 5,
    }
}

fn seconds(time: nix::sys::time::TimeVal) -> f64 {
    use nix::sys::time::TimeValLike;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit")]
    let micros = time.num_microseconds() as f64;
    micros / 1e6
}
