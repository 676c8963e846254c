//! The recorder: the process that was started as `kvm-se record`, and looks at all threads of its child's run.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use framehop::x86_64::CacheX86_64;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::memory::{Measurement, Memory};
use super::model::{Event, Profile};
use super::module::Module;
use super::samples::{Frame, Process, Sample, Samples, Thread};
use super::symbols;
use super::unwind::Image;
use crate::abi::PAGE_SIZE;
use crate::proc::ExitStatus;
use crate::proc::region::Region;
use crate::proc::sampling::{self, Activity, Board, Cause, Mapping, Phase, Record, STACK_LEN, Slot};
use crate::sys;

/// A thread that the kernel has put to sleep is looked at again after so many times.
const LOOKS_AT_SLEEPER: u32 = 16;
/// After so many looks, threads that do not answer are asked whether they live.
const LOOKS_AT_DEAD: u64 = 512;

/// What is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Samples a second.
    pub frequency: u32,
    /// What is sampled.
    pub event: Event,
    /// How often the use of memory is measured, if it is.
    pub memory: Option<Duration>,
}

impl Options {
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.frequency.max(1)
    }
}

/// A recorder that waits for its child.
#[derive(Debug)]
pub struct Recorder {
    board: Arc<Board>,
    region: Option<Arc<Region>>,
    options: Options,
}

/// A run that was recorded.
#[derive(Debug)]
pub struct Recording {
    /// How the program ended.
    pub status: ExitStatus,
    /// Threads that could not be sampled, and mappings that could not be noted.
    pub lost: u64,
    samples: Samples,
    jit_dumps: Vec<(u32, PathBuf)>,
    memory: Memory,
    options: Options,
    start: u64,
    start_time: SystemTime,
    end: u64,
}

impl Recorder {
    /// Makes the memory that is shared with the run.
    /// `region` is what of it is recorded, if not all.
    pub fn new(options: Options, region: Option<Arc<Region>>) -> io::Result<Self> {
        let board = match options.event {
            Event::Faults => Board::of_faults()?,
            Event::Cpu | Event::Wall => Board::new(options.event == Event::Wall)?,
        };
        if options.memory.is_some() {
            board.want_measurement();
        }
        Ok(Self { board: Arc::new(board), region, options })
    }

    /// For the run.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Records until the process `child` ends, which the calling one has just made. Signals that are sent to the caller go to
    /// the child.
    pub fn record(self, child: Pid) -> io::Result<Recording> {
        let signals = take_over_signals()?;
        // Without it, a sleep is 50 us longer than asked for.
        let _ = nix::sys::prctl::set_timerslack(1);
        let (start, start_time) = (sampling::now(), SystemTime::now());
        let mut session = Session::new(self.board.clone(), self.region);
        let status = session.follow(child, self.options, &signals)?;
        session.read_log(true);
        session.collect();
        let end = sampling::now();
        let Session { samples, jit_dumps, mut memory, .. } = session;
        memory.finish(&samples.processes);
        (memory.start, memory.interval) = (start, self.options.memory.map_or(0, nanoseconds));
        Ok(Recording {
            status,
            lost: self.board.lost(),
            samples,
            jit_dumps,
            memory,
            options: self.options,
            start,
            start_time,
            end,
        })
    }
}

