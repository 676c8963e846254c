//! Signals of a thread: what is blocked and pending, how one is delivered, and the way back from a handler (the kernel's
//! `kernel/signal.c` and `arch/x86/kernel/signal.c`).
//!
//! The host blocks for the thread what the guest blocks ([`SigSet::host_mask`]) but while a caught signal waits
//! ([`capture`]): then it blocks all it can. [`Task::deliver`] sets it right again.

use super::sigmask::OnPad;
use super::{ExitStatus, Task};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::signal::action::{Disposition, SigAction};
use crate::signal::alt_stack::AltStack;
use crate::signal::exception::{Fault, TrapRecord};
use crate::signal::extended;
use crate::signal::frame::{Frame, Interrupted, Place, handler_regs};
use crate::signal::held::{Held, SigInfo};
use crate::signal::mask::SigSet;
use crate::sys;
use crate::sys::capture;
use crate::vm::VmError;

/// What a thread has of its own about signals.
#[derive(Clone, Debug, Default)]
pub struct ThreadSignals {
    /// Where handlers run that ask for it.
    pub alt_stack: AltStack,
    /// Blocked signals as the guest sees them.
    mask: SigSet,
    /// What a call like ppoll(2) blocked instead until a signal ended it; until that is delivered.
    temporary: Option<SigSet>,
    /// Signals that were sent and that the host cannot hold back.
    held: Held,
    /// The last fault.
    trap: TrapRecord,
    /// What the pad blocks signals by, if it does.
    pub(super) on_pad: Option<OnPad>,
    /// Were there ever timers that send signals?
    pub(super) has_timers: bool,
}

/// A frame that rt_sigreturn(2) cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame;

/// A handler could not be started, for want of a restorer or of a stack.
#[derive(Debug)]
enum FrameError {
    /// The guest's doing.
    Guest,
    /// The run ends.
    Vm(VmError),
}

impl From<Errno> for FrameError {
    fn from(_: Errno) -> Self {
        Self::Guest
    }
}

impl From<VmError> for FrameError {
    fn from(error: VmError) -> Self {
        Self::Vm(error)
    }
}

impl ThreadSignals {
    /// Those of the calling thread, which blocks [`SigSet::host_mask`] of `mask`.
    pub(super) fn new(mask: SigSet) -> Self {
        capture::set_guest_mask(mask.bits());
        Self { mask, ..Self::default() }
    }

    /// Those of a new thread of the same process: nothing is pending, and there is no alternate stack.
    pub(super) fn of_thread(&self) -> Self {
        Self { alt_stack: AltStack::default(), temporary: None, ..self.of_child() }
    }

    /// In a new thread, which has blocked all so far.
    pub(super) fn begin(&mut self) {
        self.note_mask(self.mask);
        self.settle_host_mask();
    }

    /// Those of a child of this thread: nothing is pending.
    pub(super) fn of_child(&self) -> Self {
        Self { held: Held::default(), on_pad: None, has_timers: false, ..self.clone() }
    }

    /// Lets no signal in until [`let_in`](Self::let_in).
    ///
    /// # Errors
    /// `ERESTARTNOINTR` if there is a signal to deliver first.
    pub fn hold_off(&self) -> Result<(), Errno> {
        sys::signal::try_set_blocked(capture::ALL_BLOCKED)
    }

    /// Ends what [`hold_off`](Self::hold_off) began.
    pub fn let_in(&self) {
        self.settle_host_mask();
    }

    /// In a process that was just made: what its parent had pending is not its own.
    pub(super) fn forget_pending(&mut self) {
        self.held = Held::default();
        capture::take_sent(drop);
        capture::set_attention(false);
    }

    /// After a vfork child has used the memory that handlers leave their findings in.
    pub(super) fn take_over(&mut self) {
        let _ = capture::take_caught();
        capture::set_attention(false);
        self.note_mask(self.mask);
        self.settle_host_mask();
    }

    /// Blocked signals as the guest sees them.
    pub fn mask(&self) -> SigSet {
        self.mask
    }

    /// Makes the guest block `mask` and no others.
    ///
    /// # Errors
    /// `ERESTARTNOINTR` if there is a signal to deliver first.
    pub fn set_mask(&mut self, mask: SigSet) -> Result<(), Errno> {
        sys::signal::try_set_blocked(mask.host_mask().bits())?;
        self.note_mask(mask);
        Ok(())
    }

    /// The guest has made itself block `mask`, of which the host does not know.
    #[cold]
    pub(super) fn adopt_mask(&mut self, mask: SigSet) {
        self.note_mask(mask);
        self.settle_host_mask();
    }

    fn note_mask(&mut self, mask: SigSet) {
        self.mask = mask;
        capture::set_guest_mask(mask.bits());
        self.collect_sent();
        if !self.held.pending().minus(mask).is_empty() {
            capture::set_attention(true);
        }
    }

