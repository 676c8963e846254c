//! `stat`, `statm`, `status`, `limits` and `syscall` (the kernel's `fs/proc/array.c`, `fs/proc/base.c`): the host's text, with what
//! it says of the runner replaced.

use std::fmt::Write;

use nix::unistd::Pid;

use super::workers::worker;
use crate::abi::PAGE_SIZE;
use crate::mm::{Landmarks, Sizes};
use crate::proc::limits::{KeptResource, Rlimit};
use crate::proc::{Process, Task};
use crate::signal::mask::{MAX_SIGNAL, SigSet};
use crate::sys::descriptor::guest_limit;

/// Bytes in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resident {
    all: u64,
    /// Of files and shared memory.
    shared: u64,
}

impl Resident {
    /// What is the runner's, as long as there is no guest. Nothing, where there is no /proc.
    pub(super) fn of_runner() -> Self {
        std::fs::read("/proc/self/statm").map_or_else(|_| Self::default(), |text| Self::of_statm(&text))
    }

    fn of_statm(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut pages = text.split_ascii_whitespace().skip(1).map(|field| field.parse().unwrap_or(0));
        let mut next = || pages.next().unwrap_or(0) * PAGE_SIZE;
        Self { all: next(), shared: next() }
    }

    /// Less what is the runner's, and no more than is mapped.
    fn less(self, runner: Self, mapped: u64) -> Self {
        let all = self.all.saturating_sub(runner.all).min(mapped);
        Self { all, shared: self.shared.saturating_sub(runner.shared).min(all) }
    }

    fn anonymous(self) -> u64 {
        self.all - self.shared
    }
}

/// What memory the guest's program has.
struct Memory {
    sizes: Sizes,
    landmarks: Landmarks,
    runner: Resident,
}

impl Memory {
    fn of(task: &Task) -> Self {
        let mm = &task.process.mm;
        Self { sizes: mm.sizes(), landmarks: mm.landmarks(), runner: task.process.views.runner }
    }

    /// Bytes of the program's own code; the rest is that of libraries.
    fn text(&self) -> u64 {
        let (start, end) = self.landmarks.code;
        end.next_multiple_of(PAGE_SIZE).saturating_sub(start / PAGE_SIZE * PAGE_SIZE).min(self.sizes.now.code)
    }

    /// What the host says is in memory, without the runner.
    fn resident(&self, host: Resident) -> Resident {
        host.less(self.runner, self.sizes.now.total)
    }
}

/// Most memory that the calling process has had since its program began, in bytes, and the guest's part of it; 0 where
/// there is no /proc.
pub(in crate::proc) fn peak_memory(process: &Process) -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = value_of(&text, "VmHWM").and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let all = kib.unwrap_or(0) * 1024;
    (all, all.saturating_sub(process.views.runner.all).min(process.mm.sizes().peak))
}

/// `statm` (`proc_pid_statm`)
pub(super) fn statm(task: &Task, host: &[u8]) -> Vec<u8> {
    let memory = Memory::of(task);
    let Resident { all, shared } = memory.resident(Resident::of_statm(host));
    let usage = memory.sizes.now;
    let pages = [usage.total, all, shared, memory.text(), 0, usage.data + usage.stack, 0];
    let words: Vec<String> = pages.iter().map(|bytes| (bytes / PAGE_SIZE).to_string()).collect();
    format!("{}\n", words.join(" ")).into_bytes()
}

