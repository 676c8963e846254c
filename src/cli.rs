//! The command line.

mod debug;
mod record;
mod stat;
mod trace;
mod verify;

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
pub(crate) use debug::DebugHow;
use kvm_se::loader::exec::{Aslr, Program, c_string};
use kvm_se::loader::layout::{Layout, gem5};
use kvm_se::proc::counting::Counters;
use kvm_se::proc::handover::random_bytes;
use kvm_se::proc::region::{Point, Region, Span};
use kvm_se::proc::{Handover, M5ops, Settings, Stop, Tracing, determinism};
use kvm_se::reference::gdb;
use kvm_se::runner::{Config, c_strings};
use kvm_se::syscall::Observer;
use kvm_se::vm::doctor::exact_counter;
use kvm_se::vm::retired::{ExactCounter, MARGIN};
use kvm_se::x86::CpuModel;
use kvm_se::{Error, sys};
use nix::errno::Errno;
pub(crate) use record::RecordTo;
pub(crate) use stat::StatTo;
pub(crate) use trace::{DumpTo, TraceTo};
pub(crate) use verify::VerifyHow;

const USAGE: &str = "\
kvm-se [OPTIONS] [--] PROG [ARGS]...
       kvm-se record [OPTIONS] [--] PROG [ARGS]...
       kvm-se report FILE
       kvm-se stat [OPTIONS] [--] PROG [ARGS]...
       kvm-se trace [OPTIONS] [--] PROG [ARGS]...
       kvm-se dump FILE | --diff STATE STATE
       kvm-se verify [-n N] [OPTIONS] [--] PROG [ARGS]...
       kvm-se doctor";

const EXAMPLES: &str = "\
Examples:
  kvm-se ./prog args                 run a program
  kvm-se --strace ./prog             show its system calls
  kvm-se --stats --missing ./prog    what did it cost, what did it ask for in vain
  kvm-se --env-clear --env A=1 ./p   with this environment alone
  kvm-se record ./prog args          where does its time go: profile.json.gz
  kvm-se report profile.json.gz      the functions that took most of it
  kvm-se stat ./prog args            what did it cost, by exits, system calls and threads
  kvm-se trace -o t.txt ./prog args  every instruction, with what it does
  kvm-se --deterministic=7 ./prog    run it as seed 7 says, each time alike
  kvm-se verify -n 10 ./prog         is it really the same each time
  kvm-se doctor                      what this machine's KVM can do
  kvm-se record --roi f..exit ./p    from the first call of f to the end
  kvm-se --stop-at f --dump-state s.txt ./p  registers and memory when f is first called
  kvm-se -- doctor                   run a program that is called doctor

REGION of --roi is FROM..TO, FROM.., ..TO, or a function alone: its calls, until they return. FROM and TO are
  NAME, sym=NAME:N     a function is called, of the program or a library, as nm(1) prints its name
  pc=0xADDR:N          the instruction at an address is executed
  syscall=NAME:N       a system call is made
  m5=OP, m5=work_begin:ID, m5=work_end:ID
                       an m5op is executed: work_begin, work_end, reset_stats, dump_stats or dump_reset_stats
With :N a point is the N-th time in the run, counted from 1; without it, each time. All threads and processes are in a
region or outside together. At its end a message says how often it began, and how long it was in all.

Exit status: the program's own; 125 if kvm-se failed, 126 if the program cannot be run, 127 if there is none.";

