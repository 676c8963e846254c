//! Signals of the guest's, caught on the host until the run loop delivers them.
//!
//! The host blocks for a thread what its guest blocks, so the host kernel queues, orders and merges signals as it would
//! for the guest. One handler catches *one* signal in a slot of its thread, blocks all further ones by editing the mask
//! that it returns to, and makes the thread come to its run loop: out of guest mode ([`crate::vm::kick`]) and out of
//! host calls ([`super::call::interruptible_call`]). The run loop empties the slot, and then sets the new mask.
//!
//! Signals that the processor makes are never blocked on the host. When a process sends one, it waits in a place of
//! its own, where it merges with others of its number, as standard signals do.

#![expect(unsafe_code, reason = "signal handlers, which get pointers")]

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use nix::unistd::Pid;

use super::call::abort_before_kernel;
use super::perf::is_overflow;
use super::signal::{FAULT_SIGNALS, is_ignored_when_sent, send, set_action};
use crate::abi::Errno;
use crate::vm::kick;

/// The kernel's `siginfo_t`, word for word.
pub type RawSigInfo = [u64; 16];

/// What the host may block at most: everything but what the runner needs for itself.
pub const ALL_BLOCKED: u64 = {
    let mut mask = u64::MAX;
    let mut next = 0;
    while next < FAULT_SIGNALS.len() {
        mask &= !(1 << (FAULT_SIGNALS[next] - 1));
        next += 1;
    }
    mask
};

/// Room for a siginfo that a handler fills.
#[derive(Debug)]
struct Place {
    is_full: AtomicBool,
    words: [AtomicU64; 16],
}

impl Place {
    const fn new() -> Self {
        Self { is_full: AtomicBool::new(false), words: [const { AtomicU64::new(0) }; 16] }
    }

    fn fill(&self, siginfo: &RawSigInfo) {
        for (word, value) in self.words.iter().zip(siginfo) {
            word.store(*value, Ordering::Relaxed);
        }
        self.is_full.store(true, Ordering::SeqCst);
    }

    fn take(&self) -> Option<RawSigInfo> {
        if !self.is_full.load(Ordering::SeqCst) {
            return None;
        }
        let siginfo = std::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
        self.is_full.store(false, Ordering::SeqCst);
        Some(siginfo)
    }
}

/// What handlers leave to the run loop of their thread. Nobody else looks at it.
#[derive(Debug)]
struct Caught {
    /// Is there something to deliver? Host calls that may block look at it last.
    attention: AtomicU32,
    /// The caught signal; while it is full, the host blocks all but what it never blocks.
    slot: Place,
    /// Sent signals of [`FAULT_SIGNALS`].
    sent: [Place; FAULT_SIGNALS.len()],
    /// The thread that gets what is sent to this one, or 0.
    send_on_to: AtomicI32,
    /// What the guest blocks, bit `signal - 1` for each; of interest for [`FAULT_SIGNALS`] alone.
    guest_mask: AtomicU64,
    /// Are there kicks for samples?
    expects_samples: AtomicBool,
    /// Has one come?
    is_sampled: AtomicBool,
}

thread_local! {
    // Constant and without a destructor, so that a handler can use it at any time.
    static CAUGHT: Caught = const {
        Caught {
            attention: AtomicU32::new(0),
            slot: Place::new(),
            sent: [const { Place::new() }; FAULT_SIGNALS.len()],
            send_on_to: AtomicI32::new(0),
            guest_mask: AtomicU64::new(0),
            expects_samples: AtomicBool::new(false),
            is_sampled: AtomicBool::new(false),
        }
    };
}

/// Is there something to deliver?
#[inline]
pub fn needs_attention() -> bool {
    CAUGHT.with(|caught| caught.attention.load(Ordering::SeqCst)) != 0
}

/// Makes the run loop look for signals to deliver, or not.
pub fn set_attention(is_needed: bool) {
    CAUGHT.with(|caught| caught.attention.store(is_needed.into(), Ordering::SeqCst));
}

