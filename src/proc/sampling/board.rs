//! The board: memory that the recorder shares with all processes of a run, through fork(2) and execve(2).
//!
//! It holds a *slot* for each guest thread, in which the thread says what it does and leaves its samples, and a *log*, a
//! ring, of what the recorder must know to read them. There are no locks: a process may be killed anywhere.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::unistd::Pid;

use crate::abi::PAGE_SIZE;
use crate::mm::AddressSpace;
use crate::proc::shared_memory::{SharedMemory, pid_namespace};
use crate::sys::call::{wait_futex, wake_futex};
use crate::sys::capture;

/// Most bytes of a stack that a sample holds.
pub const STACK_LEN: usize = 64 << 10;
/// Bytes of a thread's name, with its NUL (`TASK_COMM_LEN`).
const NAME_LEN: usize = 16;

const PAGE: usize = 4096;
const _: () = assert!(PAGE as u64 == PAGE_SIZE);
const NR_SLOTS: usize = 2048;
const SLOT_LEN: usize = PAGE + STACK_LEN;
const LOG: usize = PAGE + NR_SLOTS * SLOT_LEN;
const CELL_LEN: usize = 64;
/// Bytes of a cell that are a record's: the first eight say what the cell is.
const CELL_ROOM: usize = CELL_LEN - 8;
/// Far more than what is written between two looks of the recorder.
const NR_CELLS: usize = 1 << 18;
const BOARD_LEN: usize = LOG + NR_CELLS * CELL_LEN;
/// What the first word of a cell is: in the lower half this, in the upper half the bytes of the record.
const FIRST: u64 = 1;
const NEXT: u64 = 2;

/// Words of the first page.
mod head {
    pub(super) const NEXT_NUMBER: usize = 8;
    /// One behind the highest slot that was ever taken.
    pub(super) const SLOTS_USED: usize = 16;
    /// Cells of the log that were taken, from the start of the run on.
    pub(super) const LOG_TAIL: usize = 24;
    /// Of those, how many were read, and are free again.
    pub(super) const LOG_HEAD: usize = 80;
    /// Are threads that sleep sampled, too?
    pub(super) const IS_WALL: usize = 32;
    /// Are page faults sampled, and nothing else?
    pub(super) const IS_FAULTS: usize = 64;
    /// Grows with each page fault; a futex.
    pub(super) const DOORBELL: usize = 72;
    /// Threads that got no slot, and records that got no cells.
    pub(super) const LOST: usize = 40;
    /// Pid namespace of the recorder.
    pub(super) const NAMESPACE: usize = 48;
    /// How often memory was to be measured, counted from 1; 0 if it never is.
    pub(super) const MEASUREMENTS: usize = 56;
}

/// Words of a slot.
mod word {
    pub(super) const PHASE: usize = 0;
    pub(super) const IS_SENDING: usize = 8;
    pub(super) const IS_WANTED: usize = 16;
    pub(super) const IS_FULL: usize = 24;
    pub(super) const SERIAL: usize = 32;
    pub(super) const PID: usize = 40;
    pub(super) const TID: usize = 48;
    pub(super) const IMAGE: usize = 56;
    /// Grows with each [`super::Activity`], of which there are four words behind it.
    pub(super) const COUNT: usize = 64;
    pub(super) const ACTIVITY: usize = 72;
    pub(super) const STACK_HVA: usize = 104;
    pub(super) const TIME: usize = 128;
    pub(super) const CPU: usize = 136;
    pub(super) const SAMPLE: usize = 144;
    pub(super) const STACK_LEN: usize = 176;
    pub(super) const NAME: usize = 184;
    pub(super) const REGION_TIME: usize = 200;
}

/// Where the cell `at` of the log is.
fn cell(at: u64) -> usize {
    LOG + usize::try_from(at % NR_CELLS as u64).unwrap_or(0) * CELL_LEN
}

/// What a slot's thread does, as far as the recorder must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// There is no thread.
    Free,
    /// One is about to be there.
    Taken,
    /// It is in the runner.
    Host,
    /// It is in guest mode, or nearly.
    Guest,
    /// The same, and a kick is on its way.
    Kicked,
    /// It has ended.
    Closed,
}

