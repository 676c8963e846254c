//! Numbers of processes and threads as the guest sees them: given out in order, whatever the host's are.

use std::sync::atomic::Ordering;

use super::Board;
use super::board::{Head, NR_IDS};

/// The first process.
pub(super) const FIRST: u64 = 1000;
/// Numbers of processes outside, as the guest comes to know of them, count down from here.
const OUTSIDE: i32 = 999;
/// A number that no process of the host has (`PID_MAX_LIMIT` is 4 Mi).
const NOBODY: i32 = i32::MAX - 1;

impl Board {
    /// A number for a new process or thread.
    pub(super) fn next_id(&self) -> i32 {
        i32::try_from(self.count(Head::NextId)).unwrap_or(NOBODY)
    }

    /// Notes that `guest` is the host's `host`.
    pub fn note_id(&self, host: i32, guest: i32) {
        let index = usize::try_from(self.count(Head::IdsNoted)).unwrap_or(0) % NR_IDS;
        for (word, value) in self.id_words(index).into_iter().zip([host, guest]) {
            word.store(u64::from(value.unsigned_abs()), Ordering::Release);
        }
    }

    /// The host's number of what the guest calls `guest`; 0 and numbers below stay what they mean (kill(2)).
    pub fn host_id(&self, guest: i32) -> i32 {
        match guest {
            0 | -1 => guest,
            ..0 => -self.host_id(guest.checked_neg().unwrap_or(NOBODY)),
            _ => self.pairs().find(|&(_, known)| known == guest).map_or(NOBODY, |(host, _)| host),
        }
    }

    /// The guest's number of what the host calls `host`. What is outside of the run gets one when it is first seen.
    pub fn guest_id(&self, host: i32) -> i32 {
        if host <= 0 {
            return host;
        }
        if let Some((_, guest)) = self.pairs().find(|&(known, _)| known == host) {
            return guest;
        }
        let outside = self.pairs().filter(|&(_, guest)| guest <= OUTSIDE).count();
        let guest = (OUTSIDE - i32::try_from(outside).unwrap_or(0)).max(2);
        self.note_id(host, guest);
        guest
    }

    /// The newest first: the host may give a number again.
    fn pairs(&self) -> impl Iterator<Item = (i32, i32)> {
        let noted = usize::try_from(self.get(Head::IdsNoted)).unwrap_or(0);
        (noted.saturating_sub(NR_IDS)..noted).rev().map(|index| {
            let [host, guest] = self.id_words(index % NR_IDS).map(|word| word.load(Ordering::Acquire));
            (i32::try_from(host).unwrap_or(0), i32::try_from(guest).unwrap_or(0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_both_ways() {
        let board = Board::new(0).unwrap();
        let first = board.next_id();
        board.note_id(5555, first);
        board.note_id(77, board.next_id());
        assert_eq!([board.guest_id(5555), board.guest_id(77)], [1000, 1001]);
        assert_eq!([1001, -1000, 0, -1, 31337].map(|id| board.host_id(id)), [77, -5555, 0, -1, NOBODY]);
        assert_eq!([board.guest_id(4), board.guest_id(5), board.guest_id(4)], [999, 998, 999]);
        board.note_id(77, 2000);
        assert_eq!(board.guest_id(77), 2000, "the host gave it again");
    }
}