/// Runs an unmodified Linux x86-64 program as the only thing inside a KVM virtual machine.
#[derive(Debug, Parser)]
#[command(name = "kvm-se", version, about, after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Options {
    /// Add or change a variable of the program's environment
    #[arg(long = "env", value_name = "NAME=VALUE")]
    env: Vec<OsString>,
    /// Start with an empty environment
    #[arg(long)]
    env_clear: bool,
    /// Change to this directory first
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Give the program this name as its argument 0
    #[arg(long, value_name = "NAME")]
    argv0: Option<OsString>,
    /// Randomise addresses, as Linux does by default
    #[arg(long)]
    aslr: bool,
    /// Let every system call leave the guest, as on hardware where that is cheap
    #[arg(long)]
    no_exitless: bool,
    /// Change no code of the program: without this, system calls that are made often become jumps where that is faster
    #[arg(long)]
    no_patch: bool,
    /// Run it the same way each time: SEED decides about the order of threads and random numbers
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "aslr")]
    deterministic: Option<u64>,
    /// Show the program this processor: host, a level of the x86-64 psABI, or gem5; what it lacks is SIGILL, and named
    #[arg(long, value_name = "MODEL", default_value = "host", value_parser = cpu_model, hide_default_value = true)]
    cpu: CpuModel,
    /// Load it where gem5's syscall emulation does (linux or gem5), with its auxiliary vector, names and ids, and no
    /// environment; process numbers are gem5's in deterministic runs
    #[arg(long, value_name = "WHOSE", default_value = "linux", value_parser = <Layout as std::str::FromStr>::from_str, hide_default_value = true, conflicts_with = "aslr")]
    layout: Layout,
    /// In a deterministic run, let others go on where a thread waits for them without a system call, rather than end the run
    #[arg(long)]
    deterministic_step: bool,
    /// Wait for a gdb at a port of this machine or a socket in the file system, and run as it says; with --deterministic, also
    /// backwards
    #[arg(long, value_name = "PORT|PATH", conflicts_with_all = ["deterministic_step", "roi", "m5ops"])]
    gdb: Option<String>,
    /// Record, count and trace only from one point of the run to another: REGION is FROM..TO, FROM.., ..TO, or a call
    #[arg(long, value_name = "REGION", conflicts_with = "deterministic")]
    roi: Option<String>,
    /// Stop the run at a point: icount=N, when N instructions were executed, or NAME, sym=, pc= or syscall= as of a region
    #[arg(long, value_name = "POINT", conflicts_with = "roi")]
    stop_at: Option<String>,
    /// Write registers, what KVM keeps, and a digest of each mapping there; as JSON if FILE ends with .json
    #[arg(long, value_name = "FILE", requires = "stop_at")]
    dump_state: Option<PathBuf>,
    /// Execute gem5's m5ops, which are illegal instructions otherwise; implied by m5= in a region
    #[arg(long, conflicts_with = "deterministic")]
    m5ops: bool,
    /// Let the m5op write_file write to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "deterministic")]
    m5_output: Option<PathBuf>,
    /// Let the m5op read_file read this file
    #[arg(long, value_name = "FILE", conflicts_with = "deterministic")]
    m5_input: Option<PathBuf>,
    /// Show system calls on stderr, or write them to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    strace: Option<Option<PathBuf>>,
    /// At the end, say what the first process cost
    #[arg(long)]
    stats: bool,
    /// At the end, say what the program asked for in vain
    #[arg(long)]
    missing: bool,
    /// List all system calls with their level of support
    #[arg(long)]
    list_syscalls: bool,
    /// Say what kvm-se does, on stderr; twice for more
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The program, looked up in PATH, and its arguments
    #[arg(value_name = "PROG", trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Run a program.
    Run(Box<Run>),
    /// `kvm-se record`
    Record(Box<Run>, RecordTo),
    /// `kvm-se stat`
    Stat(Box<Run>, StatTo),
    /// `kvm-se trace`
    Trace(Box<Run>, TraceTo),
    /// `kvm-se dump`
    Dump(DumpTo),
    /// `kvm-se dump --diff`
    Compare([PathBuf; 2]),
    /// `kvm-se report`
    Report(PathBuf),
    /// `kvm-se verify`
    Verify(VerifyHow),
    /// `--gdb` in a deterministic run
    Debug(Box<DebugHow>),
    /// `kvm-se doctor`
    Doctor,
    /// `--list-syscalls`
    ListSyscalls,
}

/// A run that is to be made.
#[derive(Debug)]
pub(crate) struct Run {
    /// For the library.
    pub(crate) config: Config,
}

/// Reads the command line. Ends the process for `--help` and mistakes.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(handover) = Handover::receive(&args) {
        return handover.map(next_program).ok_or_else(|| Error::Setup(std::io::ErrorKind::InvalidData.into()));
    }
    // Only as the very first word: `kvm-se -- doctor` and `kvm-se ./doctor` are programs.
    if args.get(1).is_some_and(|word| word == "doctor") && args.len() == 2 {
        return Ok(Request::Doctor);
    }
    if args.get(1).is_some_and(|word| word == "record") {
        return record::parse(&args[1..]);
    }
    if args.get(1).is_some_and(|word| word == "report") {
        return record::parse_report(&args[1..]);
    }
    if args.get(1).is_some_and(|word| word == "stat") {
        return stat::parse(&args[1..]);
    }
    if args.get(1).is_some_and(|word| word == "trace") {
        return trace::parse(&args[1..]);
    }
    if args.get(1).is_some_and(|word| word == "dump") {
        return Ok(trace::parse_dump(&args[1..]));
    }
    if args.get(1).is_some_and(|word| word == "verify") {
        return verify::parse(&args[1..]);
    }
    let options = Options::try_parse_from(&args).unwrap_or_else(|error| end_parsing(&error));
    options.into_run()
}

