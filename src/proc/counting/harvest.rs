//! Counting threads in that have ended, and all others when it is asked for.

use std::collections::BTreeMap;

use nix::errno::Errno;

use super::counters::{Counters, Phase, Slot};
use super::totals::Counts;
use crate::sys;

/// Threads and processes beyond this many are counted in together, under the number 0.
const MOST: usize = 10_000;

/// A thread of a process.
#[derive(Clone, Debug, Default)]
pub struct ThreadTotals {
    /// Its id; 0 stands for several.
    pub tid: u32,
    /// Its name, or names of programs that one after another ran in it: the last one.
    pub name: Vec<u8>,
    /// What it did.
    pub counts: Counts,
}

/// A process.
#[derive(Clone, Debug, Default)]
pub struct ProcessTotals {
    /// Its id; 0 stands for several.
    pub pid: u32,
    /// The name of its first thread.
    pub name: Vec<u8>,
    /// What it did.
    pub counts: Counts,
    /// Its threads, in the order of their ids.
    pub threads: Vec<ThreadTotals>,
    /// Does it live still?
    pub is_alive: bool,
}

/// What is known of a thread.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Number of its last slot.
    serial: u64,
    name: Vec<u8>,
    counts: Counts,
    is_alive: bool,
}

/// Process (number and birth) and thread.
type Key = (u32, u64, u32);

/// The sums so far.
#[derive(Debug, Default)]
pub struct Harvest {
    epoch: u64,
    ended: BTreeMap<Key, Known>,
}

impl Harvest {
    /// Counts in what has ended, and lets others have its slots; with `sees_zombies`, what was killed and not waited for
    /// as well. `before` gets each slot first.
    pub fn collect(&mut self, counters: &Counters, sees_zombies: bool, mut before: impl FnMut(&Slot<'_>)) {
        self.follow_reset(counters);
        for slot in counters.slots().filter(|slot| matches!(slot.phase(), Phase::Live | Phase::Closed)) {
            if slot.phase() == Phase::Live && (is_gone(&slot) || sees_zombies && is_zombie(&slot)) {
                slot.close();
            }
            // One that ends from here on is the next look's.
            let is_closed = slot.phase() == Phase::Closed;
            before(&slot);
            if is_closed {
                let key = self.key(&slot);
                add(&mut self.ended, key, &slot);
                // Where holes cannot be made it is not used again.
                let _ = slot.free();
            }
        }
    }

    /// All sums, those of threads that live included.
    pub fn processes(&mut self, counters: &Counters) -> Vec<ProcessTotals> {
        self.follow_reset(counters);
        let mut all = self.ended.clone();
        for slot in counters.slots().filter(|slot| matches!(slot.phase(), Phase::Live | Phase::Closed)) {
            let key = self.key(&slot);
            add(&mut all, key, &slot);
        }
        let mut processes: Vec<(u64, ProcessTotals)> = Vec::new();
        for ((pid, born, tid), known) in all {
            if processes.last().is_none_or(|(other, process)| (process.pid, *other) != (pid, born)) {
                processes.push((born, ProcessTotals { pid, ..ProcessTotals::default() }));
            }
            let Some((_, process)) = processes.last_mut() else { continue };
            if tid == pid || process.name.is_empty() {
                process.name.clone_from(&known.name);
            }
            process.is_alive |= known.is_alive;
            process.counts.merge(&known.counts);
            process.threads.push(ThreadTotals { tid, name: known.name, counts: known.counts });
        }
        // By birth, which the order of numbers is not when they begin anew.
        processes.sort_by_key(|(born, process)| (process.pid == 0, *born, process.pid));
        processes.into_iter().map(|(_, process)| process).collect()
    }

    fn follow_reset(&mut self, counters: &Counters) {
        let epoch = counters.epoch();
        if epoch != self.epoch {
            *self = Self { epoch, ..Self::default() };
        }
    }

    /// Where the thread of `slot` is counted.
    fn key(&self, slot: &Slot<'_>) -> Key {
        let key = (slot.pid().as_raw().unsigned_abs(), slot.born(), slot.tid().as_raw().unsigned_abs());
        if self.ended.len() < MOST || self.ended.contains_key(&key) { key } else { (0, 0, 0) }
    }
}

fn add(to: &mut BTreeMap<Key, Known>, key: Key, slot: &Slot<'_>) {
    let counts = slot.counts();
    if counts.lifetime == 0 && slot.phase() == Phase::Closed {
        // It ended before the counters were set to zero.
        return;
    }
    let known = to.entry(key).or_default();
    known.counts.merge(&counts);
    known.is_alive |= slot.phase() == Phase::Live;
    if key.0 != 0 && slot.serial() >= known.serial {
        (known.serial, known.name) = (slot.serial(), slot.name());
    }
}

/// Was the thread killed, or has its process executed another program?
fn is_gone(slot: &Slot<'_>) -> bool {
    sys::tgkill(slot.pid(), slot.tid(), 0) == Err(Errno::ESRCH)
}

/// Is it dead, though nobody has waited for it yet?
fn is_zombie(slot: &Slot<'_>) -> bool {
    let stat = std::fs::read(format!("/proc/{}/task/{}/stat", slot.pid(), slot.tid())).unwrap_or_default();
    // The name before it may hold anything.
    let state = stat.iter().rposition(|&byte| byte == b')').and_then(|at| stat.get(at + 2));
    matches!(state, Some(b'Z' | b'X'))
}

#[cfg(test)]
mod tests {
    use nix::unistd::{Pid, getpid, gettid};

