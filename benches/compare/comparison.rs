//! One row measured: interleaved runs of all that it is compared with.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program;
use crate::rows::Row;
use crate::run::{Sample, measure};

/// The ways that programs are run.
pub(crate) struct Ways {
    kvm_se: PathBuf,
    /// None if it is not installed, or not asked for.
    qemu_user: Option<PathBuf>,
    /// Folder that all programs are run in.
    folder: PathBuf,
}

impl Ways {
    /// With qemu-user, if it is installed and `with_qemu_user`.
    pub(crate) fn new(folder: &Path, with_qemu_user: bool) -> Self {
        let qemu_user = if with_qemu_user { program::installed("qemu-x86_64") } else { None };
        Self { kvm_se: program::kvm_se(), qemu_user, folder: folder.to_owned() }
    }

    fn qemu_user_for(&self, row: &Row) -> Option<&Path> {
        self.qemu_user.as_deref().filter(|_| !row.starts_programs && row.options.is_empty())
    }
}

/// The runs of a program in one way.
#[derive(Default)]
pub(crate) struct Series {
    pub(crate) samples: Vec<Sample>,
    /// Why a run failed, which was the last one.
    pub(crate) failure: Option<String>,
}

impl Series {
    pub(crate) fn wall(&self) -> Option<f64> {
        self.median(|sample| sample.wall)
    }

    pub(crate) fn cpu(&self) -> Option<f64> {
        self.median(|sample| sample.cpu)
    }

    /// Nothing if a run failed.
    fn median(&self, of: fn(&Sample) -> f64) -> Option<f64> {
        if self.failure.is_some() { None } else { median(self.samples.iter().map(of).collect()) }
    }

    fn run(&mut self, command: Command, row: &Row, folder: &Path) {
        if self.failure.is_none() {
            match measure(command, row, folder) {
                Ok(sample) => self.samples.push(sample),
                Err(failure) => self.failure = Some(failure),
            }
        }
    }
}

/// A row and what it took.
pub(crate) struct Comparison {
    pub(crate) row: &'static Row,
    pub(crate) native: Series,
    pub(crate) kvm_se: Series,
    pub(crate) qemu_user: Series,
    /// The bare KVM loop's, made between those of the program: one exit at least, in nanoseconds.
    pub(crate) floor: Series,
}

impl Comparison {
    /// Measures `row` with `program`, each way `runs` times.
    pub(crate) fn new(row: &'static Row, program: &Path, ways: &Ways, runs: usize) -> Self {
        let (native, kvm_se, qemu_user, floor) = Default::default();
        let mut comparison = Self { row, native, kvm_se, qemu_user, floor };
        if let Some(prepare) = row.prepare {
            prepare(&ways.folder);
        }
        for _ in 0..runs {
            comparison.run_once(program, ways);
        }
        comparison
    }

    fn run_once(&mut self, program: &Path, ways: &Ways) {
        self.native.run(Command::new(program), self.row, &ways.folder);
        self.kvm_se.run(under(&ways.kvm_se, self.row.options, program), self.row, &ways.folder);
        if let Some(qemu_user) = ways.qemu_user_for(self.row) {
            self.qemu_user.run(under(qemu_user, "", program), self.row, &ways.folder);
        }
        self.floor.samples.extend(self.row.floor.map(|floor| floor()));
    }

    /// What failed natively and under kvm-se; qemu-user may fail.
    pub(crate) fn failures(&self) -> impl Iterator<Item = String> {
        [("natively", &self.native), ("under kvm-se", &self.kvm_se)].into_iter().filter_map(|(way, series)| {
            series.failure.as_ref().map(|failure| format!("{} {way}: {failure}", self.row.name))
        })
    }
}

fn under(runner: &Path, options: &str, program: &Path) -> Command {
    let mut command = Command::new(runner);
    command.args(options.split_whitespace()).arg(program);
    command
}

/// Of an even number, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => Some(values[middle]),
        _ => Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, values[middle])),
    }
}
