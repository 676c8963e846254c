//! What the processes of a profiled run do for its recorder (`profile::recorder`).
//!
//! The recorder is a process of its own, which looks at all threads many times a second. A thread in guest mode is
//! kicked, leaves a sample in its slot of the board and goes on. One that the runner answers is never disturbed: no
//! host call is interrupted for a sample, so nothing is seen in the guest. It leaves its sample when it is on its way back.

mod board;
mod log;
mod memory;

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, getpid};

pub use board::{Activity, Board, Cause, Phase, STACK_LEN, Sample, Slot};
pub use log::{Area, AreaUse, Mapping, Record};
use memory::Meter;

use super::Task;
use super::region::Region;
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
    /// Outside it, nothing is sampled.
    region: Option<Arc<Region>>,
    /// What measures the memory, if that is wanted.
    meter: Option<Arc<Meter>>,
}

impl Sampling {
    /// For a process that begins to execute the program called `name`, of which `mm` has all mappings.
    pub fn start(board: Arc<Board>, region: Option<Arc<Region>>, name: &[u8], mm: &AddressSpace) -> Self {
        let image = board.next_number();
        board.log(&Record::Image { image, pid: own_pid(), time: now(), name: name.to_vec() }.to_bytes());
        let meter = board.wants_memory().then(|| Arc::new(Meter::new(&board)));
        let sampling = Self { board, image: AtomicU64::new(image), region, meter };
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
        Self {
            board: self.board.clone(),
            image: AtomicU64::new(self.image()),
            region: self.region.clone(),
            meter: self.meter.clone(),
        }
    }

    /// The board, for the next program.
    pub fn board(&self) -> &Board {
        &self.board
    }

    fn image(&self) -> u64 {
        self.image.load(Ordering::Relaxed)
    }

    /// In a fork child: its memory is a copy.
    pub(super) fn copy_image(&self, mm: &AddressSpace) {
        let (from, image) = (self.image(), self.board.next_number());
        self.image.store(image, Ordering::Relaxed);
        self.board.log(&Record::Copied { from, image, pid: own_pid(), time: now() }.to_bytes());
        if let Some(meter) = &self.meter {
            meter.restart(mm);
        }
    }

    /// Keeps other threads from measuring memory while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        self.meter.as_ref().map(|meter| meter.hold())
    }

    /// Measures how the process has used its memory, if that is wanted, for the last time.
    fn measure(&self, mm: &AddressSpace) {
        if let Some(meter) = &self.meter {
            meter.measure(mm, &self.board, self.image());
        }
    }

    /// The process ends, or executes another program: all its threads but the calling one are no longer sampled.
    pub(super) fn end_others(&self, task: &Task) {
        self.board.close_others(getpid(), task.sampled.as_ref().map(|sampled| sampled.slot));
    }

    /// The calling process ends.
    pub(super) fn end(&self, mm: &AddressSpace) {
        self.measure(mm);
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
    cpu: CpuTime,
    region: Option<Arc<Region>>,
    /// Has the recorder, which must have been killed, left a page fault where it was?
    is_forsaken: bool,
}

/// Processor time of a thread in the region of interest.
///
/// A thread is not disturbed where the region begins and ends, but for the one by whose doing that is. What it takes
/// between two looks at its clock is inside as far as the region was there for so long: in its time it ran, or it slept.
#[derive(Clone, Copy, Debug)]
struct CpuTime {
    /// What its next sample weighs so far, in ns.
    pending: u64,
    /// What its clock said at the last look.
    thread: u64,
    /// The time of the region then.
    region: u64,
    /// How often the region had begun when it came to the runner.
    times: u64,
}

impl CpuTime {
    fn look(&mut self, thread: u64, region: u64) {
        self.pending += thread.saturating_sub(self.thread).min(region.saturating_sub(self.region));
        (self.thread, self.region) = (thread, region);
    }
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
        let region = sampling.region.clone();
        let cpu = CpuTime { pending: 0, thread: cpu_time(), region: region_time(region.as_deref(), now()), times: 0 };
        Some(Box::new(Self { board, slot, at, cpu, region, is_forsaken: false }))
    }

    fn slot(&self) -> Slot<'_> {
        self.board.slot(self.slot)
    }

    fn note(&mut self, cause: Cause, regs: &UserRegs, mm: &AddressSpace) {
        self.at = Activity { cause, rip: regs.rip, rsp: regs.rsp, rbp: regs.rbp };
        self.slot().note(&self.at, mm.hva(regs.rsp));
        if let Some(region) = &self.region {
            self.cpu.times = region.times();
        }
    }

    /// The thread is about to go on. If the region has begun while it was in the runner, what it did before was outside,
    /// and it did not run since.
    fn follow_region(&mut self) {
        if let Some(region) = &self.region
            && region.times() != self.cpu.times
        {
            self.cpu.look(cpu_time(), region.time_at_begin());
        }
    }

    /// Is the run where samples are wanted?
    fn is_inside(&self) -> bool {
        self.region.as_ref().is_none_or(|region| region.is_inside())
    }

    /// A page is used for the first time.
    fn leave_fault(&mut self, mm: &AddressSpace, addr: u64) {
        // Rights may have been taken away from it since.
        if !mm.was_used(addr) && !self.is_forsaken {
            self.at.cause = Cause::User;
            self.leave_sample(mm);
            if self.slot().is_full() && !self.slot().hand_over_sample() {
                self.is_forsaken = true;
                self.board.note_lost();
            }
        }
    }

    fn leave_sample(&mut self, mm: &AddressSpace) {
        if self.slot().is_full() || self.at.rsp == 0 || !self.is_inside() {
            return;
        }
        let time = now();
        let region_time = region_time(self.region.as_deref(), time);
        self.cpu.look(cpu_time(), region_time);
        self.slot().leave_sample(&Sample {
            time,
            region_time,
            cpu: self.cpu.pending,
            at: self.at,
            stack: read_stack(mm, self.at.rsp),
            name: nix::sys::prctl::get_name().map(|name| name.into_bytes()).unwrap_or_default(),
        });
        self.cpu.pending = 0;
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
            sampling.measure(&self.process.mm);
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
        let mm = self.process.mm.clone();
        sampled.follow_region();
        if sampled.slot().take_wanted() {
            sampled.leave_sample(&mm);
        }
        sampled.slot().enter_guest();
        let result = self.enter_guest();
        let is_kicked = sampled.slot().leave_guest();
        let regs = self.vcpu.regs();
        sampled.note(cause(&result, regs, self.vcpu.awaited()), regs, &mm);
        if sampled.board.is_of_faults() {
            if let Ok(Trap::PageFault { addr, .. }) = result {
                sampled.leave_fault(&mm, addr);
            }
        } else if is_kicked {
            sampled.leave_sample(&mm);
        }
        if let Some(sampling) = &self.process.sampling
            && let Some(meter) = &sampling.meter
            && meter.is_due(&sampling.board)
        {
            meter.measure(&mm, &sampling.board, sampling.image());
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

/// The time that passed up to `at` in the region, if there is one.
pub fn region_time(region: Option<&Region>, at: u64) -> u64 {
    region.map_or(at, |region| region.time(at))
}

fn cpu_time() -> u64 {
    nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn nanoseconds(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs())
}