/// `stat` (`do_task_stat`)
pub(super) fn stat(task: &Task, thread: Pid, host: &[u8]) -> Vec<u8> {
    // The name before the last parenthesis may hold anything.
    let Some(name_end) = host.iter().rposition(|&byte| byte == b')') else { return host.to_vec() };
    let rest = String::from_utf8_lossy(&host[name_end + 1..]).into_owned();
    let mut fields: Vec<String> = rest.split_ascii_whitespace().map(str::to_owned).collect();
    let memory = Memory::of(task);
    let host_threads = field(&fields, 20);
    let host_resident = Resident { all: field(&fields, 24) * PAGE_SIZE, shared: u64::MAX };
    let resident = memory.resident(host_resident).all;
    let Landmarks { code, data, stack, args, env } = memory.landmarks;
    let signals = Signals::of(task, thread);
    let mut set = |number: usize, value: u64| {
        // Numbers as in proc_pid_stat(5), of which the name is the second.
        if let Some(field) = fields.get_mut(number - 3) {
            *field = value.to_string();
        }
    };
    if let Some(threads) = guest_threads(host_threads) {
        set(20, threads);
    }
    set(23, memory.sizes.now.total);
    set(24, resident / PAGE_SIZE);
    set(26, code.0);
    set(27, code.1);
    set(28, stack);
    if let Some(blocked) = signals.blocked {
        // As signed 32-bit numbers, of old.
        set(32, blocked.bits() & 0x7fff_ffff);
    }
    set(33, signals.ignored.bits() & 0x7fff_ffff);
    set(34, signals.caught.bits() & 0x7fff_ffff);
    for (number, value) in (45..).zip([data.0, data.1, task.process.mm.brk().start, args.0, args.1, env.0, env.1]) {
        set(number, value);
    }
    let mut text = host[..=name_end].to_vec();
    text.extend_from_slice(format!(" {}\n", fields.join(" ")).as_bytes());
    text
}

/// A field by its number in proc_pid_stat(5).
fn field(fields: &[String], number: usize) -> u64 {
    fields.get(number - 3).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// `status` (`proc_pid_status`)
pub(super) fn status(task: &Task, thread: Pid, host: &[u8]) -> Vec<u8> {
    let host = String::from_utf8_lossy(host).into_owned();
    let memory = Memory::of(task);
    let signals = Signals::of(task, thread);
    let kib = |key: &str| value_of(&host, key).and_then(|value| value.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let bytes = |key: &str| kib(key).unwrap_or(0) * 1024;
    let now = memory.resident(Resident { all: bytes("VmRSS"), shared: bytes("RssFile") + bytes("RssShmem") });
    let usage = memory.sizes.now;
    let mut text = String::new();
    for line in host.lines() {
        let key = line.split_once(':').map_or(line, |(key, _)| key);
        let amount = match key {
            "VmPeak" => memory.sizes.peak,
            "VmSize" => usage.total,
            "VmLck" => usage.locked,
            "VmHWM" => bytes("VmHWM").saturating_sub(memory.runner.all).min(memory.sizes.peak),
            "VmRSS" => now.all,
            "RssAnon" => now.anonymous(),
            "RssFile" => now.shared.saturating_sub(bytes("RssShmem")),
            "VmData" => usage.data,
            "VmStk" => usage.stack,
            "VmExe" => memory.text(),
            "VmLib" => usage.code - memory.text(),
            _ => {
                write_line(&mut text, key, line, &signals);
                continue;
            }
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key}:\t{:>8} kB", amount / 1024);
    }
    text.into_bytes()
}

fn write_line(text: &mut String, key: &str, line: &str, signals: &Signals) {
    let host_set = || line.split_once('\t').and_then(|(_, bits)| u64::from_str_radix(bits, 16).ok()).unwrap_or(0);
    let set = match key {
        "SigPnd" => Some(SigSet::from_bits(host_set()).union(signals.pending)),
        "SigBlk" => signals.blocked,
        "SigIgn" => Some(signals.ignored),
        "SigCgt" => Some(signals.caught),
        _ => None,
    };
    let _ = match (set, key) {
        (Some(set), _) => writeln!(text, "{key}:\t{:016x}", set.bits()),
        (None, "FDSize") => writeln!(text, "{key}:\t{}", table_size()),
        (None, "Threads") => {
            let host = line.split_once('\t').and_then(|(_, count)| count.parse().ok()).unwrap_or(1);
            writeln!(text, "{key}:\t{}", guest_threads(host).unwrap_or(host))
        }
        (None, _) => writeln!(text, "{line}"),
    };
}

/// How many of the host's threads are the guest's, if not all.
fn guest_threads(host: u64) -> Option<u64> {
    if host > 1 { worker().map(|_| host - 1) } else { None }
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
}

/// Slots of the descriptor table that the guest's own descriptors need (`alloc_fdtable` in the kernel's `fs/file.c`).
fn table_size() -> u64 {
    const FIRST: u64 = 64;
    const STEP: u64 = 256;
    let limit = u64::from(guest_limit().unsigned_abs());
    let own = |name: &std::ffi::OsStr| name.to_str()?.parse::<u64>().ok().filter(|&fd| fd < limit);
    let highest = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| own(&entry.ok()?.file_name()))
        .max()
        .unwrap_or(0);
    if highest < FIRST { FIRST } else { (highest / STEP + 1).next_power_of_two() * STEP }
}

/// Signals as the guest set them.
struct Signals {
    pending: SigSet,
    /// Known of the thread alone that asks.
    blocked: Option<SigSet>,
    ignored: SigSet,
    caught: SigSet,
}

impl Signals {
    fn of(task: &Task, thread: Pid) -> Self {
        let is_own = thread == task.tid();
        let with = |is_wanted: fn(u64) -> bool| {
            (1..=MAX_SIGNAL)
                .filter(|&signal| task.process.actions.action(signal).is_ok_and(|action| is_wanted(action.handler)))
                .fold(SigSet::EMPTY, |set, signal| set.union(SigSet::only(signal)))
        };
        Self {
            pending: if is_own { task.signals.held_now() } else { SigSet::EMPTY },
            blocked: is_own.then(|| task.signals.mask()),
            ignored: with(|handler| handler == libc::SIG_IGN as u64),
            caught: with(|handler| handler != libc::SIG_IGN as u64 && handler != libc::SIG_DFL as u64),
        }
    }
}

/// `limits` (`proc_pid_limits`)
pub(super) fn limits(task: &Task, host: &[u8]) -> Vec<u8> {
    const KEPT: [(&str, KeptResource); 5] = [
        ("Max data size", KeptResource::Data),
        ("Max stack size", KeptResource::Stack),
        ("Max open files", KeptResource::Descriptors),
        ("Max locked memory", KeptResource::Locked),
        ("Max address space", KeptResource::AddressSpace),
    ];
    let process = &task.process;
    let mut text = String::new();
    for line in String::from_utf8_lossy(host).lines() {
        let kept = KEPT.iter().find(|(name, _)| line.starts_with(name));
        let limit = kept.and_then(|(name, kept)| Some((name, process.limits.replace(&process.mm, *kept, None).ok()?)));
        // Writing to a string cannot fail.
        let _ = match limit {
            Some((name, Rlimit { soft, hard })) => {
                let unit = line.split_ascii_whitespace().next_back().unwrap_or("");
                writeln!(text, "{name:<25} {:<20} {:<20} {unit:<10}", limit_text(soft), limit_text(hard))
            }
            None => writeln!(text, "{line}"),
        };
    }
    text.into_bytes()
}

fn limit_text(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() }
}

