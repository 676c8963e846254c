//! What the processes of a profiled run do for its recorder (`profile::recorder`).
//!
//! The recorder is a process of its own, which looks at all threads many times a second. A thread in guest mode is
//! kicked, leaves a sample in its slot of the board and goes on. One that the runner answers is never disturbed: no
//! host call is interrupted for a sample, so nothing is seen in the guest. It leaves its sample when it is on its way back.

mod board;
mod log;

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, getpid};

pub use board::{Activity, Board, Cause, Phase, STACK_LEN, Sample, Slot};
pub use log::{Mapping, Record};

use super::Task;
use crate::abi::mman::Prot;
use crate::abi::{PageRange, TASK_SIZE, UserAddr};
use crate::mm::AddressSpace;
use crate::mm::vma::{Backing, Vma, VmaName};
use crate::sys::capture;
use crate::vm::{Trap, VmError};
use crate::x86::UserRegs;

/// What a process of a profiled run knows of that.
#[derive(Debug)]
pub struct Sampling {
    board: Arc<Board>,
    /// Number of the memory that the process uses; a fork child gets another one.
    image: AtomicU64,
}

impl Sampling {
    /// For a process that begins to execute the program called `name`, of which `mm` has all mappings.
    pub fn start(board: Arc<Board>, name: &[u8], mm: &AddressSpace) -> Self {
        let image = board.next_number();
        board.log(&Record::Image { image, pid: own_pid(), time: now(), name: name.to_vec() }.to_bytes());
        let sampling = Self { board, image: AtomicU64::new(image) };
        let maps = std::fs::read("/proc/self/maps").unwrap_or_default();
        for (range, vma) in mm.vmas() {
            if vma.prot.contains(Prot::EXEC) {
                sampling.note_vma(mm, range, &vma, &maps);
            }
        }
        sampling
    }

    /// For a process that shares the memory.
    pub fn sharing_memory(&self) -> Self {
        Self { board: self.board.clone(), image: AtomicU64::new(self.image()) }
    }

    /// The board, for the next program.
    pub fn board(&self) -> &Board {
        &self.board
    }

    fn image(&self) -> u64 {
        self.image.load(Ordering::Relaxed)
    }

    /// In a fork child: its memory is a copy.
    pub(super) fn copy_image(&self) {
        let (from, image) = (self.image(), self.board.next_number());
        self.image.store(image, Ordering::Relaxed);
        self.board.log(&Record::Copied { from, image, pid: own_pid(), time: now() }.to_bytes());
    }

    /// The process ends, or executes another program: all its threads but the calling one are no longer sampled.
    pub(super) fn end_others(&self, task: &Task) {
        self.board.close_others(getpid(), task.sampled.as_ref().map(|sampled| sampled.slot));
    }

    /// The calling process ends.
    pub(super) fn end(&self) {
        self.board.log(&Record::Ended { pid: own_pid(), time: now() }.to_bytes());
    }

    /// Code was mapped: `range`, of the file `fd` from `offset` on if there is one.
    pub fn note_mapping(&self, range: PageRange, file: Option<(BorrowedFd<'_>, u64)>) {
        let mut mapping = self.mapping(range);
        if let Some((fd, offset)) = file
            && let Ok(stat) = nix::sys::stat::fstat(fd)
        {
            let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            mapping.path = path.map(|path| path.into_os_string().into_encoded_bytes()).unwrap_or_default();
            (mapping.offset, mapping.dev, mapping.ino) = (offset, stat.st_dev, stat.st_ino);
        }
        self.board.log(&Record::Mapped(mapping).to_bytes());
    }

    fn note_vma(&self, mm: &AddressSpace, range: PageRange, vma: &Vma, maps: &[u8]) {
        let mut mapping = self.mapping(range);
        if let Backing::File { file, offset } = &vma.backing {
            (mapping.offset, mapping.dev, mapping.ino) = (*offset, file.dev, file.ino);
            mapping.path = super::view::path_at(maps, mm.hva(range.start())).unwrap_or_default();
        }
        if vma.name == VmaName::Vdso {
            mapping.path = b"[vdso]".to_vec();
        }
        self.board.log(&Record::Mapped(mapping).to_bytes());
    }

    fn mapping(&self, range: PageRange) -> Mapping {
        Mapping { image: self.image(), time: now(), start: range.start(), end: range.end(), ..Mapping::default() }
    }
}

/// How a guest thread is sampled.
#[derive(Debug)]
pub(super) struct Sampled {
    board: Arc<Board>,
    slot: usize,
    at: Activity,
    /// Processor time that the thread had taken at its last sample, in ns.
    cpu: u64,
}

impl Sampled {
    fn new(sampling: &Sampling, tid: Pid) -> Option<Box<Self>> {
        let board = sampling.board.clone();
        if !board.is_in_reach() {
            board.note_lost();
            return None;
        }
        let slot = board.take_slot(getpid(), tid, sampling.image())?;
        let at = Activity { cause: Cause::Other, rip: 0, rsp: 0, rbp: 0 };
        Some(Box::new(Self { board, slot, at, cpu: cpu_time() }))
    }

