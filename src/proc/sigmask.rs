//! rt_sigprocmask(2) answered inside the guest: a thread blocks signals on its pad, and the host is not told.
//!
//! It may block there only what has a handler, and let in only what it has blocked there. So the host catches whatever it
//! should hold back, and the thread comes to the runner: that takes the mask from the pad, and has the kernel queue such
//! a signal anew. Whenever the runner looks, the host blocks what the guest blocks.

use std::sync::Arc;

use super::Task;
use crate::signal::mask::SigSet;
use crate::vm::{Masks, Trap, VmError};

/// What is never blocked on the pad: what queues, and what does more than run its handler.
const NEVER: SigSet =
    SigSet::REAL_TIME.union(SigSet::JOB_CONTROL).union(SigSet::SYNCHRONOUS).union(SigSet::UNBLOCKABLE);

/// What a pad was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnPad {
    blocked: SigSet,
    handled: SigSet,
}

impl OnPad {
    fn masks(self) -> Masks {
        Masks { blocked: self.blocked.bits(), handled: self.handled.bits() }
    }

    /// What is blocked if the pad says `mask`. The program can write there whatever it likes.
    fn sanitised(self, mask: u64) -> SigSet {
        SigSet::from_bits(mask & self.handled.bits()).union(self.blocked)
    }
}

impl Task {
    /// Has the pad answer rt_sigprocmask(2) from now on, where that is possible.
    ///
    /// Not where there are more threads than one, for the host must know which of them takes a signal.
    pub fn answer_masks(&mut self) {
        let process = &self.process;
        let is_alone = process.threads.is_single() && Arc::strong_count(&process.actions) == 1;
        if is_alone && !self.signals.has_timers && self.vcpu.answers_at_length() {
            let handled = process.actions.handled().minus(NEVER);
            self.tell_masks(OnPad { blocked: self.signals.mask(), handled });
        }
    }

    /// Every rt_sigprocmask(2) leaves the guest from now on: what signals do is about to change, or it is not alone.
    pub fn end_masks(&mut self) {
        if self.signals.on_pad.take().is_some() {
            self.vcpu.set_masks(None, self.process.mm.machine().system());
        }
    }

    /// The host counts by their signals how often timers ran out.
    pub fn end_masks_for_timers(&mut self) {
        self.signals.has_timers = true;
        self.end_masks();
    }

    fn tell_masks(&mut self, on_pad: OnPad) {
        self.signals.on_pad = Some(on_pad);
        self.vcpu.set_masks(Some(on_pad.masks()), self.process.mm.machine().system());
    }

    /// Leaves the runner by `enter`, and comes back to it.
    pub(super) fn enter_with_masks(
        &mut self,
        on_pad: OnPad,
        enter: fn(&mut Self) -> Result<Trap, VmError>,
    ) -> Result<Trap, VmError> {
        let blocked = self.signals.mask();
        let on_pad = OnPad { blocked, ..on_pad };
        if self.signals.on_pad.is_none_or(|told| told.blocked != blocked) {
            self.tell_masks(on_pad);
        }
        let trap = enter(self);
        let mask = self.vcpu.mask(self.process.mm.machine().system());
        if let Some(mask) = mask.map(|mask| on_pad.sanitised(mask)).filter(|mask| *mask != blocked) {
            self.signals.adopt_mask(mask);
            self.tell_masks(OnPad { blocked: mask, ..on_pad });
        }
        trap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pad_adds_to_the_mask_what_has_a_handler_and_no_more() {
        let on_pad = OnPad { blocked: SigSet::only(libc::SIGHUP), handled: SigSet::only(libc::SIGUSR1) };
        let (hup, usr1) = (on_pad.blocked.bits(), on_pad.handled.bits());
        for (mask, blocked) in [(0, hup), (hup, hup), (usr1, hup | usr1), (u64::MAX, hup | usr1)] {
            assert_eq!(on_pad.sanitised(mask).bits(), blocked);
        }
    }
}
