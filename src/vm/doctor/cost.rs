//! What exits cost here: medians, so that a disturbance does not show.

use std::thread;
use std::time::{Duration, Instant};

use super::check::{Answer, Check, Failure, Need, watched};
use super::routines::Routine;
use super::scratch::{Page, RW, Scratch};
use crate::vm::{Machine, Trap, Vcpu, kick};
use crate::x86::UserRegs;

pub(super) const CHECKS: &[Check] = &[
    Check { what: "virtual machine", need: Need::May, perform: creation },
    Check { what: "system call", need: Need::May, perform: system_call },
    Check { what: "page fault", need: Need::May, perform: page_fault },
    Check { what: "vCPU on a new thread", need: Need::May, perform: first_run },
];

/// What it costs to leave guest mode and to enter it again: medians.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCosts {
    /// For a system call that is not answered inside the guest.
    pub syscall: Duration,
    /// For a page fault, with one page mapped.
    pub page_fault: Duration,
}

/// Measures them, in about ten milliseconds. `None` where that fails.
pub fn exit_costs() -> Option<ExitCosts> {
    kick::install().ok()?;
    watched(measure_exits).ok()?.ok()
}

/// What a system call costs that is not answered inside the guest: a median, measured in a few milliseconds. `None` where that
/// fails.
pub fn syscall_cost() -> Option<Duration> {
    const ROUNDS: usize = 30;
    let mut scratch = Scratch::new().ok()?;
    scratch.machine.answer_calls(&mut scratch.vcpu).ok()?;
    system_calls(&mut scratch, ROUNDS).ok()
}

fn measure_exits() -> Result<ExitCosts, Failure> {
    const ROUNDS: usize = 200;
    const PAGES: u64 = 100;
    let mut scratch = Scratch::new()?;
    let page_fault = page_faults(&mut scratch, PAGES)?;
    // As calls of programs do, which is not the way of the check below.
    scratch.machine.answer_calls(&mut scratch.vcpu)?;
    Ok(ExitCosts { syscall: system_calls(&mut scratch, ROUNDS)?, page_fault })
}

fn creation(_: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 5;
    let mut costs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = Instant::now();
        let scratch = Scratch::new()?;
        costs.push(before.elapsed());
        drop(scratch);
    }
    Ok(Answer::value(micros(median(&mut costs)), "to make one, the start-up probe included"))
}

fn system_call(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 2000;
    let cost = system_calls(scratch, ROUNDS)?;
    Ok(Answer::value(micros(cost), "there and back, without the host's work"))
}

fn system_calls(scratch: &mut Scratch, rounds: usize) -> Result<Duration, Failure> {
    scratch.call("a system call", Scratch::at(Routine::Syscalls))?;
    let mut costs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let before = Instant::now();
        scratch.call_again("a system call")?;
        costs.push(before.elapsed());
    }
    Ok(median(&mut costs))
}

fn page_fault(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const PAGES: u64 = 400;
    let cost = page_faults(scratch, PAGES)?;
    Ok(Answer::value(micros(cost), "there and back, one page mapped; kvm-se maps many at a time"))
}

/// Walks over pages that the host already has; each step maps one and ends in the fault of the next.
fn page_faults(scratch: &mut Scratch, pages: u64) -> Result<Duration, Failure> {
    const FIRST: u64 = 1;
    scratch.number((FIRST..FIRST + pages).map(Page));
    let mut costs = Vec::with_capacity(usize::try_from(pages).unwrap_or(0));
    let mut trap = scratch.start(UserRegs { rdi: Page(FIRST).gva(), ..Scratch::at(Routine::Walk) })?;
    for number in FIRST..FIRST + pages {
        let before = Instant::now();
        match trap {
            Trap::PageFault { addr, .. } if addr == Page(number).gva() => scratch.map(Page(number), RW)?,
            other => return Err(Failure::trap("a walk over pages", other)),
        }
        trap = scratch.resume()?;
        costs.push(before.elapsed());
    }
    Ok(median(&mut costs))
}

/// The first KVM_RUN of a vCPU by another thread than before.
fn first_run(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 7;
    const DEAR: Duration = Duration::from_millis(1);
    let mut costs = Vec::with_capacity(ROUNDS);
    let Scratch { vcpu, machine, .. } = scratch;
    for _ in 0..ROUNDS {
        let run = || timed_run(machine, vcpu);
        let result = thread::scope(|scope| scope.spawn(run).join());
        costs.push(result.map_err(|_| Failure::wrong("a thread ended"))??);
    }
    let cost = median(&mut costs);
    let meaning = if cost < DEAR { "threads can take over used vCPUs" } else { "new threads get new vCPUs" };
    Ok(Answer::value(micros(cost), format!("first run; {meaning}")))
}

fn timed_run(machine: &Machine, vcpu: &mut Vcpu) -> Result<Duration, Failure> {
    *vcpu.regs_mut() = Scratch::at(Routine::Syscalls);
    let before = Instant::now();
    match machine.run(vcpu)? {
        Trap::Syscall => Ok(before.elapsed()),
        other => Err(Failure::trap("a system call", other)),
    }
}

/// The middle one; zero of none.
pub(super) fn median(costs: &mut [Duration]) -> Duration {
    costs.sort_unstable();
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}

/// In microseconds, or milliseconds if there are many.
pub(super) fn micros(cost: Duration) -> String {
    const MANY: Duration = Duration::from_millis(1);
    let seconds = cost.as_secs_f64();
    if cost < MANY { format!("{:.1} us", seconds * 1e6) } else { format!("{:.1} ms", seconds * 1e3) }
}

pub(super) fn nanos(cost: Duration) -> String {
    format!("{} ns", cost.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_units() {
        let mut costs = [9, 1, 5].map(Duration::from_micros);
        assert_eq!(median(&mut costs), Duration::from_micros(5));
        assert_eq!(median(&mut []), Duration::ZERO);
        assert_eq!(micros(Duration::from_nanos(12_340)), "12.3 us");
        assert_eq!(micros(Duration::from_micros(19_612)), "19.6 ms");
        assert_eq!(nanos(Duration::from_nanos(28)), "28 ns");
    }
}
