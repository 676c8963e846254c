//! `kvm-se stat`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use kvm_se::Error;
use kvm_se::profile::stat::json::SCHEMA;
use kvm_se::profile::stat::text::Show;

use super::{Options, Request, end_parsing};

const EXAMPLES: &str = "\
Examples:
  kvm-se stat ./prog args                        what a run cost, on stderr
  kvm-se stat --per-thread -o cost.txt ./prog    thread by thread, into a file
  kvm-se stat --json -o cost.json ./prog         for machines
  kvm-se stat --timeline t.json.gz ./prog        what happened when, for ui.perfetto.dev

It counts until the program's first process ends; what lives on is counted up to then. Calls that the guest answers \
itself, as getpid and clocks, are not counted: with --strace=/dev/null they leave it like all others.
";

/// Runs a program, and says what that cost.
#[derive(Debug, Parser)]
struct StatOptions {
    /// Where the report goes, which without this is stderr
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the report as JSON, which has all of it
    #[arg(long, conflicts_with_all = ["per_process", "per_thread", "quiet"])]
    json: bool,
    /// Report on each process, too
    #[arg(long)]
    per_process: bool,
    /// Report on each thread, too
    #[arg(long)]
    per_thread: bool,
    /// Leave out the table of system calls
    #[arg(short, long)]
    quiet: bool,
    /// Where a timeline of system calls, faults and signals goes, as a Chrome trace; with .gz, compressed
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    #[command(flatten)]
    run: Options,
}

/// What is reported, and where.
#[derive(Debug)]
pub(crate) struct StatTo {
    /// The file; stderr without one.
    pub(crate) path: Option<PathBuf>,
    /// For machines?
    pub(crate) is_json: bool,
    /// For people, what of it.
    pub(crate) show: Show,
    /// The file of a timeline.
    pub(crate) timeline: Option<PathBuf>,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
}

/// Reads what follows `kvm-se`, of which the first word is `stat`.
pub(super) fn parse(args: &[OsString]) -> Result<Request, Error> {
    use clap::{CommandFactory, FromArgMatches};
    let command = StatOptions::command()
        .name("kvm-se stat")
        .bin_name("kvm-se stat")
        .about("Runs a program, and says what that cost.")
        .override_usage("kvm-se stat [OPTIONS] [--] PROG [ARGS]...")
        .after_help(format!("{EXAMPLES}\n{SCHEMA}"));
    let matches = command.try_get_matches_from(args).unwrap_or_else(|error| end_parsing(&error));
    let options = StatOptions::from_arg_matches(&matches).unwrap_or_else(|error| end_parsing(&error));
    options.run.refuse_stats("stat");
    options.run.refuse_stop("stat");
    let to = StatTo {
        path: options.output,
        is_json: options.json,
        show: Show { calls: !options.quiet, processes: options.per_process, threads: options.per_thread },
        timeline: options.timeline,
        command: options.run.command_words(),
    };
    match options.run.into_request()? {
        Request::Run(run) => Ok(Request::Stat(run, to)),
        other => Ok(other),
    }
}