    /// To be called before a host call that blocks `mask` while it waits.
    ///
    /// # Errors
    /// `EINTR` if that would let a signal in that the host does not have.
    pub fn begin_wait(&mut self, mask: SigSet) -> Result<(), Errno> {
        if self.begin_taking(mask) {
            return Ok(());
        }
        self.end_wait(mask, Err(Errno::EINTR));
        Err(Errno::EINTR)
    }

    /// To be called before a host call that takes a signal which `mask` does not block; returns whether none waits here.
    /// If one does, there is no host call.
    pub fn begin_taking(&mut self, mask: SigSet) -> bool {
        capture::set_guest_mask(mask.bits());
        self.collect_sent();
        let is_nothing_here = self.held.pending().minus(mask).is_empty();
        if !is_nothing_here {
            capture::set_attention(true);
        }
        is_nothing_here
    }

    /// To be called after that call.
    pub fn end_wait(&mut self, mask: SigSet, result: Result<u64, Errno>) {
        capture::set_guest_mask(self.mask.bits());
        // With any other result, the mask was back before a signal came.
        if result == Err(Errno::EINTR) && capture::needs_attention() {
            self.temporary = Some(mask);
        }
    }

    /// Keeps a signal that the host cannot hold back for the guest. `EAGAIN` if there are too many.
    pub fn hold(&mut self, info: SigInfo) -> Result<(), Errno> {
        self.held.push(info)?;
        if !self.mask.contains(info.signal) {
            capture::set_attention(true);
        }
        Ok(())
    }

    /// Signals that are pending here and not on the host.
    pub fn held(&mut self) -> &mut Held {
        self.collect_sent();
        &mut self.held
    }

    /// Which signals are pending here and not on the host, as far as they have been collected.
    pub fn held_now(&self) -> SigSet {
        self.held.pending()
    }

    fn collect_sent(&mut self) {
        // There is room: each of them is there once at most.
        capture::take_sent(|raw| {
            let _ = self.held.push(raw.into());
        });
    }

    /// The first signal that is not blocked, if there is one.
    fn dequeue(&mut self) -> Option<SigInfo> {
        let blocked = self.temporary.unwrap_or(self.mask);
        // Whatever comes from here on asks for attention again.
        capture::set_attention(false);
        self.collect_sent();
        if let Some(info) = self.held.take(SigSet::ALL.minus(blocked)) {
            capture::set_attention(true);
            return Some(info);
        }
        let info = SigInfo::from(capture::take_caught()?);
        if !blocked.contains(info.signal) {
            return Some(info);
        }
        // A handler that was started meanwhile blocks it, or the guest without telling the host. A thread that does so is
        // alone: what was sent to the process goes there, where it merges with others.
        if self.on_pad.is_some() && info.code != libc::SI_TKILL {
            sys::signal::send_back_to_process(&info.into());
        } else {
            sys::signal::send_back(&info.into());
        }
        self.settle_host_mask();
        None
    }

    /// Has the host block what the guest blocks, unless a caught signal waits.
    fn settle_host_mask(&self) {
        sys::signal::set_blocked(capture::ALL_BLOCKED);
        if !capture::is_caught() {
            sys::signal::set_blocked(self.mask.host_mask().bits());
        }
    }
}

impl Task {
    /// The next signal to be delivered.
    #[inline]
    pub fn next_signal(&mut self) -> Option<SigInfo> {
        if capture::needs_attention() { self.attend() } else { None }
    }

    #[cold]
    fn attend(&mut self) -> Option<SigInfo> {
        let info = self.signals.dequeue();
        self.stop_if_wanted();
        info.map(|info| self.as_shown(info))
    }

    /// Does what the signal's action says; returns how the process ends, if it does.
    pub fn deliver(&mut self, info: SigInfo) -> Result<Option<ExitStatus>, VmError> {
        let blocked = self.signals.temporary.take().unwrap_or(self.signals.mask);
        let action = self.action(info.signal);
        let end = match action.disposition(info.signal) {
            Disposition::Fatal => Some(ExitStatus::Signal(info.signal)),
            Disposition::Handled => self.handle(&info, &action, blocked)?,
            Disposition::Ignored => None,
            Disposition::JobControl => {
                // The action was another one when it was caught. The host stops this process once it is let in.
                sys::signal::send_back(&info.into());
                None
            }
        };
        self.signals.settle_host_mask();
        Ok(end)
    }

    /// Delivers the signal of a fault, blocked or not (`force_sig_info_to_task`).
    pub fn deliver_fault(&mut self, fault: &Fault) -> Result<Option<ExitStatus>, VmError> {
        self.signals.trap.note(fault);
        self.force(&fault.into())
    }

    /// Delivers SIGSEGV for a frame that rt_sigreturn(2) could not use.
    pub fn deliver_bad_frame(&mut self) -> Result<Option<ExitStatus>, VmError> {
        self.force(&SigInfo::forced(libc::SIGSEGV))
    }

