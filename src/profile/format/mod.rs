//! Profiles as files, one module for each format.

mod callgrind;
mod firefox;
mod flamegraph;
mod folded;
mod perf_script;
mod pprof;
mod speedscope;

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::model::Profile;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The processed profile of the Firefox Profiler: JSON.
    Firefox,
    /// `profile.proto` of pprof.
    Pprof,
    /// A stack and its weight in us a line.
    Folded,
    /// A flame graph as a picture.
    Flamegraph,
    /// JSON of speedscope.
    Speedscope,
    /// What callgrind_annotate and KCachegrind read.
    Callgrind,
    /// What `perf script` prints.
    PerfScript,
}

type Reader = fn(&[u8]) -> Option<Stacks>;

/// How one format is called, written and read.
struct Entry {
    format: Format,
    name: &'static str,
    /// Ends of file names that mean it.
    suffixes: &'static [&'static str],
    /// Is it compressed whatever the file is called?
    is_compressed: bool,
    write: fn(&Profile, &mut dyn Write) -> io::Result<()>,
    /// Reads stacks and their weights, if `report` can.
    read: Option<Reader>,
}

static FORMATS: &[Entry] = &[
    Entry {
        format: Format::Speedscope,
        name: "speedscope",
        suffixes: &[".speedscope.json"],
        is_compressed: false,
        write: speedscope::write,
        read: Some(speedscope::read),
    },
    Entry {
        format: Format::Firefox,
        name: "firefox",
        suffixes: &[".json"],
        is_compressed: false,
        write: firefox::write,
        read: Some(firefox::read),
    },
    Entry {
        format: Format::Pprof,
        name: "pprof",
        suffixes: &[".pb", ".pprof", ".prof"],
        is_compressed: true,
        write: pprof::write,
        read: Some(pprof::read),
    },
    Entry {
        format: Format::Folded,
        name: "folded",
        suffixes: &[".folded", ".collapsed"],
        is_compressed: false,
        write: folded::write,
        read: Some(folded::read),
    },
    Entry {
        format: Format::Flamegraph,
        name: "flamegraph",
        suffixes: &[".svg"],
        is_compressed: false,
        write: flamegraph::write,
        read: None,
    },
    Entry {
        format: Format::Callgrind,
        name: "callgrind",
        suffixes: &[".callgrind"],
        is_compressed: false,
        write: callgrind::write,
        read: None,
    },
    Entry {
        format: Format::PerfScript,
        name: "perf-script",
        suffixes: &[".perf", ".script"],
        is_compressed: false,
        write: perf_script::write,
        read: None,
    },
];

impl Format {
    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|entry| entry.name)
    }

    /// The format that is called `name`.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|entry| entry.name == name).map(|entry| entry.format)
    }

    /// The format that a file of this name has.
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").unwrap_or(name);
        if name.starts_with("callgrind.out") {
            return Some(Self::Callgrind);
        }
        let has = |entry: &&Entry| entry.suffixes.iter().any(|suffix| name.ends_with(suffix));
        FORMATS.iter().find(has).map(|entry| entry.format)
    }

    fn entry(self) -> &'static Entry {
        FORMATS.iter().find(|entry| entry.format == self).unwrap_or(&FORMATS[0])
    }

    /// The bytes of a file called `path`: compressed if it ends in `.gz`, or always is.
    pub fn encode(self, profile: &Profile, path: &Path) -> io::Result<Vec<u8>> {
        let entry = self.entry();
        let mut bytes = Vec::new();
        if entry.is_compressed || path.extension() == Some(OsStr::new("gz")) {
            let mut encoder = GzEncoder::new(bytes, Compression::default());
            (entry.write)(profile, &mut encoder)?;
            return encoder.finish();
        }
        (entry.write)(profile, &mut bytes)?;
        Ok(bytes)
    }
}

/// What a file says of stacks.
#[derive(Clone, Debug)]
pub struct Stacks {
    /// Do they weigh time, in ns? If not, page faults.
    pub is_time: bool,
    /// Names of the functions of a stack, the outermost first, and what it weighs.
    pub all: Vec<(Vec<String>, u64)>,
}

impl Default for Stacks {
    /// None, of time.
    fn default() -> Self {
        Self { is_time: true, all: Vec::new() }
    }
}

/// The stacks in a file that kvm-se wrote; `None` if it is of no format that can be read back.
pub fn decode(bytes: &[u8]) -> Option<Stacks> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let mut plain = Vec::new();
    let bytes = if bytes.starts_with(GZIP) {
        GzDecoder::new(bytes).read_to_end(&mut plain).ok()?;
        &plain
    } else {
        bytes
    };
    FORMATS.iter().filter_map(|entry| entry.read).find_map(|read| read(bytes))
}

/// Microseconds, rounded.
fn microseconds(ns: u64) -> u64 {
    (ns + 500) / 1000
}

