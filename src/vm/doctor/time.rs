//! The guest's clocks: its time-stamp counter and the host's vDSO.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use goblin::elf::Elf;

use super::check::{Answer, Check, Failure, Need};
use super::cost::{median, nanos};
use super::routines::Routine;
use super::scratch::{Page, RW, RX, Scratch};
use crate::abi::PAGE_SIZE;
use crate::sys::copy::copy_from;
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
    let Some(vdso) = Vdso::of_runner() else { return Ok(Answer::no("this kernel has no vDSO")) };
    vdso.map(scratch)?;
    scratch.map(READS, RW)?;
    scratch.map(STACK, RW)?;
    let mut costs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = host_time();
        let reads = match read_clock(scratch, vdso.clock_gettime)? {
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

/// The vDSO of this process and its data pages, which the guest gets at the same addresses.
#[derive(Debug)]
struct Vdso {
    areas: Vec<(u64, u64)>,
    clock_gettime: u64,
}

impl Vdso {
    fn of_runner() -> Option<Self> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let areas = |name: &str| maps.lines().filter_map(|line| area_of(line, name)).collect::<Vec<_>>();
        // Data pages are called [vvar] and, from Linux 6.13 on, [vvar_vclock] too.
        let (code, data) = (areas("[vdso"), areas("[vvar"));
        let &(start, end) = code.first()?;
        let mut image = vec![0; usize::try_from(end - start).ok()?];
        let len = copy_from(start, &mut image);
        let clock_gettime = start + symbol(&image[..len], "__vdso_clock_gettime")?;
        Some(Self { areas: [code, data].concat(), clock_gettime })
    }

    fn map(&self, scratch: &Scratch) -> Result<(), Failure> {
        for &(start, end) in &self.areas {
            let gpa = scratch.machine.back_foreign(start, end - start)?;
            for offset in (0..end - start).step_by(usize::try_from(PAGE_SIZE).unwrap_or(usize::MAX)) {
                scratch.map_at(start + offset, gpa + offset, RX)?;
            }
        }
        Ok(())
    }
}

/// Start and end of the mapping in a line of /proc/self/maps, if its name begins with `name`.
fn area_of(line: &str, name: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    fields.nth(4).filter(|field| field.starts_with(name))?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

/// Value of a dynamic symbol, relative to the start of the image.
fn symbol(image: &[u8], name: &str) -> Option<u64> {
    let elf = Elf::parse(image).ok()?;
    let found = elf.dynsyms.iter().find(|symbol| elf.dynstrtab.get_at(symbol.st_name) == Some(name))?;
    Some(found.st_value)
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

    #[test]
    fn areas_are_found_by_the_start_of_their_name() {
        let line = "7ffc1a2b3000-7ffc1a2b5000 r--p 00000000 00:00 0                          [vvar_vclock]";
        assert_eq!(area_of(line, "[vvar"), Some((0x7ffc_1a2b_3000, 0x7ffc_1a2b_5000)));
        assert_eq!(area_of(line, "[vdso"), None);
        assert_eq!(area_of("7f00-7f10 rw-p 00000000 00:00 0", "[vdso"), None);
    }

    #[test]
    fn the_vdso_of_this_process_has_the_symbol() {
        let vdso = Vdso::of_runner().unwrap();
        assert!(vdso.areas.iter().any(|&(start, end)| (start..end).contains(&vdso.clock_gettime)));
    }
}
