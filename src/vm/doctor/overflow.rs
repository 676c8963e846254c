//! Does the processor's counter of instructions, as perf_event_open(2) gives it, stop a guest where it can be relied upon?

use super::check::{Answer, Failure, watched};
use super::routines::Routine;
use super::scratch::{Page, Scratch};
use crate::sys::clone::{Forked, ended, exit_now, fork};
use crate::sys::perf::OverflowCounter;
use crate::vm::retired::{ExactCounter, MARGIN, counted};
use crate::vm::{Trap, VmError, kick};
use crate::x86::UserRegs;

/// What it is without one.
const STEPPED: &str = "--stop-at icount steps each instruction";

/// What counting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    counter: ExactCounter,
    /// How late it stopped the guest at most (instructions).
    latest: u64,
}

pub(super) fn check(scratch: &mut Scratch) -> Result<Answer, Failure> {
    let mut counter = match OverflowCounter::open(kick::KICK_SIGNAL) {
        Ok(counter) => counter,
        Err(error) => {
            let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
            return Ok(Answer::no(format!("no counter that stops a guest ({errno:?}): {STEPPED}")));
        }
    };
    Ok(match find(scratch, &mut counter)? {
        Ok(found) => {
            let latest = found.latest;
            Answer::value("exact", format!("--stop-at icount runs up to {MARGIN} before it; at most {latest} late"))
        }
        Err(why) => Answer::no(format!("{why}: {STEPPED}")),
    })
}

/// The counter, if it can be relied upon here. A child looks, whose handlers and threads are not the caller's.
pub fn exact_counter() -> Option<ExactCounter> {
    /// Of a status: larger corrections are no corrections.
    const MIDDLE: i64 = 100;
    // Nothing else is tried where there is no counter.
    drop(OverflowCounter::open(kick::KICK_SIGNAL).ok()?);
    match fork().ok()? {
        Forked::Child => {
            let look = || {
                kick::install().ok()?;
                let found = watched(|| {
                    let mut counter = OverflowCounter::open(kick::KICK_SIGNAL).ok()?;
                    find(&mut Scratch::new().ok()?, &mut counter).ok()?.ok()
                });
                let per_call = found.ok()??.counter.per_call;
                u8::try_from(MIDDLE + per_call).ok()
            };
            exit_now(look().unwrap_or(0))
        }
        Forked::Parent(child) => loop {
            match ended(child) {
                Ok(None) => std::thread::sleep(std::time::Duration::from_millis(1)),
                Ok(Some(status)) => {
                    let code = status.code().filter(|code| *code > 0)?;
                    return Some(ExactCounter { per_call: i64::from(code) - MIDDLE });
                }
                Err(_) => return None,
            }
        },
    }
}

/// Instructions of a turn of [`Routine::Count`].
const PER_TURN: u64 = 2;
/// More than is ever counted.
const FAR: u64 = 1 << 40;

fn find(scratch: &mut Scratch, counter: &mut OverflowCounter) -> Result<Result<Found, String>, Failure> {
    let mut run = |scratch: &mut Scratch, instructions, regs| -> Result<(Trap, u64), Failure> {
        let (trap, count) = counted(counter, instructions, || scratch.start(regs)).map_err(VmError::Counter)?;
        Ok((trap?, count))
    };
    let turns = |turns| UserRegs { rdi: turns, ..Scratch::at(Routine::Count) };
    let mut per_call = None;
    for count in [1, 1000, 100_000, 1000, 1] {
        let (trap, found) = run(scratch, FAR, turns(count))?;
        let wrong = (PER_TURN * count + 1).cast_signed() - found.cast_signed();
        if trap != Trap::Syscall || *per_call.get_or_insert(wrong) != wrong || wrong.abs() > 50 {
            return Ok(Err(format!("counts {found} for {} instructions", PER_TURN * count + 1)));
        }
    }
    // The load that is not made is not retired.
    let absent = UserRegs { rdi: Page(1).gva(), ..Scratch::at(Routine::Load) };
    let (trap, found) = run(scratch, FAR, absent)?;
    if !matches!(trap, Trap::PageFault { .. }) || found != 0 {
        return Ok(Err(format!("counts {found} instructions for a page fault")));
    }
    let mut latest = 0;
    for wanted in (1..=20).map(|round| 50_000 * round) {
        let (trap, found) = run(scratch, wanted, turns(FAR))?;
        let regs = scratch.vcpu.regs();
        let executed = PER_TURN * (FAR - regs.rdi) - u64::from(regs.rip != Scratch::at(Routine::Count).rip);
        match (trap, found.checked_sub(wanted)) {
            (Trap::Kicked, Some(late)) if found == executed && late < MARGIN / 4 => latest = latest.max(late),
            (Trap::Kicked, _) => {
                return Ok(Err(format!("counts {found} of {executed} where it is to stop at {wanted}")));
            }
            (other, _) => return Err(Failure::trap("a counted loop", other)),
        }
    }
    Ok(Ok(Found { counter: ExactCounter { per_call: per_call.unwrap_or(0) }, latest }))
}
