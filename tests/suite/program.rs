//! The programs that are run: where their sources are, and how they are built.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::machine::{find_program, package};

/// Folders of `testprogs/` whose programs have their own drivers: single tests, and the benchmarks.
const DRIVEN: [&str; 7] = ["guests", "bench", PROFILE, RACES, DETERMINISM, MODELS, TRACE];

/// The folder of the programs that run round after round.
const RACES: &str = "races";

/// The folder of the programs that are run deterministically.
const DETERMINISM: &str = "determinism";

/// The folder of the programs that look at the processor.
const MODELS: &str = "models";

/// The folder of the programs whose instructions are traced, and of those that read traces.
const TRACE: &str = "trace";

/// The folder of the programs that are profiled.
const PROFILE: &str = "profile";

/// What is made of `testprogs/guests`: the executable, its source, and the compiler.
const GUESTS: [(&str, &str, Compiler); 8] = [
    ("show", "show.c", Compiler::Gcc),
    ("one_gibibyte", "one_gibibyte.c", Compiler::Gcc),
    ("one_tebibyte", "one_tebibyte.c", Compiler::Gcc),
    ("dense_memory", "dense_memory.c", Compiler::Gcc),
    ("hot_calls", "hot_calls.c", Compiler::GccPie),
    ("tour_of_glibc", "tour.c", Compiler::Gcc),
    ("tour_of_musl", "tour.c", Compiler::MuslGcc),
    ("tour_of_rust", "tour.rs", Compiler::Rustc),
];

/// A program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The folder below `testprogs/`.
    pub(crate) area: String,
    /// Name of the executable.
    pub(crate) name: String,
    source: PathBuf,
    compiler: Compiler,
}

/// Makes a static program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Compiler {
    /// With glibc, or with no library at all.
    Gcc,
    /// The same, position-independent: its place is near the top of user space.
    GccPie,
    /// With musl.
    MuslGcc,
    /// With Rust's standard library.
    Rustc,
}

impl Compiler {
    /// The command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gcc | Self::GccPie => "gcc",
            Self::MuslGcc => "musl-gcc",
            Self::Rustc => "rustc",
        }
    }

    /// Whether what it makes can be run here.
    pub(crate) fn is_usable(self) -> bool {
        prebuilt().is_some() || matches!(self, Self::Rustc) || find_program(self.name()).is_some()
    }

    fn command(self, source: &Path, flags: &str, to: &Path) -> Command {
        let mut command = Command::new(self.name());
        match self {
            Self::Gcc | Self::GccPie | Self::MuslGcc => {
                let form = if matches!(self, Self::GccPie) { "-static-pie" } else { "-static" };
                command.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", form, "-I"]);
                command.arg(package().join("testprogs")).arg("-o").arg(to).arg(source);
                command.args(flags.split_whitespace());
            }
            Self::Rustc => {
                command.args(["--edition=2024", "-O", "-Dwarnings", "-Ctarget-feature=+crt-static", "-o"]);
                command.arg(to).arg(source);
            }
        }
        command
    }
}

impl Program {
    /// A program of `testprogs/guests`.
    pub(crate) fn guest(name: &str) -> Result<Self, String> {
        guests().find(|guest| guest.name == name).ok_or_else(|| format!("no guest is called {name}"))
    }

    /// A program of another folder.
    pub(crate) fn named(area: &str, name: &str) -> Result<Self, String> {
        let found = all()?.into_iter().find(|program| program.area == area && program.name == name);
        found.ok_or_else(|| format!("there is no {area}/{name}"))
    }

    /// A program of `testprogs/profile`.
    pub(crate) fn profiled(name: &str) -> Result<Self, String> {
        let found = profiled()?.into_iter().find(|program| program.name == name);
        found.ok_or_else(|| format!("there is no {PROFILE}/{name}"))
    }

    /// A program of `testprogs/determinism`.
    pub(crate) fn determinism(name: &str) -> Result<Self, String> {
        let found = deterministic()?.into_iter().find(|program| program.name == name);
        found.ok_or_else(|| format!("there is no {DETERMINISM}/{name}"))
    }

    /// A program of `testprogs/models`.
    pub(crate) fn model(name: &str) -> Result<Self, String> {
        let found = of_models()?.into_iter().find(|program| program.name == name);
        found.ok_or_else(|| format!("there is no {MODELS}/{name}"))
    }

    /// A program of `testprogs/trace`.
    pub(crate) fn traced(name: &str) -> Result<Self, String> {
        let found = traced()?.into_iter().find(|program| program.name == name);
        found.ok_or_else(|| format!("there is no {TRACE}/{name}"))
    }

