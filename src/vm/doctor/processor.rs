//! Traps: how user code leaves the guest and goes on.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::gettid;

use super::check::{Answer, Check, Failure, Need};
use super::cost::{median, micros};
use super::routines::Routine;
use super::scratch::{Page, RO, RW, Scratch};
use crate::vm::landing::Landing;
use crate::vm::{Trap, kick};
use crate::x86::{PageFaultCode, RFlags, UserRegs, Vector};

pub(super) const CHECKS: &[Check] = &[
    Check { what: "system calls", need: Need::Must, perform: system_calls },
    Check { what: "page faults", need: Need::Must, perform: page_faults },
    Check { what: "exceptions", need: Need::Must, perform: exceptions },
    Check { what: "registers", need: Need::Must, perform: registers },
    Check { what: "single step", need: Need::May, perform: single_step },
    Check { what: "kick", need: Need::Must, perform: kicks },
    Check { what: "kick before entry", need: Need::Must, perform: early_kick },
];

/// Several in a row, each with a result that the guest must see.
fn system_calls(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: u64 = 50;
    let mut regs = Scratch::at(Routine::Syscalls);
    for round in 0..ROUNDS {
        regs.rax = round;
        regs = scratch.call("a system call", regs)?;
        if regs.rax != round || regs.rip != regs.rcx {
            return Err(Failure::wrong("a system call changed registers"));
        }
    }
    Ok(match scratch.vcpu.landing() {
        Landing::Ring0 => Answer::value("ring 0", "`syscall` arrives as on hardware"),
        Landing::Ring3 => Answer::value("ring 3", "a software KVM: `syscall` arrives as a page fault"),
    })
}

/// Absent page, then a read-only page: each fault says so, and the access succeeds when it is made again.
fn page_faults(scratch: &mut Scratch) -> Result<Answer, Failure> {
    let page = Page(1);
    scratch.word(page, 0).store(7, Ordering::Relaxed);
    let absent = scratch.load(page)?;
    expect_fault("a load from nowhere", absent, page.gva(), PageFaultCode::USER)?;
    scratch.map(page, RO)?;
    let regs = scratch.call_again("a load made again")?;
    if regs.rsi != 7 {
        return Err(Failure::wrong("a load made again gave another value"));
    }
    let refused = scratch.store(page, 8)?;
    let code = PageFaultCode::USER | PageFaultCode::PRESENT | PageFaultCode::WRITE;
    expect_fault("a store to a read-only page", refused, page.gva(), code)?;
    scratch.map(page, RW)?;
    scratch.call_again("a store made again")?;
    if scratch.word(page, 0).load(Ordering::Relaxed) != 8 {
        return Err(Failure::wrong("a store made again was lost"));
    }
    Ok(Answer::yes("memory is mapped as the program touches it"))
}

fn expect_fault(what: &str, trap: Trap, at: u64, with: PageFaultCode) -> Result<(), Failure> {
    match trap {
        Trap::PageFault { addr, code } if (addr, code) == (at, with) => Ok(()),
        other => Err(Failure::trap(what, other)),
    }
}

/// Faults report the instruction itself, `int3` the one behind it.
fn exceptions(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const EXPECTED: [(Routine, Vector, u64, &str); 4] = [
        (Routine::Undefined, Vector::UD, 0, "an undefined instruction"),
        (Routine::Breakpoint, Vector::BP, 1, "a breakpoint"),
        (Routine::Divide, Vector::DE, 0, "a division by zero"),
        (Routine::Privileged, Vector::GP, 0, "a privileged instruction"),
    ];
    for (routine, expected, behind, what) in EXPECTED {
        let regs = Scratch::at(routine);
        match scratch.start(regs)? {
            Trap::Exception { vector, .. } if vector == expected && scratch.vcpu.regs().rip == regs.rip + behind => {}
            other => return Err(Failure::trap(what, other)),
        }
    }
    Ok(Answer::yes("what a program does wrong becomes its signal"))
}

/// All registers out and in again through the shared page, by both ways back from a system call.
fn registers(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: u64 = 100;
    let mut next = 0x0123_4567_89ab_cdef;
    let mut regs = Scratch::at(Routine::Registers);
    for round in 0..ROUNDS {
        let is_by_sysret = round % 2 == 0;
        let (rip, rcx, r11) = (regs.rip, regs.rcx, regs.r11);
        regs = scrambled(&mut next);
        regs.rip = rip;
        if is_by_sysret {
            (regs.rcx, regs.r11) = (rcx, r11);
            regs.rflags = RFlags::sanitised(r11);
        }
        let after = scratch.call("a system call", regs)?;
        if after != one_up(&regs, &after) || after.rcx != after.rip {
            return Err(Failure::wrong("a register came back wrong"));
        }
        regs = after;
    }
    Ok(Answer::yes("read and written without further calls into KVM"))
}

