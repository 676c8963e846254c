//! Native, kvm-se and the floor of a bare KVM loop, side by side: `cargo bench --bench compare`.
//!
//! Runs are interleaved and medians are shown, for machines are shared and noisy; compare the ratios.
//!
//! | option | meaning |
//! |---|---|
//! | `--floor` | only what has a floor: the cost of one exit |
//! | `--build DIR` | builds the programs into `DIR`, for a machine without a compiler, and ends |
//!
//! The variables `KVM_SE_BIN` and `KVM_SE_TESTPROGS` mean what they mean to the suite (tests/suite/main.rs).

#![expect(clippy::print_stdout, reason = "a report for people")]

mod floor;
mod program;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs of each program, interleaved.
const RUNS: usize = 7;

/// What a row measures.
struct Row {
    name: &'static str,
    source: &'static str,
    unit: &'static str,
    /// Nanoseconds that a bare KVM loop takes for the same.
    floor: Option<fn() -> f64>,
    /// Measured from outside, start to exit, in microseconds; else the program prints its own figure.
    is_whole_run: bool,
}

const ROWS: [Row; 5] = [
    Row { name: "integer loop", source: "bench/integer_loop.c", unit: "ns/round", floor: None, is_whole_run: false },
    Row {
        name: "system call round trip",
        source: "bench/syscall_round_trip.c",
        unit: "ns/call",
        floor: Some(floor::syscall_round_trip),
        is_whole_run: false,
    },
    Row {
        name: "page fault with an exit",
        source: "bench/page_fault_exit.c",
        unit: "ns/fault",
        floor: Some(floor::page_fault_round_trip),
        is_whole_run: false,
    },
    Row {
        name: "first touch of 256 MiB",
        source: "bench/first_touch.c",
        unit: "ns/page",
        floor: None,
        is_whole_run: false,
    },
    Row { name: "static hello, start to exit", source: "cpu/hello.S", unit: "us", floor: None, is_whole_run: true },
];

fn main() {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let [option, dir] = &words[..]
        && option == "--build"
    {
        ROWS.iter().for_each(|row| program::build(row.source, &program::place(row.source, Path::new(dir))));
        return;
    }
    let only_floor = words.iter().any(|word| word == "--floor");
    println!(
        "{:<28} {:>10} {:>12} {:>12} {:>12} {:>10} {:>10}",
        "", "", "native", "kvm-se", "floor", "/native", "/floor"
    );
    ROWS.iter().filter(|row| row.floor.is_some() || !only_floor).for_each(compare);
}

fn compare(row: &Row) {
    let program = program::executable(row.source);
    let mut native = Vec::new();
    let mut guest = Vec::new();
    let mut floor = Vec::new();
    for _ in 0..RUNS {
        native.push(measure(Command::new(&program), row));
        guest.push(measure(under_kvm_se(&program), row));
        floor.extend(row.floor.map(|floor| floor()));
    }
    print_row(row, median(native), median(guest), (!floor.is_empty()).then(|| median(floor)));
}

fn print_row(row: &Row, native: f64, guest: f64, floor: Option<f64>) {
    let floor_text = floor.map_or_else(String::new, |floor| format!("{floor:.2}"));
    let over_floor = floor.map_or_else(String::new, |floor| format!("{:.2}", guest / floor));
    println!(
        "{:<28} {:>10} {native:>12.2} {guest:>12.2} {floor_text:>12} {:>10.2} {over_floor:>10}",
        row.name,
        row.unit,
        guest / native
    );
}

fn under_kvm_se(program: &Path) -> Command {
    let mut command = Command::new(program::kvm_se());
    command.arg(program);
    command
}

/// The program's own figure, or microseconds from start to exit.
fn measure(mut command: Command, row: &Row) -> f64 {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let elapsed = started.elapsed();
    assert!(output.status.success(), "{command:?}: {:?}", output.status);
    if row.is_whole_run {
        return elapsed.as_secs_f64() * 1e6;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{command:?} printed {text:?}"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
