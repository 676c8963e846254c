//! execve(2): the runner executes itself again, and hands over what its next image must know, in a sealed memfd whose
//! number is its only argument.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::Pid;

use super::counting::Counters;
use super::determinism;
use super::region::{Region, Span};
use super::sampling::Board;
use super::{HardLimits, HardLimitsGuard, M5ops, Settings, Stop, Task, Tracing};
use crate::abi::Errno;
use crate::loader::exec::{Aslr, Program, c_string};
use crate::loader::layout::Layout;
use crate::mm::vma::Limits;
use crate::signal::action::Actions;
use crate::signal::mask::SigSet;
use crate::sys::descriptor::{duplicate_above_guest, duplicate_for_exec, take_over};
use crate::vm::Platform;
use crate::vm::retired::ExactCounter;
use crate::x86::CpuModel;

/// The first word of the runner's own arguments. No name of a program that a shell would call has a blank in it.
const MARK: &CStr = c"kvm-se (next program)";

/// All that passes from one image of the runner to the next.
#[derive(Debug)]
pub struct Handover {
    /// What to run.
    pub program: Program,
    /// Its file.
    pub file: File,
    /// What the user asked for.
    pub settings: Settings,
    /// What the process keeps.
    pub kept: Kept,
}

/// What execve(2) leaves to a process, where it is not the host's to keep.
#[derive(Debug)]
pub struct Kept {
    /// /dev/kvm.
    pub kvm: OwnedFd,
    /// What is known of it and of the processor.
    pub platform: Option<Platform>,
    /// The place of the thread in a deterministic run.
    pub seat: determinism::Seat,
    /// Timers of such a run ([`determinism::Timers::intervals`]).
    pub intervals: Vec<u64>,
    /// Blocked signals.
    pub mask: SigSet,
    /// Ignored signals.
    pub ignored: SigSet,
    /// Limits on memory.
    pub limits: Limits,
    /// Hard limits.
    pub hard_limits: HardLimits,
    /// Soft limit on descriptors, to be set when the runner has opened what it needs.
    pub soft_descriptors: u64,
}

/// An execution that can no longer fail for a reason of the guest's.
#[derive(Debug)]
pub struct Ready {
    memfd: OwnedFd,
    // Closed if the execution fails.
    _inherited: [OwnedFd; 3],
    _optional: [Option<OwnedFd>; 8],
}

