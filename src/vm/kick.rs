//! Kicks: making a vCPU leave guest mode by a signal.
//!
//! A kick is a signal whose handler sets `immediate_exit` of the vCPU that its thread drives. While a guest runs, the
//! signals are its own ([`crate::sys::capture`]), and none is reserved; `doctor` has one for its measurements.
//! Three points at which it can come:
//!
//! 1. before `KVM_RUN` is called: the flag is set, KVM returns at once with EINTR;
//! 2. in guest mode: the signal itself makes KVM return with EINTR;
//! 3. after the exit, while the host answers: the next `KVM_RUN` returns at once.
//!
//! In each case exactly one [`super::Trap::Kicked`] follows, or a real trap that came first.

#![expect(unsafe_code, reason = "a signal handler that writes one byte of the kvm_run page")]

use std::cell::Cell;
use std::io;
use std::ptr;

use nix::unistd::Pid;

/// The signal of `doctor`'s kicks.
pub(super) const KICK_SIGNAL: i32 = 50;

thread_local! {
    /// `immediate_exit` of the vCPU that this thread drives, or null.
    static IMMEDIATE_EXIT: Cell<*mut u8> = const { Cell::new(ptr::null_mut()) };
}

extern "C" fn on_kick(_signal: i32) {
    leave_guest();
}

/// Makes the vCPU of the calling thread leave guest mode as soon as it is there; for signal handlers.
pub(crate) fn leave_guest() {
    let flag = IMMEDIATE_EXIT.get();
    if !flag.is_null() {
        // SAFETY: a non-null pointer is to the kvm_run page of a vCPU that this thread has attached; it stays mapped
        // until its `Attachment` is dropped, which sets the pointer to null first. KVM reads the byte concurrently.
        unsafe { flag.write_volatile(1) };
    }
}

/// Installs the handler of [`kick`], once a process.
pub fn install() -> io::Result<()> {
    crate::sys::install_handler(KICK_SIGNAL, on_kick)
}

/// While it lives, and until there is a newer one, kicks of this thread reach one vCPU.
#[derive(Debug)]
pub struct Attachment {
    /// Address of its `immediate_exit`.
    flag: usize,
}

impl Attachment {
    /// # Safety
    /// `flag` must be `immediate_exit` of a kvm_run page that outlives the attachment.
    pub(super) unsafe fn new(flag: *mut u8) -> Self {
        IMMEDIATE_EXIT.set(flag);
        Self { flag: flag.addr() }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // A vfork child attaches its vCPU in the memory of its parent, whose attachment outlives that one.
        if IMMEDIATE_EXIT.get().addr() == self.flag {
            IMMEDIATE_EXIT.set(ptr::null_mut());
        }
    }
}

/// Kicks the thread `tid` of this process.
///
/// # Errors
/// `ESRCH` when the thread has ended, `EAGAIN` when `RLIMIT_SIGPENDING` is used up.
pub fn kick(tid: Pid) -> nix::Result<()> {
    crate::sys::tgkill(Pid::this(), tid, KICK_SIGNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_attachment_stays_when_an_older_one_goes() {
        let mut flags = [0; 2];
        let [old, new] = flags.each_mut().map(ptr::from_mut);
        // SAFETY: both flags outlive the attachments.
        let (first, second) = unsafe { (Attachment::new(old), Attachment::new(new)) };
        drop(first);
        leave_guest();
        drop(second);
        leave_guest();
        assert_eq!(flags, [0, 1]);
    }
}