/// The word behind [`needs_attention`].
pub(super) fn attention() -> *const u32 {
    CAUGHT.with(|caught| caught.attention.as_ptr().cast_const())
}

/// Is the slot full? Then the host's mask must stay as it is.
pub fn is_caught() -> bool {
    CAUGHT.with(|caught| caught.slot.is_full.load(Ordering::SeqCst))
}

/// The signal in the slot.
pub fn caught_signal() -> Option<i32> {
    CAUGHT.with(|caught| {
        let signal = caught.slot.words[0].load(Ordering::Relaxed) & u64::from(u32::MAX);
        caught.slot.is_full.load(Ordering::SeqCst).then_some(i32::try_from(signal).unwrap_or(0))
    })
}

/// Empties the slot. The host goes on blocking everything until its mask is set.
pub fn take_caught() -> Option<RawSigInfo> {
    CAUGHT.with(|caught| caught.slot.take())
}

/// Takes all sent signals of [`FAULT_SIGNALS`], blocked or not.
pub fn take_sent(mut give: impl FnMut(RawSigInfo)) {
    CAUGHT.with(|caught| caught.sent.iter().filter_map(Place::take).for_each(&mut give));
}

/// Tells handlers what the guest blocks: a blocked signal disturbs nobody.
pub fn set_guest_mask(mask: u64) {
    CAUGHT.with(|caught| caught.guest_mask.store(mask, Ordering::SeqCst));
}

/// Catches `signal` from now on, for all threads, with the guest's `SA_RESTART`, `SA_NOCLDSTOP` and `SA_NOCLDWAIT` among
/// `flags`: the host kernel decides by them whether a host call starts again.
///
/// # Errors
/// `ERESTARTNOINTR` if there is a signal to deliver first.
pub fn catch(signal: i32, flags: u64) -> Result<(), Errno> {
    set_action(signal, on_signal, flags)
}

extern "C" fn on_signal(_signal: i32, siginfo: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo of 128 bytes to SA_SIGINFO handlers.
    let siginfo = unsafe { siginfo.cast::<RawSigInfo>().read() };
    CAUGHT.with(|caught| caught.slot.fill(&siginfo));
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid context to SA_SIGINFO handlers, and nobody else uses it meanwhile. Its own
    // sigset has eight bytes, which lie first in the C library's.
    unsafe { (&raw mut (*context).uc_sigmask).cast::<u64>().write(ALL_BLOCKED) };
    call_attention(context);
}

/// What processes send to the calling thread, which is none of the guest's and blocks what it can, is `thread`'s.
pub fn send_on_to(thread: Pid) {
    CAUGHT.with(|caught| caught.send_on_to.store(thread.as_raw(), Ordering::SeqCst));
}

/// The signal of a kick, which is never blocked on the host, and the code that tells it from those of the guest.
const KICK: (i32, i32) = (libc::SIGTRAP, i32::MIN + 50);

/// Likewise, of a kick that makes a thread leave guest mode and nothing else. Two of one signal would merge.
const SAMPLE_KICK: (i32, i32) = (libc::SIGFPE, i32::MIN + 51);

/// Makes the thread `tid` of `process` come to its run loop, out of guest mode or a host call.
pub fn kick(process: Pid, tid: Pid) -> Result<(), Errno> {
    send_kick(KICK, process, tid)
}

/// Makes the thread `tid` of `process`, which is in guest mode, leave it. [`take_sample_kick`] says when it has come.
pub fn kick_for_sample(process: Pid, tid: Pid) -> Result<(), Errno> {
    send_kick(SAMPLE_KICK, process, tid)
}

fn send_kick((signal, code): (i32, i32), process: Pid, tid: Pid) -> Result<(), Errno> {
    let mut siginfo = [0; 16];
    siginfo[0] = signal.unsigned_abs().into();
    siginfo[1] = code.cast_unsigned().into();
    send(process, tid, &siginfo)
}

fn is_kick(kind: (i32, i32), siginfo: &RawSigInfo) -> bool {
    let (signal, code) = kind;
    siginfo[0] & u64::from(u32::MAX) == u64::from(signal.unsigned_abs())
        && siginfo[1] & u64::from(u32::MAX) == u64::from(code.cast_unsigned())
}