    fn force(&mut self, info: &SigInfo) -> Result<Option<ExitStatus>, VmError> {
        let action = self.action(info.signal);
        let mask = self.signals.mask;
        if mask.contains(info.signal) || action.disposition(info.signal) != Disposition::Handled {
            return Ok(Some(ExitStatus::Signal(info.signal)));
        }
        let end = self.handle(info, &action, mask)?;
        self.signals.settle_host_mask();
        Ok(end)
    }

    /// Starts the handler of a signal, or that of SIGSEGV if there is no room for its frame.
    fn handle(&mut self, info: &SigInfo, action: &SigAction, blocked: SigSet) -> Result<Option<ExitStatus>, VmError> {
        if action.has(libc::SA_RESETHAND) {
            self.reset_action(info.signal);
        }
        match self.start_handler(info, action, blocked) {
            Ok(()) => Ok(None),
            Err(FrameError::Vm(error)) => Err(error),
            Err(FrameError::Guest) if info.signal == libc::SIGSEGV => Ok(Some(ExitStatus::Signal(libc::SIGSEGV))),
            Err(FrameError::Guest) => {
                let action = self.action(libc::SIGSEGV);
                if blocked.contains(libc::SIGSEGV) || action.disposition(libc::SIGSEGV) != Disposition::Handled {
                    return Ok(Some(ExitStatus::Signal(libc::SIGSEGV)));
                }
                self.handle(&SigInfo::forced(libc::SIGSEGV), &action, blocked)
            }
        }
    }

    /// Pushes a frame and points the registers at the handler (`setup_rt_frame`).
    fn start_handler(&mut self, info: &SigInfo, action: &SigAction, blocked: SigSet) -> Result<(), FrameError> {
        if !action.has_restorer() {
            return Err(Errno::EFAULT.into());
        }
        let regs = *self.vcpu.regs();
        let layout = self.extended_layout;
        let alt_stack = &self.signals.alt_stack;
        let wants_alt_stack = action.has(libc::SA_ONSTACK);
        let place = Place::find(regs.rsp, alt_stack, wants_alt_stack, layout.frame_len()).ok_or(Errno::EFAULT)?;
        let mask = self.signals.mask;
        let has_xsave = layout.has_xsave();
        let interrupted = Interrupted { regs: &regs, mask, alt_stack, trap: self.signals.trap, has_xsave };
        let frame = Frame::new(&interrupted, *info, action.restorer, place);
        let extended_state = layout.to_frame(&self.vcpu.extended_state()?);
        let mm = &self.process.mm;
        mm.copy_out(UserAddr::new(place.extended_state), &extended_state)?;
        mm.copy_out(UserAddr::new(place.frame), frame.bytes(action.has(libc::SA_SIGINFO)))?;
        let len = usize::try_from(place.extended_state.saturating_sub(place.frame)).unwrap_or(0) + extended_state.len();
        self.note_frame(place.frame, len);
        self.vcpu.set_extended_state(extended::initial())?;
        *self.vcpu.regs_mut() = handler_regs(&regs, info.signal, action.handler, place);
        self.signals.alt_stack.enter_handler();
        self.signals.note_mask(action.mask_in_handler(info.signal, blocked));
        Ok(())
    }

    /// Loads what the frame at the stack pointer says (`rt_sigreturn`).
    pub fn return_from_handler(&mut self) -> Result<(), BadFrame> {
        let at = UserPtr::<Frame>::new(UserAddr::new(self.vcpu.regs().rsp.wrapping_sub(size_of::<u64>() as u64)));
        let mm = self.process.mm.clone();
        let context = mm.read(at).map_err(|_| BadFrame)?.context;
        self.signals.note_mask(context.mask.minus(SigSet::UNBLOCKABLE));
        self.signals.settle_host_mask();
        // Nothing but a bad address counts. The handler is still on the stack that it returns from.
        let _ = self.signals.alt_stack.change(context.stack, self.vcpu.regs().rsp);
        *self.vcpu.regs_mut() = context.machine.restored(self.vcpu.regs());
        self.restore_extended_state(context.machine.extended_state)?;
        if context.machine.has_user_segments(context.flags) { Ok(()) } else { Err(BadFrame) }
    }

    fn restore_extended_state(&mut self, from: u64) -> Result<(), BadFrame> {
        let image = if from == 0 {
            extended::initial()
        } else {
            let current = self.vcpu.extended_state().map_err(|_| BadFrame)?;
            let read = |offset: usize, to: &mut [u8]| {
                self.process.mm.copy_in(UserAddr::new(from).wrapping_add(offset as u64), to).ok()
            };
            self.extended_layout.from_frame(&current, read).ok_or(BadFrame)?
        };
        self.vcpu.set_extended_state(image).map_err(|_| BadFrame)
    }

    fn action(&self, signal: i32) -> SigAction {
        self.process.actions.action(signal).unwrap_or_default()
    }

    fn reset_action(&mut self, signal: i32) {
        self.end_masks();
        self.process.actions.reset(signal);
        if !SigSet::SYNCHRONOUS.contains(signal) {
            sys::signal::restore_default(signal);
        }
    }
}