/// Shows the help that was asked for, or ends the process after a mistake.
fn end_parsing(error: &clap::Error) -> ! {
    if error.use_stderr() {
        let text = error.to_string();
        let is_ours = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
        let lines: Vec<&str> =
            text.lines().take_while(is_ours).map(str::trim).filter(|line| !line.is_empty()).collect();
        refuse(lines.join(" ").trim_start_matches("error: "));
    }
    let _ = error.print();
    std::process::exit(0);
}

/// The program that one before it has executed.
fn next_program(handover: Handover) -> Request {
    let Handover { program, file, settings, kept } = handover;
    init_tracing(settings.verbose);
    let observer = Observer::of(&settings);
    let name = OsStr::from_bytes(program.execfn.to_bytes()).to_owned();
    let config = Config { name, file, program, observer, settings, kept: Some(kept), gdb: None };
    Request::Run(Box::new(Run { config }))
}

/// Ends the process after a mistake on the command line.
fn refuse(what: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "kvm-se: {what}\n  kvm-se --help shows how to use it");
    std::process::exit(125);
}

fn init_tracing(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).without_time().init();
}

impl Options {
    /// Ends the process if `--stats` is there, besides `other`, which counts the same.
    fn refuse_stats(&self, other: &str) {
        if self.stats {
            refuse(&format!("--stats is of no use with {other}: kvm-se stat says all of it"));
        }
    }

    /// Ends the process if the run is to stop somewhere.
    fn refuse_stop(&self, other: &str) {
        if self.stop_at.is_some() {
            refuse(&format!("{other} takes no --stop-at"));
        }
    }

    /// Of `--stop-at icount=N`.
    fn instructions_to_stop(&self) -> Option<u64> {
        let count = self.stop_at.as_deref()?.strip_prefix("icount=")?;
        match count.parse() {
            Ok(count) if count > 0 => Some(count),
            _ => refuse(&format!("--stop-at: icount={count}: this is no number from 1 on")),
        }
    }

    fn stop(&self) -> Result<Option<Arc<Stop>>, Error> {
        if self.stop_at.is_none() {
            return Ok(None);
        }
        let state = self.dump_state.as_deref().map(|path| open_trace(Some(path))).transpose()?;
        let is_json = self.dump_state.as_ref().is_some_and(|path| path.extension().is_some_and(|it| it == "json"));
        Ok(Some(Arc::new(Stop { state, is_json, has_stopped: false.into() })))
    }