/// A function's name where blanks, semicolons and ends of lines mean something.
fn plain(name: &str) -> String {
    name.chars().map(|letter| if matches!(letter, ';' | '\n' | '\r' | '\0') { ':' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::{Event, Frame, Function, Kind, Module, Process, Sample, Stack, Thread};
    use super::*;

    /// Two threads: `main` calls `work` by way of an inlined function, and a system call.
    pub(super) fn profile() -> Profile {
        let function = |name: &str, module: &str, kind| Function {
            name: name.into(),
            module: module.into(),
            source: if module.is_empty() { String::new() } else { "a.c".into() },
            kind,
        };
        let frame = |function, line| Frame { function, line, address: 0x1000 + u64::from(line) };
        let stack = |caller, frame| Stack { caller, frame };
        let sample = |time, stack, weight| Sample { time, stack, weight };
        let thread = |tid, samples| Thread { tid, name: format!("t{tid}"), start: 0, end: 4_000_000, samples };
        Profile {
            command: vec!["./prog".into(), "a b".into()],
            start: 1_700_000_000_000_000_000,
            duration: 4_000_000,
            interval: 1_001_001,
            event: Event::Cpu,
            modules: vec![Module { path: "/bin/prog".into(), build_id: "ab12".into() }],
            functions: vec![
                function("main", "/bin/prog", Kind::User),
                function("work(int; char)", "/bin/prog", Kind::User),
                function("[syscall read]", "", Kind::Kernel),
                function("jit", "", Kind::Jit),
            ],
            frames: vec![frame(0, 10), frame(1, 20), frame(2, 0), frame(3, 0)],
            stacks: vec![stack(None, 0), stack(Some(0), 1), stack(Some(1), 2), stack(Some(1), 3), stack(Some(1), 1)],
            processes: vec![Process {
                pid: 7,
                name: "prog".into(),
                start: 0,
                end: Some(4_000_000),
                threads: vec![
                    thread(7, vec![sample(1_000_000, 1, 3_000_000), sample(2_000_000, 2, 1_000_000)]),
                    thread(8, vec![sample(1_500_000, 4, 2_000_000), sample(1_700_000, 3, 500_000)]),
                ],
                memory: Vec::new(),
            }],
        }
    }

    #[test]
    fn what_report_reads_is_what_was_written() {
        for entry in FORMATS.iter().filter(|entry| entry.read.is_some()) {
            for suffix in ["", ".gz"] {
                let path = format!("x{}{suffix}", entry.suffixes[0]);
                assert_eq!(Format::of_file(Path::new(&path)), Some(entry.format), "{path}");
                let bytes = entry.format.encode(&profile(), Path::new(&path)).unwrap();
                let stacks = decode(&bytes).unwrap_or_else(|| panic!("{path}"));
                assert!(stacks.is_time, "{path}");
                let stacks = stacks.all;
                let total: u64 = stacks.iter().map(|(_, weight)| weight).sum();
                assert_eq!(total, 6_500_000, "{path}");
                let in_read = |stack: &[String]| stack.last().is_some_and(|name| name == "[syscall read]");
                let read: Vec<_> = stacks.iter().filter(|(stack, _)| in_read(stack)).collect();
                assert_eq!(read.len(), 1, "{path}");
                assert_eq!(read[0].1, 1_000_000, "{path}");
                let names: Vec<&str> = read[0].0.iter().map(String::as_str).collect();
                assert!(names.ends_with(&["main", names[names.len() - 2], "[syscall read]"]), "{path}: {names:?}");
                assert!(decode(&bytes[..bytes.len() / 2]).is_none_or(|half| half.all.len() < stacks.len()), "{path}");
            }
        }
        assert!(decode(b"").is_none() && decode(b"<svg/>").is_none() && decode(&[0x1f, 0x8b]).is_none());
    }

    #[test]
    fn page_faults_are_no_time() {
        let mut profile = profile();
        profile.event = Event::Faults;
        profile.processes[0].threads[0].samples.iter_mut().for_each(|sample| sample.weight = 1);
        profile.processes[0].threads.truncate(1);
        for entry in FORMATS.iter().filter(|entry| entry.read.is_some()) {
            let bytes = entry.format.encode(&profile, Path::new("x")).unwrap();
            let stacks = decode(&bytes).unwrap();
            let total: u64 = stacks.all.iter().map(|(_, weight)| weight).sum();
            assert_eq!((stacks.is_time, total), (false, 2), "{}", entry.name);
        }
    }

    #[test]
    fn files_are_known_by_their_names() {
        let of = |name: &str| Format::of_file(Path::new(name));
        assert_eq!(of("profile.json.gz"), Some(Format::Firefox));
        assert_eq!(of("a.speedscope.json"), Some(Format::Speedscope));
        assert_eq!(of("x/callgrind.out.12"), Some(Format::Callgrind));
        assert_eq!((of("a.svg"), of("a.pb.gz"), of("a.out")), (Some(Format::Flamegraph), Some(Format::Pprof), None));
    }

    #[test]
    fn each_format_is_found_by_its_name() {
        assert!(Format::names().all(|name| Format::named(name).is_some_and(|format| format.entry().name == name)));
        assert_eq!(Format::named("perf"), None);
    }
}