    use super::super::counters::State;
    use super::*;

    /// No thread has this number.
    const NOBODY: Pid = Pid::from_raw(i32::MAX);

    fn counts_of(harvest: &mut Harvest, counters: &Counters) -> Vec<(u32, u64)> {
        harvest.processes(counters).iter().map(|process| (process.pid, process.counts.nr_calls())).collect()
    }

    #[test]
    fn who_is_gone_is_counted_in_once_and_its_slot_is_used_again() {
        let counters = Counters::new(false).unwrap();
        let own = getpid().as_raw().unsigned_abs();
        let mut harvest = Harvest::default();
        let live = counters.take_slot(getpid(), gettid(), 1).unwrap();
        let killed = counters.take_slot(NOBODY, NOBODY, 2).unwrap();
        counters.slot(live).add_call(1, 5, false);
        counters.slot(killed).add_call(1, 5, true);
        // Killed in a call: that counts.
        counters.slot(killed).enter(State::Syscall(34), counters.now());
        for _ in 0..2 {
            harvest.collect(&counters, true, |_| ());
            assert_eq!(counts_of(&mut harvest, &counters), [(own, 1), (i32::MAX.unsigned_abs(), 2)]);
        }
        let processes = harvest.processes(&counters);
        assert_eq!((processes[0].is_alive, processes[1].is_alive), (true, false));
        assert_eq!(processes[1].counts.calls[&1].errors, 1);
        assert_eq!(counters.take_slot(getpid(), NOBODY, 1), Some(killed));
        assert_eq!(counters.slot(killed).counts().nr_calls(), 0);
    }

    #[test]
    fn a_reset_forgets_ended_and_living_threads() {
        let counters = Counters::new(false).unwrap();
        let mut harvest = Harvest::default();
        let live = counters.take_slot(getpid(), gettid(), 1).unwrap();
        let ended = counters.take_slot(NOBODY, NOBODY, 2).unwrap();
        [live, ended].iter().for_each(|&slot| counters.slot(slot).add_call(7, 5, false));
        counters.slot(ended).close();
        harvest.collect(&counters, true, |_| ());
        counters.reset();
        let slot = counters.slot(live);
        assert_eq!(slot.counts().nr_calls(), 0, "though it knows of nothing yet");
        assert_eq!(counts_of(&mut harvest, &counters).len(), 1);
        slot.follow_reset();
        slot.add_call(7, 6, false);
        assert_eq!((slot.counts().calls[&7].time, slot.counts().calls[&7].p99()), (6, 6));
        assert!(slot.counts().lifetime < counters.now() - counters.reset_at() + 1);
    }
}