impl Phase {
    fn of(word: u64) -> Self {
        [Self::Free, Self::Taken, Self::Host, Self::Guest, Self::Kicked]
            .into_iter()
            .find(|phase| *phase as u64 == word)
            .unwrap_or(Self::Closed)
    }
}

/// Why a thread is not in user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// It is.
    User,
    /// The system call of this number.
    Syscall(u32),
    /// A page fault.
    PageFault,
    /// An exception, or another exit.
    Other,
}

impl Cause {
    fn to_word(self) -> u64 {
        match self {
            Self::User => 0,
            Self::Syscall(nr) => 1 << 32 | u64::from(nr),
            Self::PageFault => 2 << 32,
            Self::Other => 3 << 32,
        }
    }

    fn of(word: u64) -> Self {
        match word >> 32 {
            0 => Self::User,
            1 => Self::Syscall(u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0)),
            2 => Self::PageFault,
            _ => Self::Other,
        }
    }
}

/// Where user code is, and why it does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Why it does not run.
    pub cause: Cause,
    /// Instruction pointer (GVA).
    pub rip: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Frame pointer, if it is one.
    pub rbp: u64,
}

impl Activity {
    fn words(&self) -> [u64; 4] {
        [self.cause.to_word(), self.rip, self.rsp, self.rbp]
    }

    fn of([cause, rip, rsp, rbp]: [u64; 4]) -> Self {
        Self { cause: Cause::of(cause), rip, rsp, rbp }
    }
}

/// A sample as its thread left it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When (CLOCK_MONOTONIC, ns).
    pub time: u64,
    /// The time of the region of interest then ([`Region::time`](crate::proc::region::Region::time)); without one, `time`.
    pub region_time: u64,
    /// Processor time of the thread in the region since its last sample, in ns.
    pub cpu: u64,
    /// Where it was.
    pub at: Activity,
    /// The stack from `rsp` on.
    pub stack: Vec<u8>,
    /// The thread's name.
    pub name: Vec<u8>,
}

/// The shared memory.
#[derive(Debug)]
pub struct Board {
    memory: SharedMemory,
}

impl Board {
    /// A new one. `is_wall` if threads that sleep are sampled, too.
    pub fn new(is_wall: bool) -> io::Result<Self> {
        let board = Self { memory: SharedMemory::new(c"kvm-se profile", BOARD_LEN)? };
        board.word(head::IS_WALL).store(is_wall.into(), Ordering::Relaxed);
        board.word(head::NAMESPACE).store(pid_namespace(), Ordering::Relaxed);
        Ok(board)
    }

    /// The one behind `file`.
    pub fn open(file: File) -> io::Result<Self> {
        Ok(Self { memory: SharedMemory::open(file, BOARD_LEN)? })
    }

    /// What it is made of.
    pub(in crate::proc) fn memory(&self) -> &SharedMemory {
        &self.memory
    }

    /// A new one, for which each page fault is a sample.
    pub fn of_faults() -> io::Result<Self> {
        let board = Self::new(false)?;
        board.word(head::IS_FAULTS).store(1, Ordering::Relaxed);
        Ok(board)
    }

    /// Is each page fault a sample, and nothing else?
    pub fn is_of_faults(&self) -> bool {
        self.word(head::IS_FAULTS).load(Ordering::Relaxed) != 0
    }

    /// How often the doorbell was rung.
    pub fn doorbell(&self) -> u64 {
        self.word(head::DOORBELL).load(Ordering::Acquire)
    }

    /// Waits until the doorbell has been rung more often than `times`, for as long as `most`.
    pub fn wait_for_doorbell(&self, times: u64, most: Duration) {
        #[expect(clippy::cast_possible_truncation, reason = "a futex is the lower half of the word")]
        wait_futex(self.memory.hva(head::DOORBELL), times as u32, most);
    }

    /// Are threads that sleep sampled, too?
    pub fn is_wall(&self) -> bool {
        self.word(head::IS_WALL).load(Ordering::Relaxed) != 0
    }