fn scrambled(next: &mut u64) -> UserRegs {
    let mut word = || {
        *next = next.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        *next
    };
    UserRegs {
        rax: word(),
        rbx: word(),
        rcx: word(),
        rdx: word(),
        rsi: word(),
        rdi: word(),
        rsp: word(),
        rbp: word(),
        r8: word(),
        r9: word(),
        r10: word(),
        r11: word(),
        r12: word(),
        r13: word(),
        r14: word(),
        r15: word(),
        rip: 0,
        rflags: RFlags::sanitised(0),
    }
}

/// What the routine makes of `regs`; what the CPU chooses is as in `after`.
fn one_up(regs: &UserRegs, after: &UserRegs) -> UserRegs {
    let up = |value: u64| value.wrapping_add(1);
    UserRegs {
        rax: up(regs.rax),
        rbx: up(regs.rbx),
        rdx: up(regs.rdx),
        rsi: up(regs.rsi),
        rdi: up(regs.rdi),
        rsp: up(regs.rsp),
        rbp: up(regs.rbp),
        r8: up(regs.r8),
        r9: up(regs.r9),
        r10: up(regs.r10),
        r12: up(regs.r12),
        r13: up(regs.r13),
        r14: up(regs.r14),
        r15: up(regs.r15),
        ..*after
    }
}

/// The trap flag stops the guest behind each instruction, a system call apart: that is a trap of its own, and the next
/// one comes behind the instruction after it.
fn single_step(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const STEP: Option<Vector> = Some(Vector::DB);
    const STOPS: [(u64, Option<Vector>); 5] = [(1, STEP), (3, STEP), (1, STEP), (2, None), (1, STEP)];
    let mut regs = Scratch::at(Routine::Steps);
    let mut rip = regs.rip;
    regs.rflags |= RFlags::TF.bits();
    *scratch.vcpu.regs_mut() = regs;
    for (len, expected) in STOPS {
        rip += len;
        let trap = scratch.resume()?;
        let vector = match trap {
            Trap::Exception { vector, .. } => Some(vector),
            Trap::Syscall => None,
            other => return Err(Failure::trap("a single step", other)),
        };
        if (vector, scratch.vcpu.regs().rip) != (expected, rip) {
            return Err(Failure::trap("a single step", trap));
        }
    }
    Ok(Answer::yes("traces and debuggers see each instruction"))
}

/// Another thread makes the vCPU leave a loop.
fn kicks(scratch: &mut Scratch) -> Result<Answer, Failure> {
    const ROUNDS: usize = 5;
    const TRIES: usize = 20;
    let mut latencies = Vec::with_capacity(ROUNDS);
    for _ in 0..TRIES {
        latencies.extend(kick_latency(scratch)?);
        if latencies.len() == ROUNDS {
            break;
        }
    }
    if latencies.is_empty() {
        return Err(Failure::wrong("the guest never ran before it was kicked"));
    }
    Ok(Answer::value(micros(median(&mut latencies)), "signals reach a program that computes"))
}

/// From the kick to the return; `None` if it came before the guest ran, as on a busy host.
fn kick_latency(scratch: &mut Scratch) -> Result<Option<Duration>, Failure> {
    const SPIN: Duration = Duration::from_millis(5);
    let tid = gettid();
    thread::scope(|scope| {
        let kicker = scope.spawn(move || {
            thread::sleep(SPIN);
            let before = Instant::now();
            kick::kick(tid).map(|()| before)
        });
        let trap = scratch.start(Scratch::at(Routine::Spin))?;
        let after = Instant::now();
        let Ok(Ok(before)) = kicker.join() else { return Err(Failure::wrong("a kick could not be sent")) };
        match trap {
            Trap::Kicked if scratch.vcpu.regs().rsi > 0 => Ok(Some(after.saturating_duration_since(before))),
            Trap::Kicked => Ok(None),
            other => Err(Failure::trap("an endless loop", other)),
        }
    })
}

/// A kick that comes before KVM_RUN makes it return at once.
fn early_kick(scratch: &mut Scratch) -> Result<Answer, Failure> {
    if kick::kick(gettid()).is_err() {
        return Err(Failure::wrong("a kick could not be sent"));
    }
    match scratch.start(Scratch::at(Routine::Spin))? {
        Trap::Kicked if scratch.vcpu.regs().rsi == 0 => Ok(Answer::yes("no signal is lost on the way into the guest")),
        Trap::Kicked => Err(Failure::wrong("the guest ran all the same")),
        other => Err(Failure::trap("an endless loop", other)),
    }
}