impl Ready {
    /// Prepares `task` to execute `program`, whose file is `file`.
    pub fn prepare(
        task: &Task,
        program: &Program,
        file: &File,
        limits: &HardLimitsGuard<'_>,
        soft_descriptors: u64,
    ) -> Result<Self, Errno> {
        let process = &task.process;
        let settings = &process.settings;
        let executable = settings.executable.as_ref().ok_or(Errno::ENOSYS)?;
        let trace = settings.trace.as_ref().map(|file| duplicate_for_exec(file.as_raw_fd())).transpose()?;
        let board = settings.board.as_ref().map(|board| board.memory().duplicate_for_exec()).transpose()?;
        let counters = settings.counters.as_ref().map(|counters| counters.memory().duplicate_for_exec()).transpose()?;
        let determinism = settings.determinism.as_ref();
        let determinism = determinism.map(|board| board.memory().duplicate_for_exec()).transpose()?;
        let region = settings.region.as_ref().map(|region| region.memory().duplicate_for_exec()).transpose()?;
        let messages = settings.messages.as_ref().map(|file| duplicate_for_exec(file.as_raw_fd())).transpose()?;
        let tracing = settings.tracing.as_ref().map(|tracing| tracing.duplicate_for_exec()).transpose()?;
        let stop = settings.stop.as_ref();
        let state =
            stop.and_then(|stop| stop.state.as_ref()).map(|file| duplicate_for_exec(file.as_raw_fd())).transpose()?;
        let optional = [trace, board, counters, determinism, region, messages, tracing.flatten(), state];
        let inherited = [
            duplicate_for_exec(process.mm.machine().kvm_fd().as_raw_fd())?,
            duplicate_for_exec(executable.as_raw_fd())?,
            duplicate_for_exec(file.as_raw_fd())?,
        ];
        let mut writer = Writer::default();
        inherited.iter().for_each(|fd| writer.descriptor(fd.as_raw_fd()));
        optional.iter().for_each(|fd| writer.descriptor(fd.as_ref().map_or(-1, AsRawFd::as_raw_fd)));
        writer.word(u64::from(settings.first.as_raw().unsigned_abs()));
        for flag in [settings.stats, settings.missing, settings.aslr, settings.exitless, settings.patch] {
            writer.word(flag.into());
        }
        writer.word(settings.verbose.into());
        writer.strings(&[settings.cpu.name(), settings.layout.name()].map(|name| c_string(name.as_bytes())));
        writer.word(settings.tracing.as_ref().is_some_and(|tracing| tracing.folds_repeats()).into());
        writer.word(settings.tracing.as_ref().map_or(0, |tracing| tracing.to_skip()));
        writer.word(settings.tracing.is_some().into());
        let counter = settings.tracing.as_ref().and_then(|tracing| tracing.counter());
        writer.word(counter.is_some().into());
        writer.word(counter.map_or(0, |counter| counter.per_call.cast_unsigned()));
        writer.word(settings.stop.is_some().into());
        writer.word(settings.stop.as_ref().is_some_and(|stop| stop.is_json).into());
        writer.word(task.seat.unwrap_or(0) as u64);
        writer.word(task.signals.mask().bits());
        writer.word(process.actions.ignored().bits());
        let Limits { address_space, data, data_hard, stack, locked } = process.mm.limits();
        for value in [address_space, data, data_hard, stack, locked].into_iter().chain(limits.values()) {
            writer.word(value);
        }
        writer.word(soft_descriptors);
        writer.strings(std::slice::from_ref(&program.execfn));
        writer.strings(&program.argv);
        writer.strings(&program.envp);
        let region = settings.region.as_ref().map(|region| c_string(region.span().to_string().as_bytes()));
        writer.strings(region.as_slice());
        writer.strings(&words_of(settings.m5ops.as_ref()));
        let intervals = process.determinism.as_ref().map_or_else(Vec::new, |run| run.timers().intervals());
        writer.words_within(&intervals, u64::MAX);
        writer.words_within(&process.mm.machine().platform().to_words(), file_size_limit());
        Ok(Self { memfd: sealed(&writer.0)?, _inherited: inherited, _optional: optional })
    }

    /// Executes the runner. Returns only if that fails. The soft limit on descriptors must be up: its start opens files.
    pub fn execute(self, settings: &Settings) -> Errno {
        let Some(executable) = &settings.executable else { return Errno::ENOSYS };
        let mut number = [0; 16];
        // The rest stays zero, so it ends with a NUL.
        let _ = write!(&mut number[..15], "{}", self.memfd.as_raw_fd());
        let number = CStr::from_bytes_until_nul(&number).unwrap_or_default();
        crate::sys::exec::execute(executable.as_raw_fd(), [MARK, number])
    }
}

impl Handover {
    /// What an image before this one has left, if there was one. `None` in the inner place if it cannot be used.
    pub fn receive(args: &[OsString]) -> Option<Option<Self>> {
        let [mark, number] = args else { return None };
        (mark.as_encoded_bytes() == MARK.to_bytes()).then(|| Self::read(number.to_str()?.parse().ok()?))
    }

