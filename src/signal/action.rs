//! What signals do: dispositions as the guest set them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::mask::{MAX_SIGNAL, SigSet, is_valid};
use crate::abi::Errno;

/// The kernel's `struct sigaction` on x86-64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SigAction {
    /// `SIG_DFL`, `SIG_IGN`, or the address of a function.
    pub handler: u64,
    /// `SA_*`.
    pub flags: u64,
    /// Where a handler returns to.
    pub restorer: u64,
    /// Blocked while a handler runs.
    pub mask: SigSet,
}

/// Flags that the kernel knows (`UAPI_SA_FLAGS` in `include/linux/signal_types.h`, and `SA_RESTORER` of x86).
const KNOWN_FLAGS: u64 = 0xdc00_0807;

/// What a signal does to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing.
    Ignored,
    /// The process ends.
    Fatal,
    /// The process stops, or goes on.
    JobControl,
    /// A function of the guest's runs.
    Handled,
}

impl SigAction {
    /// Has it all of the flags `SA_*`?
    pub fn has(&self, flags: i32) -> bool {
        let flags = u64::from(flags.cast_unsigned());
        self.flags & flags == flags
    }

    /// Does it say where its handler returns to? On x86-64 it must (`x64_setup_rt_frame`).
    pub fn has_restorer(&self) -> bool {
        const SA_RESTORER: i32 = 0x0400_0000;
        self.has(SA_RESTORER)
    }

    /// What is blocked while its handler runs that `signal` started where `blocked` was blocked.
    pub fn mask_in_handler(&self, signal: i32, blocked: SigSet) -> SigSet {
        let own = if self.has(libc::SA_NODEFER) { SigSet::EMPTY } else { SigSet::only(signal) };
        blocked.union(self.mask).union(own)
    }

    /// What `signal` does under this action.
    pub fn disposition(&self, signal: i32) -> Disposition {
        match usize::try_from(self.handler) {
            Ok(libc::SIG_DFL) => default_of(signal),
            Ok(libc::SIG_IGN) => Disposition::Ignored,
            _ => Disposition::Handled,
        }
    }
}

/// What signals do by default (signal(7)).
fn default_of(signal: i32) -> Disposition {
    match signal {
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH => Disposition::Ignored,
        libc::SIGCONT | libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => Disposition::JobControl,
        _ => Disposition::Fatal,
    }
}

/// The actions of a process, one a signal.
#[derive(Debug)]
pub struct Actions(Mutex<[SigAction; 64]>);

impl Clone for Actions {
    fn clone(&self) -> Self {
        Self(Mutex::new(*self.lock()))
    }
}

impl Actions {
    /// Actions as `read` tells them for signals from 1 on.
    pub fn from_fn(mut read: impl FnMut(i32) -> SigAction) -> Self {
        let mut signals = 1..=MAX_SIGNAL;
        Self(Mutex::new(std::array::from_fn(|_| signals.next().map(&mut read).unwrap_or_default())))
    }

    /// The action of `signal`; `EINVAL` if there is no such signal.
    pub fn action(&self, signal: i32) -> Result<SigAction, Errno> {
        let index = index(signal)?;
        Ok(self.lock()[index])
    }

    /// Sets the action of `signal` and returns the one before.
    pub fn replace(&self, signal: i32, new: SigAction) -> Result<SigAction, Errno> {
        let index = index(signal)?;
        Ok(std::mem::replace(&mut self.lock()[index], new))
    }

    /// Back to the default, with flags and mask as they are (`SA_RESETHAND`, and `force_sig_info_to_task`).
    pub fn reset(&self, signal: i32) {
        if let Ok(index) = index(signal) {
            self.lock()[index].handler = libc::SIG_DFL as u64;
        }
    }

    /// Signals that have handlers.
    pub fn handled(&self) -> SigSet {
        let actions = self.lock();
        let handled = (1..=MAX_SIGNAL)
            .zip(actions.iter())
            .filter(|(signal, action)| action.disposition(*signal) == Disposition::Handled);
        handled.fold(SigSet::EMPTY, |set, (signal, _)| set.union(SigSet::only(signal)))
    }

    /// Keeps others from changing actions while what it returns lives.
    pub fn hold(&self) -> impl Sized {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, [SigAction; 64]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An action as the kernel keeps it: unknown flags forgotten, what cannot be blocked not blocked (`do_sigaction` in
/// `kernel/signal.c`).
pub fn as_kept(new: SigAction) -> SigAction {
    SigAction { flags: new.flags & KNOWN_FLAGS, mask: new.mask.minus(SigSet::UNBLOCKABLE), ..new }
}

fn index(signal: i32) -> Result<usize, Errno> {
    if is_valid(signal) { usize::try_from(signal - 1).map_err(|_| Errno::EINVAL) } else { Err(Errno::EINVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_kept_as_the_kernel_keeps_them() {
        let new = SigAction { handler: 1, flags: u64::MAX, restorer: 7, mask: SigSet::from_bits(u64::MAX) };
        let kept = as_kept(new);
        let known = libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT | libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        let known = known | libc::SA_NODEFER | libc::SA_RESETHAND | 0x800 | 0x0400_0000;
        assert_eq!(kept.flags, u64::from(known.cast_unsigned()));
        assert!(!kept.mask.contains(libc::SIGKILL) && !kept.mask.contains(libc::SIGSTOP));
        assert!(kept.mask.contains(libc::SIGTERM));
    }

    #[test]
    fn each_signal_has_its_own_action() {
        let actions = Actions::from_fn(|signal| SigAction {
            handler: u64::from(signal == libc::SIGPIPE),
            ..SigAction::default()
        });
        let of = |signal| actions.action(signal).map(|action| action.disposition(signal));
        assert_eq!(of(libc::SIGPIPE), Ok(Disposition::Ignored));
        assert_eq!(of(libc::SIGTERM), Ok(Disposition::Fatal));
        assert_eq!(of(libc::SIGTSTP), Ok(Disposition::JobControl));
        assert_eq!(of(64), Ok(Disposition::Fatal));
        assert_eq!(of(0), Err(Errno::EINVAL));
        assert_eq!(of(65), Err(Errno::EINVAL));
        let handler = SigAction { handler: 0x1000, ..SigAction::default() };
        assert_eq!(actions.replace(libc::SIGTERM, handler).map(|old| old.handler), Ok(0));
        assert_eq!(of(libc::SIGTERM), Ok(Disposition::Handled));
    }
}