/// When `RLIMIT_SIGPENDING` is used up, the kernel sends a kick for a sample as if nobody had.
fn is_kick_without_code(siginfo: &RawSigInfo) -> bool {
    let is_bare = siginfo[0] == u64::from(SAMPLE_KICK.0.unsigned_abs()) && siginfo[1..3] == [0; 2];
    is_bare && CAUGHT.with(|caught| caught.expects_samples.load(Ordering::SeqCst))
}

/// The signal by which an [`super::perf::OverflowCounter`] makes a guest's thread leave guest mode.
pub const OVERFLOW_SIGNAL: i32 = SAMPLE_KICK.0;

/// The calling thread gets kicks by [`kick_for_sample`] from now on.
pub fn expect_sample_kicks() {
    CAUGHT.with(|caught| caught.expects_samples.store(true, Ordering::SeqCst));
}

/// Has a kick by [`kick_for_sample`] come to the calling thread? Forgets it.
pub fn take_sample_kick() -> bool {
    CAUGHT.with(|caught| caught.is_sampled.swap(false, Ordering::SeqCst))
}

/// Keeps a signal of [`FAULT_SIGNALS`] that a process sent. Called by their handler.
pub(super) fn on_sent(signal: i32, siginfo: &RawSigInfo, context: *mut libc::ucontext_t) {
    if is_kick(KICK, siginfo) {
        return call_attention(context);
    }
    if is_kick(SAMPLE_KICK, siginfo) || is_kick_without_code(siginfo) {
        CAUGHT.with(|caught| caught.is_sampled.store(true, Ordering::SeqCst));
        return kick::leave_guest();
    }
    if is_overflow(siginfo) {
        return kick::leave_guest();
    }
    let other = CAUGHT.with(|caught| caught.send_on_to.load(Ordering::SeqCst));
    if other != 0 {
        // If that thread is about to end, so is this one.
        let _ = send(Pid::this(), Pid::from_raw(other), siginfo);
        return;
    }
    let Some(index) = FAULT_SIGNALS.iter().position(|&one| one == signal) else { return };
    let is_blocked = CAUGHT.with(|caught| caught.guest_mask.load(Ordering::SeqCst)) >> (signal - 1) & 1 == 1;
    if !is_blocked && is_ignored_when_sent(signal) {
        return;
    }
    CAUGHT.with(|caught| {
        if !caught.sent[index].is_full.load(Ordering::SeqCst) {
            caught.sent[index].fill(siginfo);
        }
    });
    if !is_blocked {
        call_attention(context);
    }
}

fn call_attention(context: *mut libc::ucontext_t) {
    set_attention(true);
    kick::leave_guest();
    // SAFETY: as in the callers, who got the context from the kernel.
    let rip = unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    abort_before_kernel(rip);
}

#[cfg(test)]
mod tests {
    use super::super::signal::{blocked, restore_default, set_blocked};
    use super::*;

    #[test]
    fn one_signal_is_caught_and_the_next_waits_on_the_host() {
        let before = blocked();
        catch(libc::SIGURG, 0).unwrap();
        set_blocked(before & !(1 << (libc::SIGURG - 1)));
        // SAFETY: sends signals to this thread.
        let raise = || unsafe { libc::raise(libc::SIGURG) };
        raise();
        assert!(needs_attention() && is_caught());
        assert_eq!(blocked(), ALL_BLOCKED & !(1 << (libc::SIGKILL - 1)) & !(1 << (libc::SIGSTOP - 1)));
        raise();
        assert_eq!(take_caught().map(|siginfo| siginfo[0] & 0xffff_ffff), Some(libc::SIGURG as u64));
        assert!(!is_caught());
        assert_eq!(catch(libc::SIGURG, 0), Err(Errno::ERESTARTNOINTR), "attention is needed still");
        set_blocked(before);
        assert!(is_caught());
        take_caught();
        set_attention(false);
        restore_default(libc::SIGURG);
        set_blocked(before);
    }
}
