//! Where a run is: how many calls and trapped instructions there were. Between two of these *events* one thread alone executes
//! user code, so an event and a place behind it are the same place in each run of the same program.

use std::sync::atomic::Ordering;

use nix::sys::stat::FileStat;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::board::{Board, Head, NR_STANDARD};
use super::schedule::Seat;

impl Board {
    /// A debugger may go back in the run, which has come to this event before: until then nothing is written to `files`.
    /// Times of files are told by when the first of the runs began (ns since 1970). To be called before anything runs.
    pub fn make_reversible(&self, quiet_until: u64, files: &[FileStat], began: Option<u64>) {
        self.set(Head::IsReversible, 1);
        self.set(Head::QuietUntil, quiet_until);
        for (index, file) in files.iter().take(NR_STANDARD).enumerate() {
            let [device, inode] = self.quiet_words(index);
            device.store(file.st_dev, Ordering::Relaxed);
            inode.store(file.st_ino, Ordering::Relaxed);
        }
        if let Some(began) = began {
            self.set(Head::Started, began);
        }
    }

    /// Are events counted?
    pub fn is_reversible(&self) -> bool {
        self.get(Head::IsReversible) != 0
    }

    /// Counts an event, by a thread with these registers, and returns its number.
    pub(in crate::proc) fn count_event(&self, seat: Seat, registers: &[u8]) -> u64 {
        let seed = self.get(Head::Digest) ^ u64::from(self.guest_tid(seat).unsigned_abs()).rotate_left(32);
        self.set(Head::Digest, xxh3_64_with_seed(registers, seed));
        self.count(Head::Events) + 1
    }

    /// How many events there were in the run.
    pub fn events_counted(&self) -> u64 {
        self.get(Head::Events)
    }

    /// Of all events, and the registers then.
    pub fn digest_of_events(&self) -> u64 {
        self.get(Head::Digest)
    }

    /// How many processes of the run live.
    pub fn nr_processes(&self) -> usize {
        let pids: std::collections::BTreeSet<i32> = self.taken().map(|seat| self.guest_pid(seat)).collect();
        pids.len()
    }

    /// Was what is written to this file now written before, in a run that came as far?
    pub fn is_quiet(&self, file: &FileStat) -> bool {
        self.get(Head::Events) <= self.get(Head::QuietUntil)
            && (0..NR_STANDARD).any(|index| {
                self.quiet_words(index).map(|word| word.load(Ordering::Relaxed)) == [file.st_dev, file.st_ino]
            })
    }

    /// Is anything quiet at present?
    pub fn has_quiet(&self) -> bool {
        self.get(Head::Events) <= self.get(Head::QuietUntil) && self.is_reversible()
    }
}
