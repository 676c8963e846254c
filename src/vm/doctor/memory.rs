//! Address translation: changes that the host makes to page tables and mappings must reach the guest.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use nix::unistd::{Pid, gettid};

use super::check::{Answer, Check, Failure, Need};
use super::routines::Routine;
use super::scratch::{Page, RO, RW, Scratch};
use crate::abi::PAGE_SIZE;
use crate::vm::machine::Mmu;
use crate::vm::memslots::CHUNK_LEN;
use crate::vm::{Machine, Trap, Vcpu, VmError, kick};
use crate::x86::{PageFaultCode, UserRegs};

pub(super) const CHECKS: &[Check] = &[
    Check { what: "address translation", need: Need::May, perform: translation },
    Check { what: "revoked pages", need: Need::Must, perform: revoked },
    Check { what: "revoked while running", need: Need::Must, perform: revoked_while_running },
    Check { what: "new rights", need: Need::Must, perform: widened },
    Check { what: "missing host pages", need: Need::Must, perform: missing },
    Check { what: "memslots", need: Need::May, perform: memslots },
    Check { what: "physical addresses", need: Need::May, perform: physical_addresses },
];

const PAGE: Page = Page(1);
const PROT_RW: i32 = libc::PROT_READ | libc::PROT_WRITE;

fn translation(scratch: &mut Scratch) -> Result<Answer, Failure> {
    Ok(match scratch.machine.flavour().mmu {
        Mmu::Nested => Answer::value("nested", "the CPU walks the guest's page tables"),
        Mmu::Shadow => Answer::value("shadow", "KVM copies the guest's page tables: first touches cost more"),
    })
}

/// How the runner takes rights away, after the guest's entry is cleared.
#[derive(Clone, Copy, Debug)]
enum Revocation {
    /// munmap(2).
    NoAccess,
    /// mprotect(2), whose new entry is read-only.
    ReadOnly,
    /// `MADV_DONTNEED`.
    Discard,
}

/// The guest must fault at once where a page was revoked, by each way, many times.
fn revoked(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 100;
    let mut nr_stale = 0;
    for _ in 0..ROUNDS {
        for how in [Revocation::NoAccess, Revocation::ReadOnly, Revocation::Discard] {
            nr_stale += usize::from(is_stale_after(scratch, how)?);
        }
    }
    match nr_stale {
        0 => Ok(Answer::yes("munmap and mprotect take effect at once")),
        stale => Err(Failure::Wrong(format!("{stale} of {} revoked pages stayed visible", 3 * ROUNDS))),
    }
}

fn is_stale_after(scratch: &mut Scratch, how: Revocation) -> Result<bool, Failure> {
    scratch.protect(PAGE, PROT_RW)?;
    scratch.map(PAGE, RW)?;
    match scratch.store(PAGE, 1)? {
        Trap::Syscall => {}
        other => return Err(Failure::trap("a store to a mapped page", other)),
    }
    revoke(scratch, how)?;
    let absent = PageFaultCode::USER | PageFaultCode::WRITE;
    let expected = match how {
        Revocation::ReadOnly => absent | PageFaultCode::PRESENT,
        Revocation::NoAccess | Revocation::Discard => absent,
    };
    match scratch.store(PAGE, 2)? {
        Trap::PageFault { addr, code } if (addr, code) == (PAGE.gva(), expected) => Ok(false),
        Trap::Syscall | Trap::BusError => Ok(true),
        other => Err(Failure::trap("a store to a revoked page", other)),
    }
}

fn revoke(scratch: &Scratch, how: Revocation) -> Result<(), Failure> {
    scratch.clear(PAGE);
    match how {
        Revocation::NoAccess => scratch.protect(PAGE, libc::PROT_NONE),
        Revocation::ReadOnly => {
            scratch.protect(PAGE, libc::PROT_READ)?;
            Ok(scratch.map(PAGE, RO)?)
        }
        Revocation::Discard => crate::sys::discard(scratch.hva(PAGE), PAGE_SIZE)
            .map_err(|source| VmError::Ioctl { call: "madvise", source }.into()),
    }
}

/// Rights that come need no invalidation; a second fault, which the runner answers by going on, is allowed.
fn widened(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: u64 = 50;
    let mut nr_second_faults = 0;
    for number in 1..=ROUNDS {
        let page = Page(number);
        scratch.load(page)?;
        scratch.map(page, RO)?;
        nr_second_faults += second_faults(scratch)?;
        scratch.store(page, number)?;
        scratch.map(page, RW)?;
        nr_second_faults += second_faults(scratch)?;
        if scratch.word(page, 0).load(Ordering::Relaxed) != number {
            return Err(Failure::wrong("a store was lost"));
        }
    }
    Ok(match nr_second_faults {
        0 => Answer::yes("seen by the guest at once"),
        faults => Answer::yes(format!("seen by the guest, in {faults} of {} cases after a second fault", 2 * ROUNDS)),
    })
}

/// Goes on after a fault that has been answered; returns how often it came again.
fn second_faults(scratch: &mut Scratch) -> Result<u64, Failure> {
    const MOST: u64 = 3;
    for faults in 0..=MOST {
        match scratch.resume()? {
            Trap::Syscall => return Ok(faults),
            Trap::PageFault { .. } => {}
            other => return Err(Failure::trap("an access made again", other)),
        }
    }
    Err(Failure::wrong("the guest does not see new rights"))
}

