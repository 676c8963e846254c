//! What addresses are called: by symbol tables, by DWARF with inlined functions and lines, by what JITs say. Debug
//! information may be in a file of its own, found by build id where Debian and others put it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use addr2line::Loader;
use object::read::{ReadCache, ReadRef};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

use super::jit::JitNames;
use super::model::{self, Function, Kind, Profile};
use super::module::Module;
use super::samples::{Frame, Numbered, Samples};
use crate::proc::sampling::Cause;
use crate::syscall::table;

/// Where separate debug files are.
const DEBUG_FOLDER: &str = "/usr/lib/debug/.build-id";

/// A function and the line in it; of inlined ones there are several for one address.
pub(super) type Place = (Function, u32);

/// The places of each frame, the outermost function first.
pub(super) type Names = HashMap<Frame, Vec<Place>>;

/// Names all frames. `progress` is told how many modules are done, and of how many.
pub(super) fn resolve(samples: &Samples, dumps: &[(u32, PathBuf)], progress: &(dyn Fn(usize, usize) + Sync)) -> Names {
    let mut by_module: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
    let mut nameless: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    let mut names = Names::new();
    for &frame in samples.frames.values() {
        match frame {
            Frame::Code { module, address } => drop(by_module.entry(module).or_default().insert(address)),
            Frame::Nameless { pid, address } => drop(nameless.entry(pid).or_default().insert(address)),
            Frame::Runner(cause) => drop(names.insert(frame, vec![(of_runner(cause), 0)])),
            Frame::Truncated => drop(names.insert(frame, vec![(bracketed("truncated stack", Kind::Kernel), 0)])),
        }
    }
    for (pid, addresses) in nameless {
        let jit = JitNames::of_process(pid, dumps);
        for address in addresses {
            let function = jit.name(address).map_or_else(
                || bracketed("no file", Kind::Jit),
                |name| Function { name: name.to_owned(), kind: Kind::Jit, ..Function::default() },
            );
            names.insert(Frame::Nameless { pid, address }, vec![(function, 0)]);
        }
    }
    let work: Vec<_> = by_module.into_iter().collect();
    let found = Mutex::new(names);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let resolve_some = || {
        while let Some((module, addresses)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let places = of_module(&samples.modules[*module], addresses);
            let frames = addresses.iter().map(|&address| Frame::Code { module: *module, address });
            found.lock().unwrap_or_else(PoisonError::into_inner).extend(frames.zip(places));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, work.len());
        }
    };
    let nr_threads = crate::sys::thread::nr_processors().min(work.len()).max(1);
    std::thread::scope(|scope| (0..nr_threads).for_each(|_| drop(scope.spawn(resolve_some))));
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn of_runner(cause: Cause) -> Function {
    match cause {
        Cause::Syscall(nr) => match table::entry(nr.into()) {
            Some(entry) => bracketed(&format!("syscall {}", entry.name), Kind::Kernel),
            None => bracketed(&format!("syscall {nr}"), Kind::Kernel),
        },
        Cause::PageFault => bracketed("page fault", Kind::Kernel),
        Cause::User | Cause::Other => bracketed("exit", Kind::Kernel),
    }
}

fn bracketed(name: &str, kind: Kind) -> Function {
    Function { name: format!("[{name}]"), kind, ..Function::default() }
}