/// `syscall` (`proc_pid_syscall`); another thread counts as running.
pub(super) fn system_call(task: &Task, thread: Pid) -> Vec<u8> {
    if thread != task.tid() {
        return b"running\n".to_vec();
    }
    let regs = task.vcpu.regs();
    let mut text = regs.syscall_nr().to_string();
    for value in regs.syscall_args().into_iter().chain([regs.rsp, regs.rip]) {
        // Writing to a string cannot fail.
        let _ = write!(text, " {value:#x}");
    }
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_is_taken_off() {
        let host = Resident::of_statm(b"1000 30 20 5 0 100 0\n");
        assert_eq!(host, Resident { all: 30 * PAGE_SIZE, shared: 20 * PAGE_SIZE });
        let runner = Resident { all: 10 * PAGE_SIZE, shared: 8 * PAGE_SIZE };
        let own = host.less(runner, 1 << 30);
        assert_eq!((own.all, own.shared, own.anonymous()), (20 * PAGE_SIZE, 12 * PAGE_SIZE, 8 * PAGE_SIZE));
        assert_eq!(host.less(runner, PAGE_SIZE).all, PAGE_SIZE, "no more than is mapped");
        assert_eq!(runner.less(host, 1 << 30), Resident::default());
    }

    #[test]
    fn a_line_is_found_by_its_key() {
        assert_eq!(value_of("Name:\tx\nVmRSS:\t    1764 kB\n", "VmRSS"), Some("\t    1764 kB"));
        assert_eq!(value_of("Name:\tx\n", "VmRSS"), None);
    }
}
