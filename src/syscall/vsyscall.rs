//! The legacy page of three calls at a fixed address (the kernel's `arch/x86/entry/vsyscall/vsyscall_64.c`).
//!
//! Linux has the page for execution alone, and answers the fault of a call into it. So does the runner, if its host does.

use std::sync::OnceLock;

use super::host::{HostArg, args};
use super::{Outcome, deterministic};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::x86::PageFaultCode;

/// First byte of the page.
const PAGE: u64 = 0xffff_ffff_ff60_0000;
/// The three calls are at its start and at multiples of this.
const STEP: u64 = 0x400;
const GETCPU: u64 = 2 * STEP;

/// How a fault in the page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vsyscall {
    /// The call was answered, and has returned.
    Returned,
    /// The address is none of a call.
    None,
    /// SIGSEGV for a pointer of the caller's that no process can have.
    BadAddress(u64),
    /// SIGSEGV for another reason.
    Refused,
}

/// Answers the fault at `addr`, if it is a call of one of the three.
pub fn vsyscall(task: &mut Task, addr: u64, code: PageFaultCode) -> Vsyscall {
    let is_in_page = addr & !0xfff == PAGE;
    if !is_in_page || !code.contains(PageFaultCode::FETCH) || !has_page(task) {
        return Vsyscall::None;
    }
    let regs = *task.vcpu.regs();
    let Ok(caller) = task.process.mm.read(UserPtr::<u64>::new(UserAddr::new(regs.rsp))) else {
        return Vsyscall::Refused;
    };
    let (nr, lengths) = match addr - PAGE {
        0 => (libc::SYS_gettimeofday, [size_of::<libc::timeval>(), size_of::<libc::timezone>()]),
        STEP => (libc::SYS_time, [size_of::<libc::time_t>(), 0]),
        GETCPU => (libc::SYS_getcpu, [size_of::<u32>(); 2]),
        _ => return Vsyscall::Refused,
    };
    let pointers = [regs.rdi, regs.rsi].map(UserAddr::new);
    for (pointer, len) in pointers.into_iter().zip(lengths) {
        if !pointer.is_user_range(len as u64) && len > 0 {
            return Vsyscall::BadAddress(pointer.raw());
        }
    }
    let [first, second] = [0, 1].map(|index| HostArg::Guest(pointers[index], lengths[index] as u64));
    let result = if task.on_board().is_some() {
        let value = deterministic::execute(task, nr.cast_unsigned(), &[regs.rdi, regs.rsi, 0, 0, 0, 0]);
        value.and_then(|outcome| if let Outcome::Value(value) = outcome { Ok(value) } else { Err(Errno::ENOSYS) })
    } else {
        task.host(nr, args![first, second, 0])
    };
    match result {
        // The instruction is executed again, after the signal.
        Err(Errno::ERESTARTNOINTR) => return Vsyscall::Returned,
        Err(_) => return Vsyscall::Refused,
        Ok(value) => task.vcpu.regs_mut().rax = value,
    }
    let regs = task.vcpu.regs_mut();
    regs.rip = caller;
    regs.rsp = regs.rsp.wrapping_add(8);
    Vsyscall::Returned
}

fn has_page(task: &Task) -> bool {
    task.process.settings.layout.is_gem5() || host_has_page()
}

/// Its kernel may have been started without (`vsyscall=none`).
fn host_has_page() -> bool {
    static HAS_PAGE: OnceLock<bool> = OnceLock::new();
    *HAS_PAGE.get_or_init(|| std::fs::read("/proc/self/maps").is_ok_and(|maps| maps.ends_with(b"[vsyscall]\n")))
}