    /// Has each process measure how it uses its memory: now, and as often as this is called again. The first call comes
    /// before the run.
    pub fn want_measurement(&self) {
        self.word(head::MEASUREMENTS).fetch_add(1, Ordering::Relaxed);
    }

    /// Is memory measured?
    pub fn wants_memory(&self) -> bool {
        self.measurements() > 0
    }

    /// Has memory in which nothing is mapped yet track what is to be known of it.
    pub fn prepare(&self, mm: &AddressSpace) {
        if self.is_of_faults() {
            mm.track_first_use();
        } else if self.wants_memory() {
            mm.track_use();
        }
    }

    /// How often a measurement was wanted.
    pub(super) fn measurements(&self) -> u64 {
        self.word(head::MEASUREMENTS).load(Ordering::Relaxed)
    }

    /// Can the recorder reach the calling process by its number?
    pub(super) fn is_in_reach(&self) -> bool {
        pid_namespace() == self.word(head::NAMESPACE).load(Ordering::Relaxed)
    }

    /// A number that nothing else in the run has.
    pub(super) fn next_number(&self) -> u64 {
        self.word(head::NEXT_NUMBER).fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many threads and records found no room.
    pub fn lost(&self) -> u64 {
        self.word(head::LOST).load(Ordering::Relaxed)
    }

    pub(super) fn note_lost(&self) {
        self.word(head::LOST).fetch_add(1, Ordering::Relaxed);
    }

    /// All slots that were ever taken.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        let used = self.word(head::SLOTS_USED).load(Ordering::Acquire);
        (0..NR_SLOTS.min(usize::try_from(used).unwrap_or(NR_SLOTS))).map(|index| self.slot(index))
    }

    pub(super) fn slot(&self, index: usize) -> Slot<'_> {
        Slot { board: self, base: PAGE + index * SLOT_LEN }
    }

    /// Takes a slot for the thread `tid` of `pid`, whose memory is that of `image`.
    pub(super) fn take_slot(&self, pid: Pid, tid: Pid, image: u64) -> Option<usize> {
        let is_taken = |index: &usize| self.slot(*index).change(Phase::Free, Phase::Taken);
        let Some(index) = (0..NR_SLOTS).find(is_taken) else {
            self.note_lost();
            return None;
        };
        self.word(head::SLOTS_USED).fetch_max(index as u64 + 1, Ordering::AcqRel);
        let slot = self.slot(index);
        for (at, value) in [
            (word::IS_SENDING, 0),
            (word::IS_WANTED, 0),
            (word::IS_FULL, 0),
            (word::SERIAL, self.next_number()),
            (word::PID, u64::from(pid.as_raw().unsigned_abs())),
            (word::TID, u64::from(tid.as_raw().unsigned_abs())),
            (word::IMAGE, image),
        ] {
            slot.word(at).store(value, Ordering::Relaxed);
        }
        slot.word(word::PHASE).store(Phase::Host as u64, Ordering::Release);
        Some(index)
    }

    /// Appends a record, which is not empty, to the log.
    pub(super) fn log(&self, record: &[u8]) {
        let nr_cells = record.len().div_ceil(CELL_ROOM);
        let take = |tail: u64| {
            let read = self.word(head::LOG_HEAD).load(Ordering::Acquire);
            let end = tail + nr_cells as u64;
            (end.saturating_sub(read) <= NR_CELLS as u64).then_some(end)
        };
        let Ok(first) = self.word(head::LOG_TAIL).fetch_update(Ordering::AcqRel, Ordering::Relaxed, take) else {
            return self.note_lost();
        };
        // What the first cell says makes the record one; so it comes last.
        for (at, part) in (first..).zip(record.chunks(CELL_ROOM)).collect::<Vec<_>>().into_iter().rev() {
            self.memory.write(cell(at) + 8, part);
            let kind = if at == first { (record.len() as u64) << 32 | FIRST } else { NEXT };
            self.word(cell(at)).store(kind, Ordering::Release);
        }
    }

    /// Takes the record at the cell `at` of the log, where the one before it ended, and says where it ends. `None` at the end, or at a record
    /// that is being written; if that `is_given_up`, it is passed by.
    pub fn read_log(&self, mut at: u64, is_given_up: bool) -> Option<(Vec<u8>, u64)> {
        let tail = self.log_end();
        while at < tail {
            let kind = self.word(cell(at)).load(Ordering::Acquire);
            if kind & u64::from(u32::MAX) == FIRST {
                let len = (kind >> 32).min((tail - at) * CELL_ROOM as u64);
                let record = self.record(at, usize::try_from(len).ok()?);
                let end = at + len.div_ceil(CELL_ROOM as u64).max(1);
                self.free_cells(at, end);
                return Some((record, end));
            }
            if kind == 0 && !is_given_up {
                return None;
            }
            self.free_cells(at, at + 1);
            at += 1;
        }
        None
    }

    /// Where the next record of the log begins.
    pub fn log_end(&self) -> u64 {
        self.word(head::LOG_TAIL).load(Ordering::Acquire)
    }

    fn free_cells(&self, first: u64, end: u64) {
        for at in first..end {
            self.word(cell(at)).store(0, Ordering::Relaxed);
        }
        self.word(head::LOG_HEAD).store(end, Ordering::Release);
    }

    fn record(&self, first: u64, len: usize) -> Vec<u8> {
        let mut record = vec![0; len];
        for (at, part) in (first..).zip(record.chunks_mut(CELL_ROOM)) {
            self.memory.read(cell(at) + 8, part);
        }
        record
    }

    /// Ends the sampling of all threads of `pid` but the one in slot `own`, before they end together.
    pub(super) fn close_others(&self, pid: Pid, own: Option<usize>) {
        let pid = u64::from(pid.as_raw().unsigned_abs());
        for index in (0..self.slots().count()).filter(|index| Some(*index) != own) {
            let slot = self.slot(index);
            if slot.word(word::PID).load(Ordering::Relaxed) == pid && slot.phase() != Phase::Free {
                slot.close();
            }
        }
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        self.memory.word(offset)
    }
}

