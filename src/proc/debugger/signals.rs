//! Signals of a process that is debugged: the debugger says what becomes of each.

use nix::unistd::getpid;

use super::{Debugged, Debugger, Event};
use crate::proc::Task;
use crate::proc::replay::Seen;
use crate::signal::exception::Fault;
use crate::signal::held::SigInfo;
use crate::vm::VmError;

impl Task {
    /// A signal is about to be delivered. Returns what is to be delivered in its place, if anything is.
    ///
    /// # Errors
    /// KVM's.
    #[inline]
    pub fn show_signal(&mut self, info: SigInfo) -> Result<Option<SigInfo>, VmError> {
        if self.process.debugger.is_none() {
            return Ok(Some(info));
        }
        if let Some(debugged) = &mut self.debugged
            && debugged.injected.take_if(|signal| *signal == info.signal).is_some()
        {
            return Ok(Some(info));
        }
        let Some(signal) = self.ask(info.signal)? else { return Ok(Some(info)) };
        self.note_signal_altered(signal != Some(info.signal));
        Ok(signal.map(|signal| if signal == info.signal { info } else { SigInfo::forced(signal) }))
    }

    /// A fault is about to be delivered as a signal; returns whether it is to be.
    ///
    /// # Errors
    /// KVM's.
    #[inline]
    pub fn show_fault(&mut self, fault: &Fault) -> Result<bool, VmError> {
        let Some(debugger) = self.process.debugger.clone() else { return Ok(true) };
        let Some(signal) = self.ask(fault.signal)? else { return Ok(true) };
        self.note_signal_altered(signal != Some(fault.signal));
        if let Some(other) = signal.filter(|signal| *signal != fault.signal) {
            // The instruction comes again behind its handler.
            let mut debugged = self.debugged.take().unwrap_or_default();
            self.inject(&debugger, &mut debugged, other);
            self.debugged = Some(debugged);
        }
        Ok(signal == Some(fault.signal))
    }

    /// Stops with the signal, and returns what the debugger wants delivered; `None` if it is not asked.
    fn ask(&mut self, signal: i32) -> Result<Option<Option<i32>>, VmError> {
        let Some(debugger) = self.process.debugger.clone() else { return Ok(None) };
        let seen = self.track_signal(&debugger);
        if seen == Seen::Nothing {
            return Ok(None);
        }
        let wanted = self.stop_with(Event::Signal(signal))?;
        Ok(Some(if seen == Seen::Arrival { wanted.or(Some(signal)) } else { wanted }))
    }

    /// The debugger had another signal delivered than the program was about to get, or not.
    fn note_signal_altered(&self, is_other: bool) {
        if let Some(debugger) = self.process.debugger.as_ref().filter(|_| is_other) {
            debugger.note_altered();
        }
    }

    /// The thread gets this signal next, and the debugger is not asked again.
    pub(super) fn inject(&mut self, debugger: &Debugger, debugged: &mut Debugged, signal: i32) {
        debugged.injected = Some(signal);
        debugger.note_altered();
        let _ = self.signals.hold(SigInfo::sent(signal, libc::SI_USER, getpid().as_raw(), 0));
    }
}
