//! The board of a deterministic run: memory that all its processes share, through fork(2) and execve(2).
//!
//! Who has the baton writes it, and nobody else but for what is said at the words; so there are no locks.

use std::fs::File;
use std::io::{self, stderr, stdin, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{FileStat, fstat};
use nix::time::{ClockId, clock_gettime};

use crate::proc::shared_memory::SharedMemory;

/// Most guest threads that a run can have at a time.
pub(super) const NR_SEATS: usize = 1024;
const SEAT_LEN: usize = 128;
const SEATS: usize = 4096;
/// Pairs of numbers of the host and of the guest, the newest in place of the oldest.
pub(super) const NR_IDS: usize = 8192;
const IDS: usize = SEATS + NR_SEATS * SEAT_LEN;
/// Files in the order in which the guest has seen them, as an open hash table: device, inode, number.
const NR_FILES: usize = 1 << 18;
const FILES: usize = IDS + NR_IDS * 16;
/// In the first page: files that nothing is written to for a while, as device and inode of each.
const QUIET: usize = 2048;
/// Behind them: files that the run was given to write to, likewise.
const GIVEN: usize = QUIET + NR_STANDARD * 16;
/// Standard descriptors, of which each may be another file.
pub(super) const NR_STANDARD: usize = 3;
pub(super) const BOARD_LEN: usize = FILES + NR_FILES * 24;

/// Words of the first page.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(super) enum Head {
    /// Virtual time since the start, in ns.
    Clock,
    /// State of the generator that decides who runs.
    Order,
    /// State of the generator that the guest's random bytes come from.
    Random,
    /// Seat of whoever has the baton, plus one. Taken by another if that one is dead.
    Holder,
    /// One behind the highest seat that was ever taken.
    SeatsUsed,
    /// Grows with each call that may have changed what others wait for.
    Progress,
    /// Grows with each signal that was sent.
    Signals,
    /// Grows each time that the baton passes a point where it could be handed on.
    Points,
    /// The host's number of a process that has handed the baton on and is about to be dead.
    Dying,
    /// Number of the next process or thread.
    NextId,
    /// Pairs of numbers that were ever noted.
    IdsNoted,
    /// Number of the next file.
    NextFile,
    /// Grows with each thread that begins to wait for a futex.
    Queue,
    /// The seat that spins, plus one, once somebody has noticed. Written without the baton.
    Spinning,
    /// Is the run over because a thread spun?
    IsEnded,
    /// When the run began, by the host's clock, in ns.
    Started,
    /// `Head::Progress` at the last pause in which nobody got on, and how long it was (us).
    IdleSince,
    Pause,
    /// How long all such pauses were together (us), since time or somebody has got on.
    Idled,
    /// Is it recorded what happens? How many events were; did one find no room?
    IsRecorded,
    Recorded,
    IsCutOff,
    /// The guest's number of processes that are nobody's children.
    Outside,
    /// Are threads that wait without a system call stepped?
    Steps,
    /// Does a debugger go back in the run? Then calls are counted, and a digest is kept of them.
    IsReversible,
    Events,
    Digest,
    /// Up to this event nothing is written to the quiet files.
    QuietUntil,
}

/// Words of a seat.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub(super) enum Word {
    State,
    /// 1: its thread has the baton and may go on. Taken by the thread.
    Baton,
    /// The host's numbers. Written by the thread, which may not have the baton yet.
    Pid,
    Tid,
    GuestPid,
    GuestTid,
    GuestParent,
    /// Virtual time when the wait ends, or `u64::MAX`.
    Deadline,
    /// `Head::Progress` or `Head::Signals` when the wait began.
    Seen,
    /// Does `Seen` hold `Head::Progress`?
    IsForProgress,
    /// The futex that it waits for, or 0.
    Futex,
    FutexMask,
    /// Place in the order of those that wait for a futex.
    FutexPlace,
    /// When the first timer of the process ends, in one of its seats; or `u64::MAX`.
    Timer,
    /// Seat, plus one, of the thread that sleeps until this one executes a program or exits (vfork(2)).
    VforkOf,
    /// Has the host call returned that was made without the baton? Written by the thread.
    HasReturned,
}

const _: () = assert!((Head::QuietUntil as usize + 1) * 8 <= QUIET);
const _: () = assert!((Word::HasReturned as usize + 1) * 8 <= SEAT_LEN);

/// The shared memory.
#[derive(Debug)]
pub struct Board {
    memory: SharedMemory,
}

impl Board {
    /// A new one, for a run that `seed` decides.
    pub fn new(seed: u64) -> io::Result<Self> {
        let board = Self { memory: SharedMemory::new(c"kvm-se deterministic", BOARD_LEN)? };
        let mut seeds = fastrand::Rng::with_seed(seed);
        board.set(Head::Order, seeds.u64(..));
        board.set(Head::Random, seeds.u64(..));
        board.set(Head::NextId, super::ids::FIRST);
        board.set(Head::NextFile, 1);
        board.set(Head::Outside, 1);
        // Files may have finer times than those that are changed next.
        board.set(Head::Started, time(ClockId::CLOCK_REALTIME));
        Ok(board)
    }

    /// Numbers of the first process, which is its group's as well, and of its parent. To be called before anything runs.
    pub fn set_first_ids(&self, first: u32, parent: u32) {
        self.set(Head::NextId, first.into());
        self.set(Head::Outside, parent.into());
        if let Ok(first) = i32::try_from(first) {
            self.note_id(nix::unistd::getpgrp().as_raw(), first);
        }
    }

    /// Threads that wait without a system call are stepped. To be called before anything runs.
    pub fn step_threads(&self) {
        self.set(Head::Steps, 1);
    }

