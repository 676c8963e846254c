//! Native, kvm-se, qemu-user if it is installed, and the floor of a bare KVM loop, side by side:
//! `cargo bench --bench compare`, with options after `--`.
//!
//! Builds the programs of `testprogs/bench/`, prints a table as it measures, and writes JSON with all samples beside it.
//! Runs are interleaved and medians are shown, for machines are shared and noisy; compare the ratios. The row getppid
//! is what one exit costs; `/floor` says how many times the cheapest system call there and back a row takes.
//!
//! The variables `KVM_SE_BIN` and `KVM_SE_TESTPROGS` mean what they mean to the suite (tests/suite/main.rs).

#![expect(clippy::print_stdout, reason = "a report for people")]

mod comparison;
mod floor;
mod program;
mod report;
mod rows;
mod run;
mod workload;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use comparison::{Comparison, Ways};
use report::Column;
use rows::{Program, ROWS, Row};

/// Compares programs under kvm-se with native runs, qemu-user and the floor of a bare KVM loop.
#[derive(Parser)]
struct Options {
    /// Only rows whose names contain this; more than one may be named
    #[arg(long, value_name = "FILTER")]
    rows: Vec<String>,
    /// Runs of each program, interleaved
    #[arg(long, value_name = "N", default_value_t = 7)]
    runs: usize,
    /// Where all samples go [default: compare.json in the target directory]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only what is one exit, against the floor, and no JSON unless asked for
    #[arg(long)]
    floor: bool,
    /// Build the programs into DIR, for a machine without a compiler, and end
    #[arg(long, value_name = "DIR")]
    build: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(dir) = &options.build {
        ROWS.iter().for_each(|row| program::build(row.program, dir));
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
    let comparisons = compare_all(&options, folder.path());
    if let Some(file) = options.json_file() {
        let json = format!("{:#}\n", report::json(&comparisons, options.runs));
        fs::write(&file, json).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    let failures: Vec<String> = comparisons.iter().flat_map(Comparison::failures).collect();
    failures.iter().for_each(|failure| eprintln!("{failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Options {
    fn selects(&self, row: &Row) -> bool {
        let is_named = self.rows.is_empty() || self.rows.iter().any(|filter| row.name.contains(filter));
        is_named && (row.is_one_exit || !self.floor)
    }

    fn columns(&self) -> &'static [Column] {
        if self.floor { report::FLOOR } else { report::ALL }
    }

    fn json_file(&self) -> Option<PathBuf> {
        let usual = || Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("compare.json");
        self.json.clone().or_else(|| (!self.floor).then(usual))
    }
}

/// Measures the rows that were asked for, and prints each when it is done.
fn compare_all(options: &Options, folder: &Path) -> Vec<Comparison> {
    let ways = Ways::new(folder, !options.floor);
    let rows: Vec<&Row> = ROWS.iter().filter(|row| options.selects(row)).collect();
    // All of them before the first is measured.
    let programs: Vec<_> = rows.iter().map(|row| program::executable(row.program)).collect();
    println!("{}", report::heading(options.columns()));
    let measured = rows.into_iter().zip(programs).filter_map(|(row, program)| {
        let Some(program) = program else {
            println!("{}", report::skipped(row.name, &missing(row.program)));
            return None;
        };
        let comparison = Comparison::new(row, &program, &ways, options.runs);
        println!("{}", report::line(&comparison, options.columns()));
        Some(comparison)
    });
    measured.collect()
}

fn missing(program: Program) -> String {
    match program {
        Program::Installed(name) => format!("{name} is not installed"),
        Program::Static(source) | Program::Dynamic(source) => format!("{source} is not built"),
    }
}
