//! The process that was started as `kvm-se stat` waits for its child, and counts in threads of the run as they end. As a
//! thread of the recorder's it writes a timeline alone.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::unistd::Pid;

use super::pmu::Counting;
use super::text::call_name;
use super::timeline::{Timeline, TimelineFile};
use super::{Report, Snapshot, Subject};
use crate::proc::counting::{Counters, Harvest, Phase};
use crate::profile::memory::Memory;
use crate::profile::recorder::{ended, pass_on, take_over_signals};
use crate::vm::doctor::exit_costs;
use crate::vm::landing::ANSWERED_INSIDE;

/// Between two looks at the counters. A slot holds as many events as a thread may have in that time.
const INTERVAL: Duration = Duration::from_millis(10);
const INTERVAL_OF_TIMELINE: Duration = Duration::from_millis(1);

/// What counts ended threads in.
#[derive(Debug)]
pub struct Collector {
    counters: Arc<Counters>,
    harvest: Harvest,
    timeline: Option<Timeline>,
    dumps: Vec<Snapshot>,
    looks: u64,
}

impl Collector {
    /// Of what is counted in `counters`.
    pub fn new(counters: Arc<Counters>, timeline: Option<TimelineFile>) -> Self {
        let timeline = timeline.map(|file| file.begin(counters.reset_at()));
        Self { counters, harvest: Harvest::default(), timeline, dumps: Vec::new(), looks: 0 }
    }

    fn interval(&self) -> Duration {
        if self.timeline.is_some() { INTERVAL_OF_TIMELINE } else { INTERVAL }
    }

    /// `is_last` when the run is over.
    fn look(&mut self, is_last: bool) {
        /// Whether threads live that were killed and not waited for is not asked each time.
        const LOOKS_AT_ZOMBIES: u64 = 16;
        self.looks += 1;
        let sees_zombies = is_last || self.looks.is_multiple_of(LOOKS_AT_ZOMBIES);
        let Self { counters, harvest, timeline, .. } = self;
        harvest.collect(counters, sees_zombies, |slot| {
            if let Some(timeline) = timeline {
                let is_closed = slot.phase() == Phase::Closed;
                timeline.take(slot);
                if is_closed {
                    timeline.forget(slot);
                }
            }
        });
        if let Some(timeline) = timeline {
            timeline.write_old();
        }
        for _ in self.counters.nr_dumps_made()..self.counters.nr_dumps_wanted() {
            let snapshot = self.snapshot();
            self.dumps.push(snapshot);
            self.counters.note_dump();
        }
    }

    /// The counters as they are.
    fn snapshot(&mut self) -> Snapshot {
        let wall = self.counters.now().saturating_sub(self.counters.reset_at());
        Snapshot { wall, processes: self.harvest.processes(&self.counters) }
    }

    /// Ends the timeline, if there is one; returns how many events are not on it.
    fn finish_timeline(mut self) -> io::Result<u64> {
        self.timeline.take().map_or(Ok(()), Timeline::finish)?;
        Ok(self.counters.lost_events())
    }

    /// Counts until the process `child` ends, which the calling one has just made. Signals that are sent to the caller go to
    /// the child. Returns, too, how many events are not on the timeline, or why there is none.
    ///
    /// # Errors
    /// When the child cannot be waited for.
    pub fn run(mut self, child: Pid, subject: Subject, hardware: Counting) -> io::Result<(Report, io::Result<u64>)> {
        let signals = take_over_signals()?;
        let status = loop {
            if let Some(status) = ended(child)? {
                break status;
            }
            pass_on(&signals, child);
            self.look(false);
            let interval = u16::try_from(self.interval().as_millis()).unwrap_or(1);
            // It wakes up as soon as the child ends.
            let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], interval);
        };
        self.look(true);
        let whole = self.snapshot();
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        let switches =
            |usage: Usage| (number(usage.voluntary_context_switches()), number(usage.involuntary_context_switches()));
        let report = Report {
            not_counted: if subject.is_traced { Vec::new() } else { answered_inside() },
            command: subject.command,
            status,
            whole,
            context_switches: usage.map(switches),
            peak_memory: usage.map_or(0, |usage| number(usage.max_rss()) * 1024),
            hardware: hardware.end(),
            exit_costs: exit_costs(),
            lost_threads: self.counters.lost(),
            dumps: std::mem::take(&mut self.dumps),
        };
        Ok((report, self.finish_timeline()))
    }
}

/// A collector that works beside something else, and writes a timeline.
#[derive(Debug)]
pub struct Background {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Collector>,
}

impl Background {
    /// Starts it.
    pub fn start(collector: Collector) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let end = is_over.clone();
        let thread = std::thread::spawn(move || {
            // They are the recorder's.
            let _ = nix::sys::signal::SigSet::all().thread_block();
            let mut collector = collector;
            while !end.load(Ordering::Acquire) {
                collector.look(false);
                std::thread::sleep(collector.interval());
            }
            collector
        });
        Self { is_over, thread }
    }

    /// Ends it when the run is over, in which `memory` was used. Returns how many events were lost.
    ///
    /// # Errors
    /// When the timeline could not be written.
    pub fn finish(self, memory: &Memory) -> io::Result<u64> {
        self.is_over.store(true, Ordering::Release);
        let mut collector = self.thread.join().map_err(|_| io::Error::other("the timeline's thread"))?;
        collector.look(true);
        if let Some(timeline) = &mut collector.timeline {
            timeline.add_memory(memory);
        }
        collector.finish_timeline()
    }
}

/// Names of the calls that the guest may answer.
fn answered_inside() -> Vec<&'static str> {
    ANSWERED_INSIDE.iter().filter_map(|nr| Some(call_name(u32::try_from(*nr).ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use nix::unistd::{getpid, gettid};

    use super::*;

    #[test]
    fn a_snapshot_that_is_asked_for_is_taken_once() {
        let counters = Arc::new(Counters::new(false).unwrap());
        counters.take_slot(getpid(), gettid(), 1).unwrap();
        let mut collector = Collector::new(counters.clone(), None);
        collector.look(false);
        assert!(collector.dumps.is_empty());
        let number = counters.want_dump();
        collector.look(false);
        collector.look(true);
        assert_eq!((collector.dumps.len(), counters.nr_dumps_made()), (1, number));
        assert_eq!(collector.dumps[0].processes[0].pid, getpid().as_raw().unsigned_abs());
    }
}