/// A page that the host cannot provide is reported, and the access can be made again.
fn missing(scratch: &mut Scratch) -> Result<Answer, Failure> {
    scratch.map(PAGE, RW)?;
    scratch.word(PAGE, 0).store(PAGE.0, Ordering::Relaxed);
    scratch.protect(PAGE, libc::PROT_NONE)?;
    match scratch.load(PAGE)? {
        Trap::BusError => {}
        other => return Err(Failure::trap("a load of a missing page", other)),
    }
    scratch.protect(PAGE, PROT_RW)?;
    if scratch.call_again("a load made again")?.rsi == PAGE.0 {
        Ok(Answer::yes("SIGBUS past the end of a file"))
    } else {
        Err(Failure::wrong("a load made again gave another value"))
    }
}

fn memslots(scratch: &mut Scratch) -> Result<Answer, Failure> {
    let slots = scratch.machine.max_slots();
    let bytes = CHUNK_LEN.saturating_mul(slots as u64).min(1 << scratch.machine.physical_address_bits());
    Ok(Answer::value(slots.to_string(), format!("a program can use at most {} GiB at a time", bytes >> 30)))
}

fn physical_addresses(scratch: &mut Scratch) -> Result<Answer, Failure> {
    Ok(Answer::value(format!("{} bits", scratch.machine.physical_address_bits()), "of the guest"))
}

/// A second vCPU reads a page all the time; revoking it must stop that vCPU too.
fn revoked_while_running(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: u32 = 20;
    scratch.map(COUNTER, RW)?;
    let vcpu = scratch.machine.add_vcpu()?;
    let scratch = &*scratch;
    thread::scope(|scope| {
        let (orders, to_watcher) = mpsc::channel();
        let (from_watcher, reports) = mpsc::channel();
        scope.spawn(move || watch(&scratch.machine, vcpu, &to_watcher, &from_watcher));
        let tid = reports.recv().map_err(|_| watcher_ended())?.tid()?;
        for _ in 0..ROUNDS {
            if is_stale_while_running(scratch, tid, &orders, &reports)? {
                return Err(Failure::wrong("a revoked page stayed visible to a running vCPU"));
            }
        }
        Ok(Answer::yes("for all threads of the program"))
    })
}

/// Counts the reads of the second vCPU.
const COUNTER: Page = Page(2);

/// The thread of the second vCPU may begin to read.
struct Go;

/// What the thread of the second vCPU has to say.
enum Report {
    Ready(Pid),
    Stopped(Result<Trap, VmError>),
}

impl Report {
    fn tid(self) -> Result<Pid, Failure> {
        match self {
            Self::Ready(tid) => Ok(tid),
            Self::Stopped(_) => Err(watcher_ended()),
        }
    }
}

fn watcher_ended() -> Failure {
    Failure::wrong("the second vCPU's thread ended")
}

/// Reads the page until that fails, once for each order.
fn watch(machine: &Machine, mut vcpu: Vcpu, orders: &Receiver<Go>, reports: &Sender<Report>) {
    vcpu.attach();
    // When the other side has gone there is nobody to tell.
    let _ = reports.send(Report::Ready(gettid()));
    while let Ok(Go) = orders.recv() {
        *vcpu.regs_mut() = UserRegs { rdi: PAGE.gva(), rdx: COUNTER.gva(), ..Scratch::at(Routine::Watch) };
        let trap = loop {
            match machine.run(&mut vcpu) {
                // The entry was read before it was cleared, the host page after it was taken away.
                Ok(Trap::BusError) => {}
                trap => break trap,
            }
        };
        let _ = reports.send(Report::Stopped(trap));
    }
}

fn is_stale_while_running(
    scratch: &Scratch,
    watcher: Pid,
    orders: &Sender<Go>,
    reports: &Receiver<Report>,
) -> Result<bool, Failure> {
    const PATIENCE: Duration = Duration::from_millis(300);
    scratch.protect(PAGE, PROT_RW)?;
    scratch.map(PAGE, RO)?;
    let before = scratch.word(COUNTER, 0).load(Ordering::Relaxed);
    orders.send(Go).map_err(|_| watcher_ended())?;
    if !has_moved(scratch, before, PATIENCE) {
        // It must not be left running: the scope waits for it.
        let _ = kick::kick(watcher);
        return Err(Failure::wrong("the second vCPU does not run"));
    }
    revoke(scratch, Revocation::NoAccess)?;
    // The instruction that counts may have been due.
    let most = scratch.word(COUNTER, 0).load(Ordering::Relaxed) + 1;
    let report = reports.recv_timeout(PATIENCE).or_else(|_| {
        let _ = kick::kick(watcher);
        reports.recv_timeout(PATIENCE).map_err(|_| Failure::Hung)
    })?;
    let is_stale = scratch.word(COUNTER, 0).load(Ordering::Relaxed) > most;
    match report {
        Report::Stopped(Ok(Trap::PageFault { addr, .. })) if addr == PAGE.gva() => Ok(is_stale),
        // On a busy host the thread may not have run at all.
        Report::Stopped(Ok(Trap::Kicked)) => Ok(is_stale),
        Report::Stopped(Ok(other)) => Err(Failure::trap("a revoked load", other)),
        Report::Stopped(Err(error)) => Err(error.into()),
        Report::Ready(_) => Err(watcher_ended()),
    }
}

/// Waits until the second vCPU reads.
fn has_moved(scratch: &Scratch, before: u64, patience: Duration) -> bool {
    const STEP: Duration = Duration::from_micros(200);
    let steps = patience.as_micros() / STEP.as_micros();
    (0..steps).any(|_| {
        thread::sleep(STEP);
        scratch.word(COUNTER, 0).load(Ordering::Relaxed) != before
    })
}