/// The places of each address, in their order.
fn of_module(module: &Module, addresses: &BTreeSet<u64>) -> Vec<Vec<Place>> {
    let name = module.path.display().to_string();
    let debug = module.build_id.as_deref().and_then(debug_file);
    let mut symbols = Symbols::default();
    let files: Vec<&Path> = debug.as_deref().into_iter().chain(module.file.as_deref()).collect();
    for file in &files {
        if let Ok(file) = std::fs::File::open(file) {
            symbols.read(&ReadCache::new(file));
        }
    }
    if let Some(image) = &module.image {
        symbols.read(&image[..]);
    }
    symbols.sort();
    let functions =
        if addresses.iter().all(|&address| symbols.name(address).is_some()) { Vec::new() } else { module.functions() };
    // What is in a file of its own is not in the other.
    let loader = files.first().and_then(|file| Loader::new(file).ok());
    let file = module.path.file_name().map_or_else(|| name.clone().into(), |name| name.to_string_lossy());
    // A function without a name goes by its place.
    let unknown = |address: u64| {
        let behind = functions.partition_point(|(start, _)| *start <= address);
        match behind.checked_sub(1).and_then(|index| functions.get(index)) {
            Some((start, end)) if address < *end => format!("{file}+{start:#x}"),
            _ => format!("[{}]", file.trim_matches(['[', ']'])),
        }
    };
    let place = |address: u64, function: Option<String>, source: Option<&str>, line| {
        let function = Function {
            name: function.unwrap_or_else(|| unknown(address)),
            module: name.clone(),
            source: source.unwrap_or_default().to_owned(),
            kind: Kind::User,
        };
        (function, line)
    };
    let of_address = |&address: &u64| {
        let symbol = symbols.name(address).map(demangle);
        let mut places = Vec::new();
        if let Some(loader) = &loader
            && let Ok(mut frames) = loader.find_frames(address)
        {
            while let Ok(Some(frame)) = frames.next() {
                let function =
                    frame.function.as_ref().and_then(|function| Some(function.demangle().ok()?.into_owned()));
                let location = frame.location.as_ref();
                let line = location.and_then(|location| location.line).unwrap_or(0);
                places.push(place(address, function, location.and_then(|location| location.file), line));
            }
        }
        places.reverse();
        match places.first_mut() {
            None => places.push(place(address, symbol, None, 0)),
            // The outermost function is what the linker knows.
            Some((outermost, _)) => {
                if let Some(symbol) = symbol {
                    outermost.name = symbol;
                }
            }
        }
        places
    };
    addresses.iter().map(of_address).collect()
}

/// The file with the debug information of what has this build id, if there is one.
fn debug_file(build_id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = build_id.split_first()?;
    let path = Path::new(DEBUG_FOLDER).join(format!("{first:02x}/{}.debug", hex(rest)));
    path.exists().then_some(path)
}

/// In hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name as its language writes it.
fn demangle(name: &str) -> String {
    addr2line::demangle_auto(name.into(), None).into_owned()
}

/// Functions by address.
#[derive(Debug, Default)]
struct Symbols(Vec<Symbol>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    address: u64,
    /// Does it say how long it is?
    has_size: bool,
    /// One behind its last byte.
    end: u64,
    name: String,
}

impl Symbols {
    fn read<'a>(&mut self, data: impl ReadRef<'a>) {
        let Ok(object) = object::File::parse(data) else { return };
        for symbol in object.symbols().chain(object.dynamic_symbols()) {
            let is_code =
                symbol.kind() == SymbolKind::Text || (symbol.kind() == SymbolKind::Unknown && symbol.size() == 0);
            if let Ok(name) = symbol.name()
                && is_code
                && symbol.is_definition()
                && !name.is_empty()
            {
                // What does not say how long it is ends with its section at the latest.
                let section = symbol.section_index().and_then(|index| object.section_by_index(index).ok());
                let end = match symbol.size() {
                    0 => section.map_or_else(|| symbol.address(), |section| section.address() + section.size()),
                    size => symbol.address() + size,
                };
                let has_size = symbol.size() != 0;
                self.0.push(Symbol { address: symbol.address(), has_size, end, name: name.to_owned() });
            }
        }
        for section in object.sections() {
            if section.name().is_ok_and(|name| name.starts_with(".plt")) {
                let (address, end) = (section.address(), section.address() + section.size());
                self.0.push(Symbol { address, has_size: true, end, name: "[plt]".to_owned() });
            }
        }
    }

    fn sort(&mut self) {
        // Of several names of one function, the one with the fewest underscores in front, as perf(1) does.
        let underscores = |symbol: &Symbol| symbol.name.len() - symbol.name.trim_start_matches('_').len();
        self.0
            .sort_by_cached_key(|symbol| (symbol.address, !symbol.has_size, underscores(symbol), symbol.name.clone()));
        self.0.dedup_by_key(|symbol| symbol.address);
    }

    fn name(&self, address: u64) -> Option<&str> {
        let behind = self.0.partition_point(|symbol| symbol.address <= address);
        let symbol = self.0.get(behind.checked_sub(1)?)?;
        (address < symbol.end).then_some(symbol.name.as_str())
    }
}