    fn read(memfd: RawFd) -> Option<Self> {
        let memfd = File::from(take_over(memfd).ok()?);
        if !is_sealed(&memfd) {
            return None;
        }
        let len = usize::try_from(memfd.metadata().ok()?.len()).ok()?;
        let mut bytes = vec![0; len];
        memfd.read_exact_at(&mut bytes, 0).ok()?;
        let mut reader = Reader(&bytes);
        let kvm = reader.descriptor()?;
        let executable = reader.descriptor();
        let file = reader.descriptor()?.into();
        let trace = reader.descriptor().map(|fd| Arc::new(File::from(fd)));
        let board = reader.descriptor().and_then(|fd| Board::open(fd.into()).ok()).map(Arc::new);
        let counters = reader.descriptor().and_then(|fd| Counters::open(fd.into()).ok()).map(Arc::new);
        let determinism = reader.descriptor().and_then(|fd| determinism::Board::open(fd.into()).ok()).map(Arc::new);
        let region_memory = reader.descriptor();
        let messages = reader.descriptor().map(|fd| Arc::new(File::from(fd)));
        let (tracing, state) = (reader.descriptor(), reader.descriptor());
        let mut settings = Settings {
            layout: Layout::default(),
            cpu: CpuModel::default(),
            first: Pid::from_raw(i32::try_from(reader.word()?).ok()?),
            executable,
            trace,
            board,
            counters,
            tracing: None,
            determinism,
            region: None,
            stop: None,
            m5ops: None,
            messages,
            stats: reader.word()? != 0,
            missing: reader.word()? != 0,
            aslr: reader.word()? != 0,
            exitless: reader.word()? != 0,
            patch: reader.word()? != 0,
            verbose: u8::try_from(reader.word()?).ok()?,
        };
        let [cpu, layout] = &reader.strings()?[..] else { return None };
        settings.cpu = cpu.to_str().ok()?.parse().ok()?;
        settings.layout = layout.to_str().ok()?.parse().ok()?;
        let (folds_repeats, to_skip) = (reader.word()? != 0, reader.word()?);
        let is_traced = reader.word()? != 0;
        let (is_counted, per_call) = (reader.word()? != 0, reader.word()?.cast_signed());
        let counter = is_counted.then_some(ExactCounter { per_call });
        let (stops, is_json) = (reader.word()? != 0, reader.word()? != 0);
        settings.tracing = is_traced.then(|| Arc::new(Tracing::by(tracing, folds_repeats, to_skip, counter)));
        settings.stop =
            stops.then(|| Arc::new(Stop { state: state.map(File::from), is_json, has_stopped: false.into() }));
        let seat = usize::try_from(reader.word()?).ok()?;
        let mask = SigSet::from_bits(reader.word()?);
        let ignored = SigSet::from_bits(reader.word()?);
        let [address_space, data, data_hard, stack, locked] = reader.words()?;
        let limits = Limits { address_space, data, data_hard, stack, locked };
        let hard_limits = HardLimits::from_values(reader.words()?);
        let soft_descriptors = reader.word()?;
        let aslr = if settings.aslr { Aslr::from_random(crate::sys::random_words()) } else { Aslr::default() };
        let program = Program {
            execfn: reader.strings()?.pop()?,
            argv: reader.strings()?,
            envp: reader.strings()?,
            random: random_bytes(settings.determinism.as_deref()),
            aslr,
            layout: settings.layout,
            is_hidden: false,
        };
        if let (Some(memory), Some(span)) = (region_memory, reader.strings()?.pop()) {
            let span = Span::parse(span.to_str().ok()?, &|_| None).ok()?;
            settings.region = Some(Arc::new(Region::open(span, memory.into()).ok()?));
        }
        settings.m5ops = m5ops_of(&reader.strings()?);
        let intervals = reader.list()?;
        let platform = Platform::from_words(&reader.list()?);
        let kept = Kept { kvm, platform, seat, intervals, mask, ignored, limits, hard_limits, soft_descriptors };
        Some(Self { program, file, settings, kept })
    }
}

/// For the handover: no words without m5ops, else the two paths, empty where there is none.
fn words_of(m5ops: Option<&M5ops>) -> Vec<CString> {
    let path = |path: &Option<PathBuf>| c_string(path.as_deref().map_or(b"", |path| path.as_os_str().as_bytes()));
    m5ops.map_or_else(Vec::new, |m5ops| vec![path(&m5ops.output), path(&m5ops.input)])
}

fn m5ops_of(words: &[CString]) -> Option<M5ops> {
    let path = |word: &CString| (!word.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(word.to_bytes())));
    let [output, input] = words else { return None };
    Some(M5ops { output: path(output), input: path(input) })
}

impl Actions {
    /// The signals that are ignored.
    fn ignored(&self) -> SigSet {
        (1..=crate::signal::mask::MAX_SIGNAL)
            .filter(|&signal| self.action(signal).is_ok_and(|action| action.handler == libc::SIG_IGN as u64))
            .fold(SigSet::EMPTY, |set, signal| set.union(SigSet::only(signal)))
    }
}

/// Bytes of `AT_RANDOM`.
pub fn random_bytes(board: Option<&determinism::Board>) -> [u8; 16] {
    let Some(board) = board else { return crate::sys::random_bytes() };
    let mut bytes = [0; 16];
    board.fill_random(&mut bytes);
    bytes
}