/// One thread's place on the board.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    board: &'a Board,
    base: usize,
}

impl Slot<'_> {
    fn word(&self, at: usize) -> &AtomicU64 {
        self.board.word(self.base + at)
    }

    fn load(&self, at: usize) -> u64 {
        self.word(at).load(Ordering::Acquire)
    }

    fn id(&self, at: usize) -> Pid {
        Pid::from_raw(i32::try_from(self.load(at)).unwrap_or(0))
    }

    /// What the thread does.
    pub fn phase(&self) -> Phase {
        Phase::of(self.load(word::PHASE))
    }

    fn change(&self, from: Phase, to: Phase) -> bool {
        let (from, to) = (from as u64, to as u64);
        self.word(word::PHASE).compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn set_phase(&self, phase: Phase) -> Phase {
        Phase::of(self.word(word::PHASE).swap(phase as u64, Ordering::SeqCst))
    }

    /// Its number, which no other thread of the run has.
    pub fn serial(&self) -> u64 {
        self.load(word::SERIAL)
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        self.id(word::PID)
    }

    /// The thread.
    pub fn tid(&self) -> Pid {
        self.id(word::TID)
    }

    /// The memory that it uses.
    pub fn image(&self) -> u64 {
        self.load(word::IMAGE)
    }

    // What the thread itself does with its slot.

    pub(super) fn enter_guest(&self) {
        self.set_phase(Phase::Guest);
    }

    /// Returns whether it was kicked. The kick has arrived by then, so that it interrupts no host call.
    pub(super) fn leave_guest(&self) -> bool {
        let is_kicked = self.set_phase(Phase::Host) == Phase::Kicked;
        if is_kicked {
            // If the recorder was killed on its way, there will be none.
            wait_until(capture::take_sample_kick);
        }
        is_kicked
    }

    pub(super) fn close(&self) {
        self.set_phase(Phase::Closed);
        wait_until(|| self.load(word::IS_SENDING) == 0);
    }

    /// Does the recorder want a sample of what the thread has just done in the runner? Asks once.
    pub(super) fn take_wanted(&self) -> bool {
        let wanted = self.word(word::IS_WANTED);
        wanted.load(Ordering::Relaxed) != 0 && wanted.swap(0, Ordering::Relaxed) != 0
    }

    pub(super) fn note(&self, activity: &Activity, stack: u64) {
        // Odd while it is being written.
        self.word(word::COUNT).fetch_add(1, Ordering::AcqRel);
        for (value, at) in activity.words().into_iter().zip((word::ACTIVITY..).step_by(8)) {
            self.word(at).store(value, Ordering::Relaxed);
        }
        self.word(word::STACK_HVA).store(stack, Ordering::Relaxed);
        self.word(word::COUNT).fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn is_full(&self) -> bool {
        self.load(word::IS_FULL) != 0
    }

    /// Leaves a sample, unless the one before it is still there.
    pub(super) fn leave_sample(&self, sample: &Sample) {
        self.word(word::TIME).store(sample.time, Ordering::Relaxed);
        self.word(word::REGION_TIME).store(sample.region_time, Ordering::Relaxed);
        self.word(word::CPU).store(sample.cpu, Ordering::Relaxed);
        for (value, at) in sample.at.words().into_iter().zip((word::SAMPLE..).step_by(8)) {
            self.word(at).store(value, Ordering::Relaxed);
        }
        let mut name = [0; NAME_LEN];
        name.iter_mut().zip(&sample.name).for_each(|(to, from)| *to = *from);
        for (at, bytes) in [(word::NAME, &name[..]), (PAGE, &sample.stack[..])] {
            self.board.memory.write(self.base + at, bytes);
        }
        self.word(word::STACK_LEN).store(sample.stack.len() as u64, Ordering::Relaxed);
        self.word(word::IS_FULL).store(1, Ordering::Release);
    }

    /// Has the recorder take the sample that was just left, and returns when it has. Returns `false` if it does not.
    pub(super) fn hand_over_sample(&self) -> bool {
        const MOST: Duration = Duration::from_secs(10);
        self.board.word(head::DOORBELL).fetch_add(1, Ordering::Release);
        wake_futex(self.board.memory.hva(head::DOORBELL));
        let started = std::time::Instant::now();
        while self.is_full() && started.elapsed() < MOST {
            wait_futex(self.board.memory.hva(self.base + word::IS_FULL), 1, MOST);
        }
        !self.is_full()
    }

    // What the recorder does.

    /// The sample that the thread has left, if there is one.
    pub fn take_sample(&self) -> Option<Sample> {
        if !self.is_full() {
            return None;
        }
        let words = std::array::from_fn(|index| self.load(word::SAMPLE + 8 * index));
        let len = usize::try_from(self.load(word::STACK_LEN)).unwrap_or(0).min(STACK_LEN);
        let (mut stack, mut name) = (vec![0; len], vec![0; NAME_LEN]);
        for (at, bytes) in [(word::NAME, &mut name), (PAGE, &mut stack)] {
            self.board.memory.read(self.base + at, &mut bytes[..]);
        }
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(NAME_LEN));
        let sample = Sample {
            time: self.load(word::TIME),
            region_time: self.load(word::REGION_TIME),
            cpu: self.load(word::CPU),
            at: Activity::of(words),
            stack,
            name,
        };
        self.word(word::IS_FULL).store(0, Ordering::Release);
        if self.board.is_of_faults() {
            wake_futex(self.board.memory.hva(self.base + word::IS_FULL));
        }
        Some(sample)
    }

    /// Asks for a sample of what the thread does in the runner, when it has done that.
    pub fn want(&self) {
        self.word(word::IS_WANTED).store(1, Ordering::Relaxed);
    }

    /// Makes the thread leave guest mode and a sample, if it is there.
    pub fn kick(&self) {
        self.word(word::IS_SENDING).store(1, Ordering::SeqCst);
        if self.change(Phase::Guest, Phase::Kicked) && capture::kick_for_sample(self.pid(), self.tid()).is_err() {
            // It was killed.
            self.change(Phase::Kicked, Phase::Closed);
        }
        self.word(word::IS_SENDING).store(0, Ordering::SeqCst);
    }

    /// What the thread does in the runner, where its stack is on the host, and the number of this activity.
    pub fn activity(&self) -> Option<(Activity, u64, u64)> {
        let before = self.load(word::COUNT);
        let words = std::array::from_fn(|index| self.load(word::ACTIVITY + 8 * index));
        let stack = self.load(word::STACK_HVA);
        let is_settled = before.is_multiple_of(2) && before != 0 && self.load(word::COUNT) == before;
        is_settled.then_some((Activity::of(words), stack, before))
    }

    /// Nobody will use the slot any more: ends its sampling.
    pub fn abandon(&self) {
        self.set_phase(Phase::Closed);
    }

    /// Lets another thread have it.
    pub fn free(&self) {
        self.set_phase(Phase::Free);
    }
}

