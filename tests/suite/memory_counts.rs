//! What memory may cost.

use libtest_mimic::{Completion, Failed, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, kvm_trial};
use crate::program::Program;

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        kvm_trial("memory_counts::one_gibibyte_needs_few_exits".into(), one_gibibyte),
        kvm_trial("memory_counts::one_tebibyte_costs_what_is_touched".into(), one_tebibyte),
        kvm_trial("memory_counts::huge_pages_where_memory_is_dense".into(), dense_memory),
    ]
}

/// A page table is filled around a fault, so exits are counted by the 2 MiB and not by the page.
fn one_gibibyte() -> Outcome {
    const MOST_EXITS: u64 = 1200;
    const NEEDED_KIB: u64 = 3 << 19;
    let available = available_kib()?;
    if available < NEEDED_KIB {
        return Ok(Completion::ignored_with(format!("needs {NEEDED_KIB} KiB of memory, has {available}")));
    }
    let run = with_stats("one_gibibyte")?;
    let exits = statistic(&run, "exits")?;
    if exits > MOST_EXITS {
        return Err(format!("{exits} exits, at most {MOST_EXITS} are allowed\n{}", run.report()).into());
    }
    Ok(Completion::Completed)
}

/// The runner keeps nothing for what is only reserved.
fn one_tebibyte() -> Outcome {
    const TOUCHED_KIB: u64 = 1000 * 4;
    const MOST_KIB: u64 = 64 << 10;
    let run = with_stats("one_tebibyte")?;
    let peak = statistic(&run, "KiB peak memory")?;
    if peak > TOUCHED_KIB + MOST_KIB {
        return Err(format!("{peak} KiB, of which the guest touched {TOUCHED_KIB}\n{}", run.report()).into());
    }
    Ok(Completion::Completed)
}

/// The guest has twice 64 MiB and uses all pages of the one and one in 512 of the other.
fn dense_memory() -> Outcome {
    const SPARSE_PAGES: u64 = 32;
    let modes = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    if !modes.contains("[madvise]") {
        return Ok(Completion::ignored_with(format!("huge pages are for those who ask elsewhere, here: {modes:?}")));
    }
    let run = Invocation::kvm_se()?.patient().arg(Program::guest("dense_memory")?.executable()?).run()?;
    let output = String::from_utf8_lossy(&run.stdout);
    let numbers: Vec<u64> = output.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        // The host may be short of huge pages, but hardly of all of them. Next to the dense memory one may be wasted.
        [huge_kib, resident] if huge_kib > 0 && resident < SPARSE_PAGES + 512 && run.ending == Ending::Code(0) => {
            Ok(Completion::Completed)
        }
        _ => Err(run.report().into()),
    }
}

/// Runs a guest that ends with status 0 when its memory was as it should be.
fn with_stats(guest: &str) -> Result<Finished, Failed> {
    let run = Invocation::kvm_se()?.patient().arg("--stats").arg(Program::guest(guest)?.executable()?).run()?;
    if run.ending == Ending::Code(0) { Ok(run) } else { Err(run.report().into()) }
}

/// The number at the start of the line of `--stats` that goes on with `name`.
fn statistic(run: &Finished, name: &str) -> Result<u64, Failed> {
    let report = String::from_utf8_lossy(&run.stderr);
    let number = report.lines().find_map(|line| {
        let (number, rest) = line.trim_start().split_once("  ")?;
        rest.starts_with(name).then(|| number.parse().ok())?
    });
    number.ok_or_else(|| format!("--stats has no line \"{name}\"\n{}", run.report()).into())
}

fn available_kib() -> Result<u64, Failed> {
    let meminfo = std::fs::read_to_string("/proc/meminfo")?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    kib.ok_or_else(|| "/proc/meminfo has no MemAvailable".into())
}
