//! The command line of `kvm-se trace`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use kvm_se::Error;
use kvm_se::reference::trace::Format;

use super::{Options, Request, end_parsing, refuse};

const EXAMPLES: &str = "\
Examples:
  kvm-se trace -o prog.trace ./prog args     every instruction: its registers, memory and system calls
  kvm-se trace --deterministic ./prog        the same trace each time
  kvm-se trace --roi sym=f:3 -o t ./prog     the third call of f alone, at full speed up to there
  kvm-se trace --format=binary -o t ./prog   compact; kvm-se dump t prints it
  kvm-se trace --nativetrace :8000 ./prog    the peer of gem5's X86NativeTrace

The first process is traced with all its threads, and the programs that it executes; children run untraced. A repeated
string instruction is one instruction, of whatever count; with --rep=iter, each of its iterations is one.";

/// Runs a program, and writes down every instruction with what it does.
#[derive(Debug, Parser)]
struct TraceOptions {
    /// Where the trace goes, which without this is stderr
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = PossibleValuesParser::new(Format::names()))]
    format: String,
    /// What one instruction is that is repeated: all of it, or each iteration
    #[arg(long, value_name = "RULE", default_value = "one", value_parser = PossibleValuesParser::new(["one", "iter"]))]
    rep: String,
    /// Leave out so many instructions at the beginning; they are stepped, too
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
    /// Send the registers after each instruction to gem5's X86NativeTrace, in place of a file
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["output", "format"])]
    nativetrace: Option<String>,
    /// Trace no more than so many instructions, and let the program go on at full speed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Say nothing but what went wrong
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    run: Options,
}

/// How a run is traced.
#[derive(Debug)]
pub(crate) struct TraceTo {
    /// The gem5 that gets registers, in place of a file.
    pub(crate) peer: Option<String>,
    /// Instructions that are left out at the beginning.
    pub(crate) skip: u64,
    /// The file; stderr without one.
    pub(crate) path: Option<PathBuf>,
    /// What is written to it.
    pub(crate) format: Format,
    /// Is a repeated instruction one?
    pub(crate) folds_repeats: bool,
    /// Most instructions.
    pub(crate) limit: Option<u64>,
    /// Say only what went wrong?
    pub(crate) is_quiet: bool,
}

/// Prints a compressed trace as text, or what differs in two states of `--dump-state`; then the status is 1.
#[derive(Debug, Parser)]
#[command(
    name = "kvm-se dump",
    bin_name = "kvm-se dump",
    override_usage = "kvm-se dump [--format FORMAT] [-o OUTPUT] FILE\n       kvm-se dump --diff STATE STATE"
)]
struct DumpOptions {
    /// Where it goes, which without this is stdout
    #[arg(short, long, value_name = "OUTPUT")]
    output: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = PossibleValuesParser::new(Format::names()))]
    format: String,
    /// Two states that are to be compared
    #[arg(long, value_name = "STATE", num_args = 2, conflicts_with_all = ["file", "format", "output"])]
    diff: Option<Vec<PathBuf>>,
    /// What `kvm-se trace --format=binary` wrote
    #[arg(value_name = "FILE", required_unless_present = "diff")]
    file: Option<PathBuf>,
}

/// A trace that is to be written in another format.
#[derive(Debug)]
pub(crate) struct DumpTo {
    /// The trace.
    pub(crate) file: PathBuf,
    /// Where it goes; stdout without.
    pub(crate) path: Option<PathBuf>,
    /// How it is written.
    pub(crate) format: Format,
}

/// `kvm-se dump …`; `args` begins with that word.
pub(super) fn parse_dump(args: &[OsString]) -> Request {
    let options = DumpOptions::try_parse_from(args).unwrap_or_else(|error| end_parsing(&error));
    let format = Format::named(&options.format).unwrap_or(Format::Text);
    match (options.diff.as_deref(), options.file) {
        (Some([one, two]), _) => Request::Compare([one.clone(), two.clone()]),
        (_, Some(file)) => Request::Dump(DumpTo { file, path: options.output, format }),
        _ => refuse("no file was named"),
    }
}

/// `kvm-se trace …`; `args` begins with that word.
pub(super) fn parse(args: &[OsString]) -> Result<Request, Error> {
    use clap::{CommandFactory, FromArgMatches};
    let command = TraceOptions::command()
        .name("kvm-se trace")
        .bin_name("kvm-se trace")
        .about("Runs a program, and writes down every instruction with what it does.")
        .override_usage("kvm-se trace [OPTIONS] [--] PROG [ARGS]...")
        .after_help(EXAMPLES);
    let matches = command.try_get_matches_from(args).unwrap_or_else(|error| end_parsing(&error));
    let mut options = TraceOptions::from_arg_matches(&matches).unwrap_or_else(|error| end_parsing(&error));
    options.run.refuse_stats("trace");
    options.run.refuse_stop("trace");
    let format = Format::named(&options.format).unwrap_or(Format::Text);
    if options.output.is_none() && !format.is_text() && options.nativetrace.is_none() {
        refuse(&format!("--format={} needs -o FILE", options.format));
    }
    if options.run.strace.is_some() {
        refuse("trace has system calls in it, and takes no --strace");
    }
    // Another thread's answers, and jumps in place of calls, would be none of the program's instructions.
    options.run.no_exitless = true;
    options.run.no_patch = true;
    let to = TraceTo {
        peer: options.nativetrace,
        skip: options.skip,
        path: options.output,
        format,
        folds_repeats: options.rep == "one",
        limit: options.limit,
        is_quiet: options.quiet,
    };
    match options.run.into_request()? {
        Request::Run(run) => Ok(Request::Trace(run, to)),
        other => Ok(other),
    }
}
