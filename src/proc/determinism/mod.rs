//! Deterministic runs: what the program can see depends on its inputs and on a seed alone.
//!
//! All guest threads of a run, those of all its processes, take turns: one has the *baton* and runs, the others wait for
//! it ([`schedule`]). Whatever they share is on one board ([`board`]), which nobody but the holder of the baton writes.

pub mod board;
pub mod clock;
pub mod events;
mod ids;
pub mod record;
pub mod schedule;
pub mod timers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use board::Board;
pub use schedule::{Seat, Wait};
pub use timers::{Timer, TimerKind, Timers};

use crate::abi::UserAddr;
use crate::mm::AddressSpace;
use crate::mm::vma::Backing;

/// What a process of a deterministic run has of its own.
#[derive(Debug)]
pub struct Determinism {
    board: Arc<Board>,
    /// What futexes in private memory are told apart by: the guest's number of the process that the memory was made for.
    memory: u64,
    timers: Mutex<Timers>,
    /// What directories held when they were read from the start, by descriptor.
    folders: Mutex<BTreeMap<i32, Vec<FolderEntry>>>,
}

/// Name, number and kind of an entry, as the guest sees them.
pub type FolderEntry = (Vec<u8>, u64, u8);

impl Determinism {
    /// For the process whose first thread has `seat`, with the timers that it had set before an execve(2).
    pub fn new(board: Arc<Board>, seat: Seat, timers: Timers) -> Self {
        board.set_timer(seat, timers.next_deadline());
        let memory = u64::from(board.guest_pid(seat).unsigned_abs());
        Self { board, memory, timers: Mutex::new(timers), folders: Mutex::default() }
    }

    /// For a process that shares the memory.
    pub fn sharing_memory(&self) -> Self {
        Self { board: self.board.clone(), memory: self.memory, timers: Mutex::default(), folders: Mutex::default() }
    }

    /// What all processes of the run share.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The process's timers.
    pub fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries of directories that are being read, in order.
    pub fn folders(&self) -> MutexGuard<'_, BTreeMap<i32, Vec<FolderEntry>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tells the futex at `addr` from others, in all processes (`get_futex_key` in the kernel's
    /// `kernel/futex/core.c`).
    pub fn futex_key(&self, mm: &AddressSpace, addr: UserAddr) -> u64 {
        let (kind, object, offset) = match mm.backing_at(addr) {
            Some((Backing::File { file, .. }, at)) => (1, file.ino ^ file.dev << 48, at),
            Some((Backing::SharedAnonymous { object, .. }, at)) => (2, object.0, at),
            _ => (0, self.memory, addr.raw()),
        };
        let mixed = [kind, object, offset].into_iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, word| {
            (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        mixed | 1
    }
}