/// The profile of the samples, with these names; `start` is when it began (CLOCK_MONOTONIC, ns).
pub(super) fn apply(samples: &Samples, names: &Names, start: u64, mut profile: Profile) -> Profile {
    let mut tables = Tables::default();
    let mut stacks: Vec<usize> = Vec::with_capacity(samples.stacks.values().len());
    let frames = samples.frames.values();
    for &(caller, frame) in samples.stacks.values() {
        let frame = frames[frame as usize];
        let mut stack = caller.map(|caller| stacks[caller as usize]);
        let address = match frame {
            Frame::Code { address, .. } | Frame::Nameless { address, .. } => address,
            Frame::Runner(_) | Frame::Truncated => 0,
        };
        for (function, line) in names.get(&frame).into_iter().flatten() {
            let function = tables.functions.number(function) as usize;
            let frame = tables.frames.number(&model::Frame { function, line: *line, address }) as usize;
            stack = Some(tables.stacks.number(&model::Stack { caller: stack, frame }) as usize);
        }
        stacks.push(stack.unwrap_or(0));
    }
    (profile.functions, profile.frames, profile.stacks) =
        (tables.functions.into_values(), tables.frames.into_values(), tables.stacks.into_values());
    profile.modules = samples
        .modules
        .iter()
        .map(|module| model::Module {
            path: module.path.display().to_string(),
            build_id: module.build_id.as_deref().map(hex).unwrap_or_default(),
        })
        .collect();
    let since = |time: u64| time.saturating_sub(start);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    profile.processes = samples
        .processes
        .iter()
        .map(|process| model::Process {
            pid: process.pid,
            name: text(process.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default()),
            start: since(process.start),
            end: process.end.map(since),
            threads: Vec::new(),
            memory: Vec::new(),
        })
        .collect();
    for thread in &samples.threads {
        let of_thread = thread.samples.iter().filter(|sample| sample.weight > 0);
        profile.processes[thread.process].threads.push(model::Thread {
            tid: thread.tid,
            name: text(thread.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default()),
            start: since(thread.start),
            end: since(thread.end),
            samples: of_thread
                .map(|sample| model::Sample {
                    time: since(sample.time),
                    stack: stacks[sample.stack as usize],
                    weight: sample.weight,
                })
                .collect(),
        });
    }
    profile
}

#[derive(Debug, Default)]
struct Tables {
    functions: Numbered<Function>,
    frames: Numbered<model::Frame>,
    stacks: Numbered<model::Stack>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_their_language() {
        assert_eq!(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"), "core::fmt::Write::write_fmt");
        assert_eq!(
            demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"),
            "std::vector<int, std::allocator<int> >::push_back(int const&)"
        );
        assert_eq!(demangle("main"), "main");
    }

    #[test]
    fn an_address_behind_the_end_of_a_function_is_not_its() {
        let symbol = |address, end, name: &str| Symbol { address, has_size: true, end, name: name.into() };
        let mut symbols = Symbols(vec![symbol(16, 32, "__f"), symbol(16, 32, "f"), symbol(40, 50, "g")]);
        symbols.sort();
        assert_eq!((symbols.name(31), symbols.name(32), symbols.name(15)), (Some("f"), None, None));
        assert_eq!((symbols.name(49), symbols.name(1000)), (Some("g"), None));
    }
}
