//! What the parent process left to the guest, and the runner changes for itself.

use super::HardLimits;
use crate::signal::action::{Actions, SigAction};
use crate::signal::mask::SigSet;
use crate::sys;

/// State of the host process as the guest is to find it.
#[derive(Debug)]
pub struct Inherited {
    /// What signals do.
    pub actions: Actions,
    /// Blocked signals.
    pub mask: SigSet,
    /// Hard resource limits.
    pub limits: HardLimits,
}

impl Inherited {
    /// Notes the state and lets go of what the runner needs: signals it cannot have blocked, descriptors above the
    /// guest's. To be called once, before the runner installs handlers.
    pub fn take() -> Self {
        let actions = Actions::from_fn(|signal| {
            let [handler, flags, restorer, mask] = sys::signal::action(signal);
            SigAction { handler, flags, restorer, mask: SigSet::from_bits(mask) }
        });
        for signal in sys::signal::FAULT_SIGNALS {
            let is_ignored = actions.action(signal).is_ok_and(|action| action.handler == libc::SIG_IGN as u64);
            sys::signal::ignore_when_sent(signal, is_ignored);
        }
        let mask = SigSet::from_bits(sys::signal::blocked());
        sys::signal::set_blocked(mask.host_mask().bits());
        Self { actions, mask, limits: HardLimits::inherited() }
    }
}