/// Signals that are to end the run, as they come to the recorder, which lives until the program has ended; and the one
/// that says that it has.
pub(crate) fn take_over_signals() -> io::Result<SignalFd> {
    // What the caller ignores would be gone before it is waited for.
    sys::signal::restore_default(libc::SIGCHLD);
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// Passes on to the program what was sent to the recorder. The terminal sends its signals to both.
pub(crate) fn pass_on(signals: &SignalFd, child: Pid) {
    while let Ok(Some(info)) = signals.read_signal() {
        let signal = i32::try_from(info.ssi_signo).ok().and_then(|signal| Signal::try_from(signal).ok());
        if info.ssi_code != libc::SI_KERNEL
            && let Some(signal) = signal.filter(|signal| *signal != Signal::SIGCHLD)
        {
            // If it has ended, that is seen next.
            let _ = kill(child, signal);
        }
    }
}

impl Recording {
    /// How memory was used, if that was measured.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Gives addresses their names.
    pub fn profile(self, command: Vec<String>, progress: &(dyn Fn(usize, usize) + Sync)) -> Profile {
        let names = symbols::resolve(&self.samples, &self.jit_dumps, progress);
        let start = self.start_time.duration_since(UNIX_EPOCH).map_or(0, nanoseconds);
        let empty = Profile {
            command,
            start,
            duration: self.end.saturating_sub(self.start),
            interval: nanoseconds(self.options.interval()),
            event: self.options.event,
            modules: Vec::new(),
            functions: Vec::new(),
            frames: Vec::new(),
            stacks: Vec::new(),
            processes: Vec::new(),
        };
        let mut profile = symbols::apply(&self.samples, &names, self.start, empty);
        for (index, process) in profile.processes.iter_mut().enumerate() {
            process.memory = self.memory.totals(index);
        }
        profile
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What the recorder knows of a thread.
#[derive(Debug)]
struct Seen {
    /// Index in the samples.
    thread: usize,
    pid: u32,
    image: u64,
    /// When it was sampled last, on the clock of the region.
    time: u64,
    /// The activity that its last sample is of, 0 if that was in guest mode.
    activity: u64,
    /// Its `stat` in /proc, and what it last said.
    stat: Option<File>,
    asleep_in: u64,
    looks: u32,
}

/// A recording that is being made.
#[derive(Debug)]
struct Session {
    board: Arc<Board>,
    region: Option<Arc<Region>>,
    is_wall: bool,
    is_faults: bool,
    /// Where the next record of the log begins.
    log: u64,
    /// At which record it has stood still, and since when.
    stuck: Option<(u64, Instant)>,
    images: HashMap<u64, Image>,
    processes: HashMap<(u32, u64), usize>,
    seen: HashMap<u64, Seen>,
    modules: HashMap<(u64, u64, Vec<u8>), usize>,
    samples: Samples,
    jit_dumps: Vec<(u32, PathBuf)>,
    memory: Memory,
    cache: Cache,
}

/// Rules of unwinding, which all images share.
struct Cache(CacheX86_64);

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}

impl Session {
    fn new(board: Arc<Board>, region: Option<Arc<Region>>) -> Self {
        let (is_wall, is_faults) = (board.is_wall(), board.is_of_faults());
        Self {
            board,
            region,
            is_wall,
            is_faults,
            log: 0,
            stuck: None,
            images: HashMap::new(),
            processes: HashMap::new(),
            seen: HashMap::new(),
            modules: HashMap::new(),
            samples: Samples::default(),
            jit_dumps: Vec::new(),
            memory: Memory::default(),
            cache: Cache(CacheX86_64::new()),
        }
    }

    /// Looks at all threads until `child` ends.
    fn follow(&mut self, child: Pid, options: Options, signals: &SignalFd) -> io::Result<ExitStatus> {
        let interval = options.interval();
        let mut next = Instant::now();
        let mut measurement = options.memory.map(|interval| (next + interval, interval));
        for look in 1_u64.. {
            if let Some(status) = ended(child)? {
                return Ok(status);
            }
            pass_on(signals, child);
            self.read_log(false);
            let board = self.board.clone();
            let rung = board.doorbell();
            let mut is_measured = false;
            if let Some((due, interval)) = &mut measurement
                && *due <= Instant::now()
            {
                board.want_measurement();
                is_measured = true;
                // One that was missed is not made up for.
                *due = (*due + *interval).max(Instant::now());
            }
            for slot in board.slots() {
                if self.is_faults {
                    self.look_for_faults(&slot, is_measured);
                } else {
                    self.look(&slot);
                }
                if look.is_multiple_of(LOOKS_AT_DEAD)
                    && sys::tgkill(slot.pid(), slot.tid(), 0) == Err(nix::Error::ESRCH)
                {
                    slot.abandon();
                }
            }
            if self.is_faults {
                // Threads wait until their samples are taken.
                board.wait_for_doorbell(rung, interval);
                continue;
            }
            next += interval;
            match next.checked_duration_since(Instant::now()) {
                Some(rest) => std::thread::sleep(rest),
                // Ticks that were missed are made up for by the weights.
                None => next = Instant::now(),
            }
        }
        unreachable!("there is a look after each")
    }

    /// Takes the page fault that the thread has left. `is_measured` if it is to see that a measurement is wanted.
    fn look_for_faults(&mut self, slot: &Slot<'_>, is_measured: bool) {
        let phase = slot.phase();
        if matches!(phase, Phase::Free | Phase::Taken) {
            return;
        }
        self.take(slot);
        match phase {
            Phase::Guest if is_measured => slot.kick(),
            Phase::Closed => {
                self.forget(slot);
                slot.free();
            }
            _ => {}
        }
    }

    fn look(&mut self, slot: &Slot<'_>) {
        let phase = slot.phase();
        if matches!(phase, Phase::Free | Phase::Taken) {
            return;
        }
        self.take(slot);
        let is_inside = self.is_inside();
        match phase {
            Phase::Guest | Phase::Host if !is_inside => {}
            Phase::Guest => slot.kick(),
            Phase::Host if self.is_wall => self.watch(slot),
            Phase::Host if self.is_running(slot) => slot.want(),
            Phase::Closed => {
                self.forget(slot);
                slot.free();
            }
            _ => {}
        }
    }

    /// Is the run where samples are wanted?
    fn is_inside(&self) -> bool {
        self.region.as_ref().is_none_or(|region| region.is_inside())
    }

    /// `at` on the clock of the region, which is that of the run without one.
    fn region_time(&self, at: u64) -> u64 {
        sampling::region_time(self.region.as_deref(), at)
    }

    /// Takes what is still to be had when the run is over.
    fn collect(&mut self) {
        let board = self.board.clone();
        for slot in board.slots().filter(|slot| !matches!(slot.phase(), Phase::Free | Phase::Taken)) {
            self.take(&slot);
            if self.is_wall && slot.phase() == Phase::Host {
                self.extend(&slot, sampling::now());
            }
            self.forget(&slot);
        }
    }

    /// The thread has ended.
    fn forget(&mut self, slot: &Slot<'_>) {
        if let Some(seen) = self.seen.remove(&slot.serial()) {
            self.samples.threads[seen.thread].end = sampling::now();
        }
    }

    /// What is known of the thread, which may be new. Its number in `seen`.
    fn serial(&mut self, slot: &Slot<'_>) -> u64 {
        let serial = slot.serial();
        if !self.seen.contains_key(&serial) {
            let (pid, image, now) = (slot.pid().as_raw().unsigned_abs(), slot.image(), sampling::now());
            let process = self.process(pid, image, now);
            let tid = slot.tid().as_raw().unsigned_abs();
            let thread = self.samples.threads.len();
            let name = self.samples.processes[process].name.clone();
            self.samples.threads.push(Thread { process, tid, name, start: now, end: now, samples: Vec::new() });
            let time = self.region_time(now);
            let stat = File::open(format!("/proc/{pid}/task/{tid}/stat")).ok();
            let new = Seen { thread, pid, image, time, activity: 0, stat, asleep_in: 0, looks: 0 };
            self.seen.insert(serial, new);
        }
        serial
    }

    /// The index of the process `pid` with the memory `image`.
    fn process(&mut self, pid: u32, image: u64, time: u64) -> usize {
        if let Some(index) = self.processes.get(&(pid, image)) {
            return *index;
        }
        // A child that shares the memory is called as its parent until it executes a program.
        let name = self.name_of_user(image);
        self.add_process(pid, image, time, name)
    }

    /// A process that uses the memory `image`, and its index.
    fn user_of(&self, image: u64) -> Option<(u32, usize)> {
        self.processes.iter().find(|((_, other), _)| *other == image).map(|((pid, _), index)| (*pid, *index))
    }

    fn name_of_user(&self, image: u64) -> Vec<u8> {
        self.user_of(image).map_or_else(Vec::new, |(_, index)| self.samples.processes[index].name.clone())
    }

    fn add_process(&mut self, pid: u32, image: u64, time: u64, name: Vec<u8>) -> usize {
        let index = self.samples.processes.len();
        self.samples.processes.push(Process { pid, name, start: time, end: None });
        self.processes.insert((pid, image), index);
        index
    }

    /// Takes the sample that the thread has left.
    fn take(&mut self, slot: &Slot<'_>) {
        let serial = self.serial(slot);
        let Some(sample) = slot.take_sample() else { return };
        // Where it was may have been mapped just now.
        self.read_log(false);
        let Some(seen) = self.seen.get_mut(&serial) else { return };
        let weight = match (self.is_faults, self.is_wall) {
            (true, _) => 1,
            (false, true) => sample.region_time.saturating_sub(seen.time),
            (false, false) => sample.cpu,
        };
        (seen.time, seen.activity) = (sample.region_time, 0);
        let (thread, pid, image) = (seen.thread, seen.pid, seen.image);
        if !sample.name.is_empty() {
            self.samples.threads[thread].name = sample.name;
        }
        self.push(thread, (pid, image), &sample.at, &sample.stack, (sample.time, weight));
    }

    fn push(
        &mut self,
        thread: usize,
        (pid, image): (u32, u64),
        at: &Activity,
        stack: &[u8],
        (time, weight): (u64, u64),
    ) {
        let Some(image) = self.images.get(&image) else { return };
        let (frames, is_complete) = image.unwind(at, stack, pid, &mut self.cache.0);
        let cut = (!is_complete && stack.len() == STACK_LEN).then_some(Frame::Truncated);
        let runner = matches!(at.cause, Cause::Syscall(_) | Cause::PageFault).then_some(Frame::Runner(at.cause));
        let all = cut.into_iter().chain(frames.into_iter().rev()).chain(runner);
        if let Some(stack) = self.samples.stack(all) {
            let thread = &mut self.samples.threads[thread];
            thread.samples.push(Sample { time, stack, weight });
            thread.end = thread.end.max(time);
        }
    }

    /// Is the thread on a processor, or waiting for one?
    fn is_running(&mut self, slot: &Slot<'_>) -> bool {
        let serial = self.serial(slot);
        let (Some(seen), Some((_, _, count))) = (self.seen.get_mut(&serial), slot.activity()) else { return false };
        seen.looks = seen.looks.wrapping_add(1);
        if seen.asleep_in == count && !seen.looks.is_multiple_of(LOOKS_AT_SLEEPER) {
            return false;
        }
        let mut text = [0; 64];
        let len = seen.stat.as_ref().and_then(|stat| stat.read_at(&mut text, 0).ok()).unwrap_or(0);
        // The name before it, of 15 bytes at most, may hold anything.
        let state = text[..len].iter().rposition(|&byte| byte == b')').and_then(|at| text.get(at + 2));
        let is_running = state == Some(&b'R');
        seen.asleep_in = if is_running { 0 } else { count };
        is_running
    }

    /// A sample of a thread that the runner answers, asleep or not, taken from outside.
    fn watch(&mut self, slot: &Slot<'_>) {
        let now = sampling::now();
        if self.extend(slot, now) {
            return;
        }
        let serial = self.serial(slot);
        let Some((activity, stack, count)) = slot.activity() else { return };
        let bytes = read_stack(slot.pid(), stack);
        // It may have gone on meanwhile.
        if slot.activity().is_none_or(|(_, _, after)| after != count) || slot.phase() != Phase::Host {
            return;
        }
        let region_time = self.region_time(now);
        let Some(seen) = self.seen.get_mut(&serial) else { return };
        let weight = region_time.saturating_sub(seen.time);
        (seen.time, seen.activity) = (region_time, count);
        let (thread, of) = (seen.thread, (seen.pid, seen.image));
        self.push(thread, of, &activity, &bytes, (now, weight));
    }

    /// If the thread still does what its last sample is of, that one stands for more; returns whether it does.
    fn extend(&mut self, slot: &Slot<'_>, now: u64) -> bool {
        let (serial, region_time) = (self.serial(slot), self.region_time(now));
        let (Some(seen), Some((_, _, count))) = (self.seen.get_mut(&serial), slot.activity()) else { return false };
        if seen.activity != count {
            return false;
        }
        let thread = &mut self.samples.threads[seen.thread];
        if let Some(last) = thread.samples.last_mut() {
            last.weight += region_time.saturating_sub(seen.time);
            thread.end = now;
        }
        seen.time = region_time;
        true
    }

    /// Has the next record been unfinished for so long that its writer must have been killed?
    fn gives_up_record(&mut self) -> bool {
        const LONG: Duration = Duration::from_secs(2);
        if self.board.log_end() == self.log {
            self.stuck = None;
            return false;
        }
        match self.stuck {
            Some((at, since)) if at == self.log => since.elapsed() > LONG,
            _ => {
                self.stuck = Some((self.log, Instant::now()));
                false
            }
        }
    }

    /// Reads what has been added to the log.
    fn read_log(&mut self, is_over: bool) {
        let board = self.board.clone();
        // Who writes those behind it may be alive.
        let mut gives_up = self.gives_up_record();
        while let Some((bytes, next)) = board.read_log(self.log, is_over || std::mem::take(&mut gives_up)) {
            self.log = next;
            match Record::of(&bytes) {
                Some(Record::Image { image, pid, time, name }) => {
                    self.end_process(pid, time);
                    self.images.insert(image, Image::default());
                    self.add_process(pid, image, time, name);
                }
                Some(Record::Copied { from, image, pid, time }) => {
                    let copy = self.images.get(&from).cloned().unwrap_or_default();
                    self.images.insert(image, copy);
                    let name = self.name_of_user(from);
                    self.add_process(pid, image, time, name);
                }
                Some(Record::Mapped(mapping)) => self.map(&mapping),
                Some(Record::Ended { pid, time }) => self.end_process(pid, time),
                Some(Record::Area { image, number, area }) => self.memory.name(image, number, area),
                Some(Record::Used { image, pid, since, time, areas }) => {
                    let process = self.process(pid, image, time);
                    self.memory.add(process, image, Measurement { since, time, areas });
                }
                None => {}
            }
        }
    }

    fn end_process(&mut self, pid: u32, time: u64) {
        for process in self.samples.processes.iter_mut().filter(|process| process.pid == pid) {
            process.end.get_or_insert(time);
        }
    }

    fn map(&mut self, mapping: &Mapping) {
        let pid = self.user_of(mapping.image).map_or(0, |(pid, _)| pid);
        let path = Path::new(OsStr::from_bytes(&mapping.path));
        let name = path.file_name().unwrap_or_default().as_bytes();
        if name.starts_with(b"jit-") && name.ends_with(b".dump") {
            self.jit_dumps.push((pid, path.to_owned()));
        }
        let module = (!mapping.path.is_empty()).then(|| self.module(mapping, path, pid));
        let module = module.map(|index| (index, &self.samples.modules[index]));
        let image = self.images.entry(mapping.image).or_default();
        image.map(mapping.start, mapping.end, module, mapping.offset);
    }

    fn module(&mut self, mapping: &Mapping, path: &Path, pid: u32) -> usize {
        let key = (mapping.dev, mapping.ino, mapping.path.clone());
        let modules = &mut self.samples.modules;
        *self.modules.entry(key).or_insert_with(|| {
            modules.push(match mapping.dev {
                0 if mapping.path.starts_with(b"[") => Module::vdso(),
                _ => Module::of_file(path, (mapping.dev, mapping.ino), pid),
            });
            modules.len() - 1
        })
    }
}

/// How `child` has ended, if it has.
pub(crate) fn ended(child: Pid) -> io::Result<Option<ExitStatus>> {
    let status = sys::clone::ended(child)?;
    Ok(status.map(|status| match (status.signal(), status.code()) {
        (Some(signal), _) => ExitStatus::Signal(signal),
        (None, code) => ExitStatus::code(code.unwrap_or(0)),
    }))
}

/// The stack at `hva` in the memory of `pid`, page by page as far as it can be read.
fn read_stack(pid: Pid, hva: u64) -> Vec<u8> {
    let page = usize::try_from(PAGE_SIZE).unwrap_or(4096);
    let Ok(base) = usize::try_from(hva) else { return Vec::new() };
    let mut stack = vec![0; STACK_LEN];
    let mut pages = Vec::new();
    let mut at = base;
    while at < base + STACK_LEN {
        let len = (page - at % page).min(base + STACK_LEN - at);
        pages.push(RemoteIoVec { base: at, len });
        at += len;
    }
    let got = process_vm_readv(pid, &mut [IoSliceMut::new(&mut stack)], &pages).unwrap_or(0);
    stack.truncate(got);
    stack
}