    /// The compiler that makes it.
    pub(crate) fn compiler(&self) -> Compiler {
        self.compiler
    }

    /// The executable, built now if it is older than what it is made from.
    pub(crate) fn executable(&self) -> Result<PathBuf, String> {
        if let Some(dir) = prebuilt() {
            return Ok(self.place_below(&dir));
        }
        let place = self.place_below(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("testprogs"));
        self.build(&place)?;
        Ok(place)
    }

    fn place_below(&self, dir: &Path) -> PathBuf {
        dir.join(&self.area).join(&self.name)
    }

    fn build(&self, place: &Path) -> Result<(), String> {
        let io_error = |error: io::Error| format!("{}: {error}", place.display());
        if is_newer(place, &self.source).map_err(io_error)? {
            return Ok(());
        }
        let folder = place.parent().unwrap_or(place);
        fs::create_dir_all(folder).map_err(io_error)?;
        // Other tests may want the same program at the same time: it appears complete or not at all.
        let scratch = tempfile::tempdir_in(folder).map_err(io_error)?;
        let fresh = scratch.path().join(&self.name);
        let source = fs::read_to_string(&self.source).map_err(io_error)?;
        let first_line = source.lines().next().unwrap_or_default();
        let flags = first_line.strip_prefix("// cflags: ").unwrap_or_default();
        let mut command = self.compiler.command(&self.source, flags, &fresh);
        let output = command.output().map_err(|error| format!("{}: {error}", self.compiler.name()))?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        fs::rename(&fresh, place).map_err(io_error)
    }
}

/// All programs of `testprogs/` that show what they do by their output, by area and name.
pub(crate) fn all() -> Result<Vec<Program>, String> {
    of_areas(|area| !DRIVEN.iter().any(|driven| area.ends_with(driven)))
}

/// The programs that are profiled.
fn profiled() -> Result<Vec<Program>, String> {
    of_areas(|area| area.ends_with(PROFILE))
}

/// The programs that are run deterministically.
fn deterministic() -> Result<Vec<Program>, String> {
    of_areas(|area| area.ends_with(DETERMINISM))
}

/// The programs that look at the processor.
fn of_models() -> Result<Vec<Program>, String> {
    of_areas(|area| area.ends_with(MODELS))
}

/// The programs that are traced, and those that read traces.
fn traced() -> Result<Vec<Program>, String> {
    of_areas(|area| area.ends_with(TRACE))
}

/// The programs that run round after round.
pub(crate) fn races() -> Result<Vec<Program>, String> {
    of_areas(|area| area.ends_with(RACES))
}

fn of_areas(is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<Program>, String> {
    let root = prebuilt().unwrap_or_else(|| package().join("testprogs"));
    let mut programs = Vec::new();
    for area in entries(&root)?.into_iter().filter(|area| area.is_dir() && is_wanted(area)) {
        let sources = entries(&area)?.into_iter().filter(|file| is_source(file) || prebuilt().is_some());
        programs.extend(sources.map(|source| Program {
            area: file_name(area.file_name()),
            name: file_name(source.file_stem()),
            source,
            compiler: Compiler::Gcc,
        }));
    }
    Ok(programs)
}

/// Builds all programs into `dir`, for a machine that has no compiler.
pub(crate) fn build_all(dir: &Path) -> Result<(), String> {
    all()?
        .into_iter()
        .chain(profiled()?)
        .chain(races()?)
        .chain(traced()?)
        .chain(deterministic()?)
        .chain(of_models()?)
        .chain(guests())
        .try_for_each(|program| program.build(&program.place_below(dir)))
}

fn guests() -> impl Iterator<Item = Program> {
    GUESTS.into_iter().map(|(name, source, compiler)| Program {
        area: "guests".into(),
        name: name.into(),
        source: package().join("testprogs/guests").join(source),
        compiler,
    })
}

/// The folder where they lie ready, if they do.
pub(crate) fn prebuilt() -> Option<PathBuf> {
    std::env::var_os("KVM_SE_TESTPROGS").map(PathBuf::from)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    list().map_err(|error| format!("{}: {error}", dir.display()))
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c" || extension == "S")
}

fn file_name(name: Option<&OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether `place` exists and is newer than `source` and every header.
fn is_newer(place: &Path, source: &Path) -> io::Result<bool> {
    let Ok(built) = fs::metadata(place).and_then(|meta| meta.modified()) else { return Ok(false) };
    Ok(fs::metadata(source)?.modified()? < built && newest_header(&package().join("testprogs"))? < built)
}

fn newest_header(dir: &Path) -> io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            newest = newest.max(newest_header(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "h") {
            newest = newest.max(fs::metadata(&path)?.modified()?);
        }
    }
    Ok(newest)
}