/// Waits for what takes no longer than the other side takes to be scheduled.
fn wait_until(is_done: impl Fn() -> bool) {
    const SPINS: u32 = 100;
    const MOST: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_micros(50);
    let mut spins = 0;
    let mut started = None;
    while !is_done() {
        spins += 1;
        if spins < SPINS {
            std::hint::spin_loop();
        } else if started.get_or_insert_with(std::time::Instant::now).elapsed() < MOST {
            std::thread::sleep(PAUSE);
        } else {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_in_order_and_an_unfinished_one_is_passed_by_at_the_end() {
        let board = Board::new(false).unwrap();
        let long: Vec<u8> = (0..200).collect();
        board.log(b"one");
        board.log(&long);
        // One whose writer was killed.
        board.word(head::LOG_TAIL).fetch_add(2, Ordering::Relaxed);
        board.log(b"two");
        let (record, next) = board.read_log(0, false).unwrap();
        assert_eq!((record.as_slice(), next), (b"one".as_slice(), 1));
        let (record, next) = board.read_log(next, false).unwrap();
        assert_eq!((record, next), (long, 5));
        assert_eq!(board.read_log(next, false), None);
        assert_eq!(board.read_log(next, true), Some((b"two".to_vec(), 8)));
        assert_eq!(board.read_log(8, true), None);
    }

    #[test]
    fn the_log_goes_on_where_it_was_read() {
        let board = Board::new(false).unwrap();
        let record: Vec<u8> = (0..=255).collect();
        let mut at = 0;
        // Its end falls within a record.
        for _ in 0..NR_CELLS {
            board.log(&record);
            let (read, next) = board.read_log(at, false).unwrap();
            assert_eq!(read, record);
            at = next;
        }
        assert_eq!((board.lost(), board.read_log(at, true)), (0, None));
        (0..NR_CELLS).for_each(|_| board.log(b"full"));
        assert_eq!(board.lost(), 0);
        board.log(b"more");
        assert_eq!(board.lost(), 1);
        let (_, next) = board.read_log(at, false).unwrap();
        board.log(b"more");
        assert_eq!((board.lost(), board.log_end()), (1, next + NR_CELLS as u64));
    }

    #[test]
    fn a_sample_is_taken_once_and_a_slot_is_used_again() {
        let board = Board::new(true).unwrap();
        let index = board.take_slot(Pid::this(), Pid::this(), 7).unwrap();
        let slot = board.slot(index);
        let at = Activity { cause: Cause::Syscall(257), rip: 1, rsp: 2, rbp: 3 };
        slot.leave_sample(&Sample {
            time: 4,
            region_time: 6,
            cpu: 5,
            at,
            stack: vec![9; 100],
            name: b"sixteen bytes lo".to_vec(),
        });
        let sample = slot.take_sample().unwrap();
        assert_eq!(sample.region_time, 6);
        assert_eq!((sample.time, sample.cpu, sample.at, sample.stack), (4, 5, at, vec![9; 100]));
        assert_eq!(sample.name, b"sixteen bytes lo");
        assert!(slot.take_sample().is_none());
        slot.note(&at, 11);
        assert_eq!(slot.activity(), Some((at, 11, 2)));
        slot.close();
        assert_eq!(slot.phase(), Phase::Closed);
        slot.free();
        assert_eq!(board.take_slot(Pid::this(), Pid::this(), 8), Some(index));
        assert_ne!(board.slot(index).serial(), 0);
    }
}