/// Most bytes in a file that this process writes, memfds included. What can be found out again stays out of it.
fn file_size_limit() -> u64 {
    getrlimit(Resource::RLIMIT_FSIZE).map_or(0, |(soft, _)| soft)
}

/// A memfd, left open, that nobody can change.
fn sealed(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let low = memfd_create(c"kvm-se", flags)?;
    let file = File::from(duplicate_above_guest(low.as_raw_fd())?);
    drop(low);
    file.write_all_at(bytes, 0)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
    Ok(duplicate_for_exec(file.as_raw_fd())?)
}

/// Can nobody change it any more? What anybody can write is not the runner's word.
fn is_sealed(file: &File) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS).is_ok_and(|seals| SealFlag::from_bits_truncate(seals) == SealFlag::all())
}

#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn word(&mut self, value: u64) {
        self.0.extend(value.to_ne_bytes());
    }

    /// Writes them, or that there are none if all would be more than `limit` bytes.
    fn words_within(&mut self, values: &[u64], limit: u64) {
        let len = self.0.len() + size_of_val(values) + size_of::<u64>();
        let values = if len as u64 <= limit { values } else { &[] };
        self.word(values.len() as u64);
        values.iter().for_each(|&value| self.word(value));
    }

    fn descriptor(&mut self, fd: RawFd) {
        self.word(i64::from(fd).cast_unsigned());
    }

    fn strings(&mut self, strings: &[CString]) {
        self.word(strings.len() as u64);
        for string in strings {
            self.0.extend(string.to_bytes_with_nul());
        }
    }
}

#[derive(Debug)]
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*word))
    }

    fn words<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut words = [0; N];
        for word in &mut words {
            *word = self.word()?;
        }
        Some(words)
    }

    /// What [`Writer::words_within`] wrote.
    fn list(&mut self) -> Option<Vec<u64>> {
        let count = self.word()?;
        (0..count).map(|_| self.word()).collect()
    }

    /// `None` if there is none.
    fn descriptor(&mut self) -> Option<OwnedFd> {
        take_over(RawFd::try_from(self.word()?.cast_signed()).ok()?).ok()
    }

    fn strings(&mut self) -> Option<Vec<CString>> {
        let count = usize::try_from(self.word()?).ok()?;
        let mut strings = Vec::new();
        for _ in 0..count {
            let string = CStr::from_bytes_until_nul(self.0).ok()?;
            self.0 = &self.0[string.count_bytes() + 1..];
            strings.push(string.to_owned());
        }
        Some(strings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let strings = vec![CString::default(), c"one".to_owned(), c"a b\xff".to_owned()];
        let mut writer = Writer::default();
        writer.word(u64::MAX);
        writer.strings(&strings);
        writer.strings(&[]);
        writer.descriptor(-1);
        let mut reader = Reader(&writer.0);
        assert_eq!(reader.word(), Some(u64::MAX));
        assert_eq!(reader.strings(), Some(strings));
        assert_eq!(reader.strings(), Some(Vec::new()));
        assert!(reader.descriptor().is_none());
        assert_eq!(reader.word(), None);
        let mut writer = Writer::default();
        writer.words_within(&[1, u64::MAX], 24);
        assert_eq!(Reader(&writer.0).list(), Some(vec![1, u64::MAX]));
        assert!(Reader(&writer.0[..16]).list().is_none());
        writer.words_within(&[1, u64::MAX], 47);
        assert_eq!(Reader(&writer.0[24..]).list(), Some(Vec::new()));
        assert!(Reader(&[2, 0, 0, 0, 0, 0, 0, 0, b'x', 0]).strings().is_none());
    }

    #[test]
    fn what_can_be_changed_is_no_handover() {
        let open = memfd_create(c"test", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap();
        assert!(!is_sealed(&File::from(open)));
        assert!(!is_sealed(&File::open("/proc/self/exe").unwrap()));
        assert!(is_sealed(&File::from(sealed(b"x").unwrap())));
    }

    #[test]
    fn other_arguments_are_no_handover() {
        let args = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(Handover::receive(&args(&["kvm-se", "1023"])).is_none());
        assert!(Handover::receive(&args(&["kvm-se (next program)", "x"])).is_some_and(|inner| inner.is_none()));
    }
}
