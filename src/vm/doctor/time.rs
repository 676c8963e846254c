//! The guest's clocks: its time-stamp counter and the host's vDSO.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::check::{Answer, Check, Failure, Need};
use super::cost::{median, nanos};
use super::routines::Routine;
use super::scratch::{Page, RW, RX, Scratch};
use crate::abi::PAGE_SIZE;
use crate::sys::vdso::HostVdso;
use crate::vm::Trap;
use crate::x86::UserRegs;
use crate::x86::tsc::host_tsc;

pub(super) const CHECKS: &[Check] = &[
    Check { what: "time-stamp counter", need: Need::May, perform: time_stamp_counter },
    Check { what: "vDSO clock", need: Need::May, perform: vdso_clock },
];

/// A reading of the guest's must lie between two of the host's.
fn time_stamp_counter(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 50;
    for _ in 0..ROUNDS {
        let before = host_tsc();
        let regs = scratch.call("rdtsc", Scratch::at(Routine::Rdtsc))?;
        let after = host_tsc();
        let guest = regs.rdx << 32 | regs.rax & 0xffff_ffff;
        if !(before..=after).contains(&guest) {
            let off = guest.wrapping_sub(before).cast_signed();
            return Ok(Answer::value("differs", format!("{off} cycles from the host's: no vDSO")));
        }
    }
    Ok(Answer::value("the host's", "rdtsc means the same inside and outside"))
}

/// Readings of one call into the guest.
const NR_READS: usize = 250;
const BYTES: usize = 16 * NR_READS;
const READS: Page = Page(1);
const STACK: Page = Page(2);

/// The host's vDSO, called in the guest, must show the host's time and move between two readings.
fn vdso_clock(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 20;
    let none = || Ok(Answer::no("this kernel has no vDSO"));
    let Some(vdso) = HostVdso::find() else { return none() };
    let Some(offset) = vdso.offset_of("__vdso_clock_gettime") else { return none() };
    let clock_gettime = vdso.code.start + offset;
    map_vdso(scratch, &vdso)?;
    scratch.map(READS, RW)?;
    scratch.map(STACK, RW)?;
    let mut costs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = host_time();
        let reads = match read_clock(scratch, clock_gettime)? {
            Clock::Reads(reads) => reads,
            Clock::SystemCall => return Ok(Answer::no("the host's clock source has none: time costs system calls")),
        };
        let after = host_time();
        match judge(&reads, before, after) {
            Ok(cost) => costs.push(cost),
            Err(wrong) => return Ok(Answer::no(wrong)),
        }
    }
    Ok(Answer::value(nanos(median(&mut costs)), "clock_gettime in the guest, without a system call"))
}

enum Clock {
    Reads(Vec<Duration>),
    /// The vDSO could not do it alone.
    SystemCall,
}

fn read_clock(scratch: &mut Scratch, clock_gettime: u64) -> Result<Clock, Failure> {
    const CLOCK_REALTIME: u64 = 0;
    let regs = UserRegs {
        r12: clock_gettime,
        r13: CLOCK_REALTIME,
        r14: NR_READS as u64,
        rbp: READS.gva(),
        rsp: STACK.gva() + PAGE_SIZE,
        ..Scratch::at(Routine::Clock)
    };
    match scratch.start(regs)? {
        Trap::Syscall if scratch.vcpu.regs().r14 == 0 => {}
        Trap::Syscall => return Ok(Clock::SystemCall),
        other => return Err(Failure::trap("a call into the vDSO", other)),
    }
    let bytes = scratch.read::<BYTES>(READS);
    let (words, _) = bytes.as_chunks::<8>();
    let (pairs, _) = words.as_chunks::<2>();
    let time = |[seconds, nanos]: &[[u8; 8]; 2]| {
        Duration::from_secs(u64::from_le_bytes(*seconds)) + Duration::from_nanos(u64::from_le_bytes(*nanos))
    };
    Ok(Clock::Reads(pairs.iter().map(time).collect()))
}

/// The cost of a reading, or what is wrong with them. Time that is a little late, or that stands still between the
/// host's ticks, comes from a time-stamp counter that is not the host's.
fn judge(reads: &[Duration], before: Duration, after: Duration) -> Result<Duration, String> {
    const TICK: Duration = Duration::from_millis(1);
    let (Some(&first), Some(&last)) = (reads.first(), reads.last()) else { return Err("no readings".to_owned()) };
    if !reads.is_sorted() {
        return Err("time goes backwards".to_owned());
    }
    if first < before {
        return Err(format!("time is {:?} late", before - first));
    }
    if last > after {
        return Err(format!("time is {:?} ahead", last - after));
    }
    let moves = |pair: &[Duration]| (Duration::from_nanos(1)..TICK).contains(&(pair[1] - pair[0]));
    if 2 * reads.windows(2).filter(|pair| moves(pair)).count() < reads.len() {
        return Err("time stands still below a tick".to_owned());
    }
    Ok((last - first) / u32::try_from(reads.len() - 1).unwrap_or(1).max(1))
}

fn host_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The vDSO and its data pages, at the same addresses in the guest.
fn map_vdso(scratch: &Scratch, vdso: &HostVdso) -> Result<(), Failure> {
    for area in vdso.data.iter().chain([&vdso.code]) {
        let gpa = scratch.machine.back_foreign(area.start, area.end - area.start)?;
        for page in area.clone().step_by(usize::try_from(PAGE_SIZE).unwrap_or(usize::MAX)) {
            scratch.map_at(page, gpa + (page - area.start), RX)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(nanos: &[u64]) -> Vec<Duration> {
        nanos.iter().copied().map(Duration::from_nanos).collect()
    }

    #[test]
    fn time_must_be_the_hosts_and_move() {
        let [early, late] = [Duration::ZERO, Duration::from_secs(1)];
        assert_eq!(judge(&times(&[100, 130, 160]), early, late), Ok(Duration::from_nanos(30)));
        let wrong = |reads: &[u64], before, after| judge(&times(reads), before, after).unwrap_err();
        assert_eq!(wrong(&[100, 90], early, late), "time goes backwards");
        assert_eq!(wrong(&[100, 130], Duration::from_nanos(300), late), "time is 200ns late");
        assert_eq!(wrong(&[100, 130], early, Duration::from_nanos(120)), "time is 10ns ahead");
        assert_eq!(wrong(&[100, 100, 100, 4_000_100], early, late), "time stands still below a tick");
    }
}