    fn slot(&self) -> Slot<'_> {
        self.board.slot(self.slot)
    }

    fn note(&mut self, cause: Cause, regs: &UserRegs, mm: &AddressSpace) {
        self.at = Activity { cause, rip: regs.rip, rsp: regs.rsp, rbp: regs.rbp };
        self.slot().note(&self.at, mm.hva(regs.rsp));
    }

    fn leave_sample(&mut self, mm: &AddressSpace) {
        let slot = self.slot();
        if slot.is_full() || self.at.rsp == 0 {
            return;
        }
        let cpu = cpu_time();
        let since = cpu.saturating_sub(self.cpu);
        slot.leave_sample(&Sample {
            time: now(),
            cpu: since,
            at: self.at,
            stack: read_stack(mm, self.at.rsp),
            name: nix::sys::prctl::get_name().map(|name| name.into_bytes()).unwrap_or_default(),
        });
        self.cpu = cpu;
    }
}

/// What there is of the stack from `rsp` on.
fn read_stack(mm: &AddressSpace, rsp: u64) -> Vec<u8> {
    // Below the stack pointer there may be leaf functions' variables, but no frames.
    let most = TASK_SIZE.saturating_sub(rsp).min(STACK_LEN as u64);
    let Some((_, len)) = mm.mapped_run(UserAddr::new(rsp), most) else { return Vec::new() };
    let mut stack = vec![0; usize::try_from(len).unwrap_or(0)];
    let got = mm.copy_in_partly(UserAddr::new(rsp), &mut stack);
    stack.truncate(got);
    stack
}

impl Task {
    /// The calling host thread drives it from now on.
    pub(super) fn begin_sampling(&mut self) {
        let sampling = self.process.sampling.as_ref();
        self.sampled = sampling.and_then(|sampling| Sampled::new(sampling, self.tid()));
        if self.sampled.is_some() {
            self.vcpu.expect_kicks();
            capture::expect_sample_kicks();
        }
    }

    /// The thread is no longer sampled.
    pub(super) fn end_sampling(&mut self) {
        if let Some(sampled) = self.sampled.take() {
            sampled.slot().close();
        }
    }

    /// Before the process executes another program.
    pub fn end_sampling_of_process(&mut self) {
        if let Some(sampling) = &self.process.sampling {
            sampling.end_others(self);
        }
        self.end_sampling();
    }

    /// If no other program could be executed.
    pub fn resume_sampling(&mut self) {
        self.begin_sampling();
    }

    #[cold]
    pub(super) fn run_sampled(&mut self, mut sampled: Box<Sampled>) -> Result<Trap, VmError> {
        let mm = &self.process.mm;
        if sampled.slot().take_wanted() {
            sampled.leave_sample(mm);
        }
        sampled.slot().enter_guest();
        let result = mm.machine().run(&mut self.vcpu);
        let is_kicked = sampled.slot().leave_guest();
        let regs = self.vcpu.regs();
        sampled.note(cause(&result, regs, self.vcpu.awaited()), regs, mm);
        if is_kicked {
            sampled.leave_sample(mm);
        }
        self.sampled = Some(sampled);
        result
    }
}

/// `awaited` is the call that another thread was answering at a kick.
fn cause(result: &Result<Trap, VmError>, regs: &UserRegs, awaited: Option<u64>) -> Cause {
    let syscall = |nr: u64| Cause::Syscall(u32::try_from(nr & u64::from(u32::MAX)).unwrap_or(0));
    match result {
        Ok(Trap::Syscall) => syscall(regs.syscall_nr()),
        Ok(Trap::PageFault { .. } | Trap::BusError) => Cause::PageFault,
        Ok(Trap::Kicked) => awaited.map_or(Cause::User, syscall),
        _ => Cause::Other,
    }
}

fn own_pid() -> u32 {
    getpid().as_raw().unsigned_abs()
}

/// CLOCK_MONOTONIC in ns.
pub fn now() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

fn cpu_time() -> u64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn nanoseconds(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs())
}
