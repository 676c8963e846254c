//! What the parent process left to the guest, and the runner changes for itself.

use std::os::fd::OwnedFd;

use super::HardLimits;
use super::determinism::{Seat, Timers};
use super::handover::Kept;
use crate::mm;
use crate::mm::vma::Limits;
use crate::signal::action::{Actions, SigAction};
use crate::signal::mask::{MAX_SIGNAL, SigSet};
use crate::sys;
use crate::vm::Platform;

/// State of the host process as the guest is to find it.
#[derive(Debug)]
pub struct Inherited {
    /// What signals do.
    pub actions: Actions,
    /// Blocked signals.
    pub mask: SigSet,
    /// Soft limits on memory.
    pub memory_limits: Limits,
    /// Hard resource limits.
    pub limits: HardLimits,
    /// /dev/kvm, if a program before this one had it open.
    pub kvm: Option<OwnedFd>,
    /// What that program knew of it.
    pub platform: Option<Platform>,
    /// The place of the thread in a deterministic run, if a program before this one had one.
    pub seat: Option<Seat>,
    /// Timers that it had set there.
    pub timers: Timers,
    /// Soft limit on descriptors, if it is to be set at the end of the start.
    pub soft_descriptors: Option<u64>,
}

impl Inherited {
    /// Notes the state and lets go of what the runner needs: signals it cannot have blocked, descriptors above the
    /// guest's, address space. `kept` is what the program before this one left in the same process. To be called once,
    /// before the runner installs handlers.
    pub fn take(kept: Option<Kept>) -> Self {
        let actions = Actions::from_fn(|signal| {
            let [handler, flags, restorer, mask] = sys::signal::action(signal);
            SigAction { handler, flags, restorer, mask: SigSet::from_bits(mask) }
        });
        let inherited = match kept {
            Some(Kept { kvm, platform, seat, intervals, mask, ignored, limits, hard_limits, soft_descriptors }) => {
                let ignore = SigAction { handler: libc::SIG_IGN as u64, ..SigAction::default() };
                for signal in (1..=MAX_SIGNAL).filter(|&signal| ignored.contains(signal)) {
                    let _ = actions.replace(signal, ignore);
                }
                Self {
                    actions,
                    mask,
                    memory_limits: limits,
                    limits: hard_limits,
                    kvm: Some(kvm),
                    platform,
                    seat: Some(seat),
                    timers: Timers::of_intervals(&intervals),
                    soft_descriptors: Some(soft_descriptors),
                }
            }
            None => Self {
                actions,
                mask: SigSet::from_bits(sys::signal::blocked()),
                memory_limits: mm::inherited_limits(),
                limits: HardLimits::inherited(),
                kvm: None,
                platform: None,
                seat: None,
                timers: Timers::default(),
                soft_descriptors: None,
            },
        };
        for signal in sys::signal::FAULT_SIGNALS {
            let action = inherited.actions.action(signal);
            let is_ignored = action.is_ok_and(|action| action.handler == libc::SIG_IGN as u64);
            sys::signal::ignore_when_sent(signal, is_ignored);
        }
        sys::signal::set_blocked(inherited.mask.host_mask().bits());
        mm::lift_host_limits();
        inherited
    }
}
