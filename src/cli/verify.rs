//! The command line of `kvm-se verify`.

use std::ffi::OsString;

use clap::Parser;
use kvm_se::Error;

use super::{Options, Request, Run, end_parsing, init_tracing, refuse};

const EXAMPLES: &str = "\
Examples:
  kvm-se verify ./prog args                      two runs
  kvm-se verify -n 100 --deterministic=7 ./prog  a hundred, of another seed

What the runs print is compared, and not shown. Exit status: 0 if all runs were alike, 1 if not, 125 if kvm-se failed.";

/// Runs a program several times in deterministic mode, and says whether all runs did the same.
#[derive(Debug, Parser)]
struct VerifyOptions {
    /// How many runs
    #[arg(short = 'n', long = "runs", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..))]
    runs: u32,
    #[command(flatten)]
    run: Options,
}

/// What is run, and how often.
#[derive(Debug)]
pub(crate) struct VerifyHow {
    /// How many runs.
    pub(crate) runs: u32,
    options: Options,
}

impl VerifyHow {
    /// The next run.
    pub(crate) fn next_run(&mut self) -> Result<Run, Error> {
        let run = self.options.to_run();
        // The runner is there.
        self.options.cwd = None;
        run
    }
}

/// `kvm-se verify …`; `args` begins with that word.
pub(super) fn parse(args: &[OsString]) -> Result<Request, Error> {
    let command = <VerifyOptions as clap::CommandFactory>::command()
        .name("kvm-se verify")
        .override_usage("kvm-se verify [OPTIONS] [--] PROG [ARGS]...")
        .after_help(EXAMPLES);
    let parsed = command.try_get_matches_from(args);
    let options = parsed.and_then(|matches| <VerifyOptions as clap::FromArgMatches>::from_arg_matches(&matches));
    let VerifyOptions { runs, mut run } = options.unwrap_or_else(|error| end_parsing(&error));
    if run.command.is_empty() {
        refuse("no program was named");
    }
    if run.list_syscalls || run.strace.is_some() {
        refuse("verify shows no system calls");
    }
    run.refuse_stop("verify");
    if run.aslr {
        refuse("verify takes no --aslr: addresses are the same in each run");
    }
    init_tracing(run.verbose);
    run.deterministic.get_or_insert(0);
    Ok(Request::Verify(VerifyHow { runs, options: run }))
}