    /// The program and its arguments, for people.
    fn command_words(&self) -> Vec<String> {
        self.command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    fn into_request(self) -> Result<Request, Error> {
        init_tracing(self.verbose);
        if self.list_syscalls {
            return Ok(Request::ListSyscalls);
        }
        if self.command.is_empty() {
            refuse("no program was named");
        }
        self.to_run().map(|run| Request::Run(Box::new(run)))
    }

    /// As `into_request`, after a gdb has connected if one is to.
    fn into_run(mut self) -> Result<Request, Error> {
        if self.gdb.is_some() && self.deterministic.is_some() {
            return self.into_debug();
        }
        let place = self.gdb.take();
        let mut request = self.into_request()?;
        if let (Request::Run(run), Some(place)) = (&mut request, place) {
            run.config.gdb = Some(wait_for_gdb(&place)?);
        }
        Ok(request)
    }

    fn to_run(&self) -> Result<Run, Error> {
        if self.gdb.is_some() {
            refuse("--gdb is for programs that are run, and not measured or compared");
        }
        let settings = self.settings()?;
        let observer = Observer::of(&settings);
        if let Some(dir) = &self.cwd {
            nix::unistd::chdir(dir).map_err(|source| Error::Option {
                what: "cannot change to",
                path: dir.clone().into(),
                source,
            })?;
        }
        let environment = self.environment();
        let name = &self.command[0];
        let path = find_program(name, &environment)?;
        let file = open_program(name, &path)?;
        let mut argv = c_strings(&self.command);
        if let Some(argv0) = &self.argv0 {
            argv[0] = c_string(argv0.as_bytes());
        }
        let program = Program {
            execfn: c_string(path.as_os_str().as_bytes()),
            argv,
            envp: environment,
            random: random_bytes(settings.determinism.as_deref()),
            aslr: if self.aslr { Aslr::from_random(sys::random_words()) } else { Aslr::default() },
            layout: self.layout,
            is_hidden: false,
        };
        let config = Config { name: name.clone(), file, program, observer, settings, kept: None, gdb: None };
        Ok(Run { config })
    }

    fn environment(&self) -> Vec<CString> {
        let mut environment: Vec<OsString> =
            if self.env_clear || self.layout.is_gem5() { Vec::new() } else { inherited_environment() };
        for entry in &self.env {
            let name = entry.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default();
            let is_same =
                |other: &OsString| other.as_bytes().strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='));
            match environment.iter().position(is_same) {
                Some(place) => environment[place] = entry.clone(),
                None => environment.push(entry.clone()),
            }
        }
        c_strings(&environment)
    }

    fn m5ops_settings(&self) -> Result<M5ops, Error> {
        // The program may change to another folder.
        let absolute = |path: &Option<PathBuf>| {
            let Some(path) = path else { return Ok(None) };
            let option = |error| Error::Option { what: "cannot use", path: path.clone().into(), source: errno(&error) };
            std::path::absolute(path).and_then(std::fs::canonicalize).map(Some).map_err(option)
        };
        let (output, input) = (absolute(&self.m5_output)?, absolute(&self.m5_input)?);
        Ok(M5ops { output, input })
    }

    /// For a deterministic run.
    fn new_board(&self) -> Result<Option<Arc<determinism::Board>>, Error> {
        let Some(seed) = self.deterministic else {
            if self.deterministic_step {
                refuse("--deterministic-step is of no use without --deterministic");
            }
            return Ok(None);
        };
        let board = determinism::Board::new(seed).map_err(Error::Setup)?;
        if self.deterministic_step {
            board.step_threads();
        }
        if self.layout.is_gem5() {
            board.set_first_ids(gem5::ID, gem5::PARENT);
        }
        Ok(Some(Arc::new(board)))
    }

    /// What counts instructions up to `count`, if that is worth it and the processor executes all of them itself.
    fn counter_of(&self, count: u64, has_m5: bool) -> Option<ExactCounter> {
        let is_whole = self.deterministic.is_none() && !self.cpu.is_fixed() && !has_m5 && !self.layout.is_gem5();
        (is_whole && self.roi.is_none() && count > 2 * MARGIN).then(exact_counter).flatten()
    }

    fn settings(&self) -> Result<Settings, Error> {
        let trace = self.strace.as_ref().map(|path| open_trace(path.as_deref())).transpose()?;
        let counted = self.instructions_to_stop();
        let stop_at = self.stop_at.as_ref().filter(|_| counted.is_none()).map(|point| format!("..{point}"));
        let span = self.roi.as_deref().or(stop_at.as_deref()).map(|text| Span::parse(text, &syscall_nr)).transpose();
        let span = span.unwrap_or_else(|what| {
            refuse(&format!("{}: {what}", if stop_at.is_some() { "--stop-at" } else { "--roi" }))
        });
        if stop_at.is_some() && (self.deterministic.is_some() || matches!(&span, Some(Span { to: Point::M5(..), .. })))
        {
            refuse("--stop-at: in a deterministic run only at icount=N, and nowhere at m5ops");
        }
        let stops_in_code = span.as_ref().is_some_and(|span| span.any(Point::is_in_code));
        let has_m5 = span.as_ref().is_some_and(|span| span.any(|point| matches!(point, Point::M5(..))));
        let has_m5 = has_m5 || self.m5ops || self.m5_output.is_some() || self.m5_input.is_some();
        let missing = self.cpu.missing_on_host();
        if !missing.is_empty() {
            return Err(Error::Processor { model: self.cpu.name(), missing: missing.join(", ") });
        }
        let messages =
            if span.is_some() || has_m5 || self.cpu.is_fixed() { Some(Arc::new(open_trace(None)?)) } else { None };
        let region = span.map(|span| Region::new(span).map(Arc::new)).transpose().map_err(Error::Setup)?;
        Ok(Settings {
            first: nix::unistd::getpid(),
            executable: sys::exec::own_executable(),
            trace: trace.map(Arc::new),
            board: None,
            region,
            m5ops: has_m5.then(|| self.m5ops_settings()).transpose()?,
            messages,
            counters: self.stats.then(|| Counters::new(false).map(Arc::new)).transpose().map_err(Error::Setup)?,
            tracing: counted.map(|count| Arc::new(Tracing::counting(count, self.counter_of(count, has_m5)))),
            stop: self.stop()?,
            determinism: self.new_board()?,
            stats: self.stats,
            missing: self.missing,
            aslr: self.aslr,
            exitless: !self.no_exitless && counted.is_none(),
            // What is decoded for that is not what the program has there.
            patch: !self.no_patch && !stops_in_code && counted.is_none(),
            cpu: self.cpu,
            layout: self.layout,
            verbose: self.verbose,
        })
    }
}

fn cpu_model(name: &str) -> Result<CpuModel, String> {
    let names: Vec<&str> = CpuModel::NAMES.iter().map(|(name, _)| *name).collect();
    name.parse().map_err(|_| format!("there are {}", names.join(", ")))
}

fn wait_for_gdb(place: &str) -> Result<gdb::Connection, Error> {
    let tell = |address: &str| {
        let _ = writeln!(std::io::stderr(), "kvm-se: waiting for gdb: target remote {address}");
    };
    let place = gdb::Place::parse(place).unwrap_or_else(|| refuse(&format!("--gdb={place}: ports are 0 to 65535")));
    gdb::Connection::accept(&place, tell).map_err(|error| Error::Option {
        what: "cannot wait for gdb at",
        path: place.to_string().into(),
        source: errno(&error),
    })
}

fn syscall_nr(name: &str) -> Option<u32> {
    kvm_se::syscall::TABLE.iter().find(|entry| entry.name == name).map(|entry| entry.nr.into())
}

/// The environment as it came, entries without `=` and repeated names included.
fn inherited_environment() -> Vec<OsString> {
    sys::environment().into_iter().map(OsString::from_vec).collect()
}

/// The kernel's number for an error that may have none.
pub(crate) fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn open_trace(path: Option<&Path>) -> Result<File, Error> {
    let option = |source: std::io::Error| Error::Option {
        what: "cannot write",
        path: path.unwrap_or_else(|| Path::new("the trace")).into(),
        source: errno(&source),
    };
    let fd = match path {
        None => sys::duplicate_above_guest(libc::STDERR_FILENO),
        Some(path) => File::create(path).and_then(|file| sys::duplicate_above_guest(file.as_raw_fd())),
    };
    Ok(fd.map_err(option)?.into())
}

/// As execvp(3): a name without a slash is looked up in PATH, of the program's environment if it has one.
fn find_program(name: &OsStr, environment: &[CString]) -> Result<PathBuf, Error> {
    const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/bin:/usr/bin";
    if name.as_bytes().contains(&b'/') || name.is_empty() {
        return Ok(name.into());
    }
    let path = environment.iter().find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
    let mut refused = None;
    for dir in path.unwrap_or(DEFAULT_PATH).split(|&byte| byte == b':') {
        let dir = if dir.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(dir) };
        let candidate = Path::new(dir).join(name);
        match nix::unistd::access(&candidate, nix::unistd::AccessFlags::X_OK) {
            Ok(()) if candidate.is_file() => return Ok(candidate),
            Err(Errno::EACCES) => refused = Some(Errno::EACCES),
            _ => {}
        }
    }
    match refused {
        Some(source) => Err(Error::NotAllowed { program: name.into(), source }),
        None => Err(Error::NotFound { program: name.into(), source: Errno::ENOENT }),
    }
}

fn open_program(name: &OsStr, path: &Path) -> Result<File, Error> {
    let not_allowed = |source| Error::NotAllowed { program: name.into(), source };
    let meta = std::fs::metadata(path).map_err(|error| {
        let source = Errno::from_raw(error.raw_os_error().unwrap_or(libc::ENOENT));
        match source {
            Errno::ENOENT | Errno::ENOTDIR => Error::NotFound { program: name.into(), source },
            source => not_allowed(source),
        }
    })?;
    if !meta.is_file() {
        return Err(not_allowed(if meta.is_dir() { Errno::EISDIR } else { Errno::EACCES }));
    }
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).map_err(not_allowed)?;
    let low = File::open(path).map_err(|error| not_allowed(errno(&error)))?;
    let high = sys::duplicate_above_guest(low.as_raw_fd())
        .map_err(|error| not_allowed(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE))))?;
    Ok(high.into())
}
