//! The command lines of `kvm-se record` and `kvm-se report`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use kvm_se::Error;
use kvm_se::profile::Format;
use kvm_se::profile::model::Event;

use super::{Options, Request, end_parsing, refuse};

const EXAMPLES: &str = "\
Examples:
  kvm-se record ./prog args                    then open profile.json.gz in profiler.firefox.com
  kvm-se record -o flame.svg ./prog            a flame graph
  kvm-se record -o prog.pb.gz ./prog           then go tool pprof -top prog.pb.gz
  kvm-se record -e faults -o mem.svg ./prog    which code uses memory for the first time
  kvm-se record --wall -o slow.json.gz ./prog  sleeping and waiting as well

The format is that of FILE's name: .json firefox, .pb pprof, .folded, .svg, .speedscope.json, callgrind.out*, .perf;
with .gz, compressed.";

/// Runs a program, and records where it and what it starts spend their time.
#[derive(Debug, Parser)]
struct RecordOptions {
    /// Samples a second [default: 999, or fewer where those would take more than 2.5 % of the time]
    #[arg(short = 'F', long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    frequency: Option<u32>,
    /// All time, that in which threads sleep as well; without it, processor time
    #[arg(long)]
    wall: bool,
    /// What is recorded: processor time, or each page that is used for the first time
    #[arg(short, long, value_name = "EVENT", default_value = "cpu-clock", conflicts_with = "wall", value_parser = ["cpu-clock", "page-faults", "faults"])]
    event: String,
    /// Where the profile goes
    #[arg(short, long, value_name = "FILE", default_value = "profile.json.gz")]
    output: PathBuf,
    /// What it is, whatever FILE is called
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::names()))]
    format: Option<String>,
    /// Where a timeline of system calls, faults and signals goes, as a Chrome trace
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// Where a table goes of the memory that was in use in each interval, by mapping: JSON if FILE ends in .json, else text
    #[arg(long, value_name = "FILE", conflicts_with = "roi")]
    memory: Option<PathBuf>,
    /// Length of an interval of --memory, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100, requires = "memory", value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    memory_interval: u32,
    /// Say nothing but what went wrong
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    run: Options,
}

/// What is recorded, and where it goes.
#[derive(Debug)]
pub(crate) struct RecordTo {
    /// Samples a second, if the user says.
    pub(crate) frequency: Option<u32>,
    /// What is sampled.
    pub(crate) event: Event,
    /// How often the use of memory is measured, if it is.
    pub(crate) memory_interval: Option<Duration>,
    /// The file.
    pub(crate) path: PathBuf,
    /// Its format.
    pub(crate) format: Format,
    /// Where a timeline goes.
    pub(crate) timeline: Option<PathBuf>,
    /// Where a table of memory goes.
    pub(crate) memory: Option<PathBuf>,
    /// Say how many samples there are?
    pub(crate) is_quiet: bool,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

/// Reads what follows `kvm-se`, of which the first word is `record`.
pub(super) fn parse(args: &[OsString]) -> Result<Request, Error> {
    use clap::{CommandFactory, FromArgMatches};
    let command = RecordOptions::command()
        .name("kvm-se record")
        .bin_name("kvm-se record")
        .about("Runs a program, and records where it and what it starts spend their time.")
        .override_usage("kvm-se record [OPTIONS] [--] PROG [ARGS]...")
        .after_help(EXAMPLES);
    let matches = command.try_get_matches_from(args).unwrap_or_else(|error| end_parsing(&error));
    let options = RecordOptions::from_arg_matches(&matches).unwrap_or_else(|error| end_parsing(&error));
    let named = options.format.as_deref().and_then(Format::named);
    let Some(format) = named.or_else(|| Format::of_file(&options.output)) else {
        let path = options.output.display();
        refuse(&format!("{path}: the name says no format; --format takes one of: {}", names()));
    };
    options.run.refuse_stop("record");
    if options.timeline.is_some() {
        options.run.refuse_stats("--timeline");
    }
    let memory_interval = options.memory.as_ref().map(|_| Duration::from_millis(options.memory_interval.into()));
    let event = match options.event.as_str() {
        _ if options.wall => Event::Wall,
        "cpu-clock" => Event::Cpu,
        _ => Event::Faults,
    };
    let to = RecordTo {
        frequency: options.frequency,
        event,
        memory_interval,
        path: options.output,
        format,
        timeline: options.timeline,
        memory: options.memory,
        is_quiet: options.quiet,
        command: options.run.command_words(),
    };
    if options.run.deterministic.is_some() {
        refuse("a deterministic run cannot be recorded: samples would disturb it");
    }
    match options.run.into_request()? {
        Request::Run(run) => Ok(Request::Record(run, to)),
        other => Ok(other),
    }
}

fn names() -> String {
    Format::names().collect::<Vec<_>>().join(", ")
}

/// Reads what follows `kvm-se`, of which the first word is `report`.
pub(super) fn parse_report(args: &[OsString]) -> Result<Request, Error> {
    match args {
        [_, file] if file != "--help" && file != "-h" => Ok(Request::Report(file.into())),
        _ => refuse("usage: kvm-se report FILE, which kvm-se record has written"),
    }
}