    /// Are they?
    pub fn steps_threads(&self) -> bool {
        self.get(Head::Steps) != 0
    }

    /// The one behind `file`.
    pub fn open(file: File) -> io::Result<Self> {
        Ok(Self { memory: SharedMemory::open(file, BOARD_LEN)? })
    }

    /// What it is made of.
    pub(in crate::proc) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    pub(super) fn get(&self, word: Head) -> u64 {
        self.word(word as usize * 8).load(Ordering::Acquire)
    }

    pub(super) fn set(&self, word: Head, value: u64) {
        self.word(word as usize * 8).store(value, Ordering::Release);
    }

    /// Adds one, and returns what it was.
    pub(super) fn count(&self, word: Head) -> u64 {
        let before = self.get(word);
        self.set(word, before + 1);
        before
    }

    pub(super) fn exchange(&self, word: Head, from: u64, to: u64) -> bool {
        self.word(word as usize * 8).compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Device and inode of a file that nothing is written to for a while.
    pub(super) fn quiet_words(&self, index: usize) -> [&AtomicU64; 2] {
        [0, 8].map(|at| self.word(QUIET + index * 16 + at))
    }

    /// Device and inode of a file that the run was given to write to.
    fn given_words(&self, index: usize) -> [&AtomicU64; 2] {
        [0, 8].map(|at| self.word(GIVEN + index * 16 + at))
    }

    pub(super) fn seat_word(&self, seat: usize, word: Word) -> &AtomicU64 {
        self.word(SEATS + seat * SEAT_LEN + word as usize * 8)
    }

    /// Where the word is, for the host kernel (HVA).
    pub(super) fn place_of(&self, seat: usize, word: Word) -> u64 {
        self.memory.hva(SEATS + seat * SEAT_LEN + word as usize * 8)
    }

    pub(super) fn id_words(&self, index: usize) -> [&AtomicU64; 2] {
        [self.word(IDS + index * 16), self.word(IDS + index * 16 + 8)]
    }

    /// Random bytes of the run.
    pub fn fill_random(&self, to: &mut [u8]) {
        let mut random = fastrand::Rng::with_seed(self.get(Head::Random));
        random.fill(to);
        self.set(Head::Random, random.get_seed());
    }

    /// A number below `end` that decides about the order of threads.
    pub(super) fn draw(&self, end: usize) -> usize {
        let mut random = fastrand::Rng::with_seed(self.get(Head::Order));
        let drawn = random.usize(..end);
        self.set(Head::Order, random.get_seed());
        drawn
    }

    /// The number that stands for the file `inode` of `device`: files are counted as the guest sees them. 0 when there
    /// are too many.
    pub fn file_number(&self, device: u64, inode: u64) -> u64 {
        let first = (device.rotate_left(32) ^ inode).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 46;
        for index in (0..NR_FILES).map(|step| (usize::try_from(first).unwrap_or(0) + step) % NR_FILES) {
            let [known_device, known_inode, number] = [0, 8, 16].map(|at| self.word(FILES + index * 24 + at));
            let known = number.load(Ordering::Acquire);
            if known == 0 {
                known_device.store(device, Ordering::Relaxed);
                known_inode.store(inode, Ordering::Relaxed);
                let new = self.count(Head::NextFile);
                number.store(new, Ordering::Release);
                return new;
            }
            if known_device.load(Ordering::Relaxed) == device && known_inode.load(Ordering::Relaxed) == inode {
                return known;
            }
        }
        0
    }

    /// When the run began, by the host's clock (ns since 1970): times of files that it changes are later.
    pub fn started(&self) -> u64 {
        self.get(Head::Started)
    }

    /// Returns when they would be. That clock goes on by some milliseconds at once.
    pub(super) fn wait_for_file_times(&self) {
        // Somebody may set it back.
        for _ in 0..20 {
            if time(ClockId::CLOCK_REALTIME_COARSE) > self.started() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Notes which of the standard descriptors are for writing to a file on a disk: as a rule, one that was made for this run.
    pub(super) fn note_given(&self) {
        let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
        let files = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()].into_iter().filter_map(file_to_write);
        for (index, file) in files.enumerate() {
            let [device, inode] = self.given_words(index);
            device.store(file.st_dev, Ordering::Relaxed);
            inode.store(file.st_ino, Ordering::Relaxed);
        }
    }

    /// Is it one of them?
    pub fn is_given(&self, device: u64, inode: u64) -> bool {
        (0..NR_STANDARD)
            .any(|index| self.given_words(index).map(|word| word.load(Ordering::Relaxed)) == [device, inode])
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        self.memory.word(offset)
    }
}

/// By the host's clock (ns since 1970). Files that are changed get the coarse one's time, or a finer one.
fn time(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.map_or(0, |now| now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs())
}

fn file_to_write(file: BorrowedFd<'_>) -> Option<FileStat> {
    let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL).ok()?);
    let is_open = flags.intersects(OFlag::O_WRONLY | OFlag::O_RDWR);
    let is_on_disk = |stat: &FileStat| stat.st_mode & libc::S_IFMT == libc::S_IFREG;
    fstat(file).ok().filter(|stat| is_open && is_on_disk(stat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let bytes = |seed| {
            let board = Board::new(seed).unwrap();
            let mut bytes = [0; 24];
            board.fill_random(&mut bytes);
            (bytes, (0..20).map(|_| board.draw(100)).collect::<Vec<_>>())
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn files_are_numbered_as_they_are_seen() {
        let board = Board::new(0).unwrap();
        assert_eq!([(7, 900), (7, 3), (8, 900), (7, 900)].map(|(dev, ino)| board.file_number(dev, ino)), [1, 2, 3, 1]);
    }
}
