//! A guest thread: a host thread and the vCPU that it drives.

use std::fmt;
use std::sync::Arc;

use nix::unistd::Pid;

use super::breakpoint::Visit;
use super::counting::Counted;
use super::debugger::Debugged;
use super::determinism::{Board, Seat};
use super::exitless::Exitless;
use super::sampling::Sampled;
use super::stop::StopPoint;
use super::trace::Traced;
use super::{Process, RobustList, ThreadSignals};
use crate::abi::{Errno, UserAddr};
use crate::signal::extended::Layout;
use crate::signal::held::SigInfo;
use crate::signal::mask::SigSet;
use crate::sys::vdso::HostVdso;
use crate::vm::{Clocks, Ids, Trap, Vcpu, VmError};

/// A guest thread.
#[derive(Debug)]
pub struct Task {
    /// The vCPU with its registers.
    pub vcpu: Vcpu,
    /// The process that it belongs to.
    pub process: Arc<Process>,
    /// Cleared and woken when the thread ends (set_tid_address(2)).
    pub clear_child_tid: UserAddr,
    /// Bus errors since the last system call: host pages that were missing and did not come.
    pub bus_errors: u32,
    /// How often rights had been taken away when the last one came.
    pub revocations_seen: u64,
    /// Locks to be handed on when the thread ends.
    pub robust_list: RobustList,
    /// Where a tracer stops it.
    pub(super) stop_point: Arc<StopPoint>,
    /// Its signals.
    pub signals: ThreadSignals,
    /// How frames hold the extended state.
    pub(super) extended_layout: Layout,
    /// Why it cannot run, found where that could not be reported.
    pub(super) broken: Option<VmError>,
    /// How its calls are answered without an exit.
    pub(super) exitless: Exitless,
    /// Whether its pad knows where the time can be asked for, as far as it can.
    knows_clocks: bool,
    /// How it is sampled, if the run is profiled.
    pub(super) sampled: Option<Box<Sampled>>,
    /// How it counts what it does, if anybody wants to know.
    pub(super) counted: Option<Box<Counted>>,
    /// How it is traced, if it is.
    pub(super) traced: Option<Box<Traced>>,
    /// How it is debugged, if it is.
    pub(super) debugged: Option<Box<Debugged>>,
    /// The breakpoint that it is at.
    pub(super) visit: Visit,
    /// The breakpoint (GVA) that it has come to and the run loop has not looked at.
    pub(super) reached: Option<u64>,
    /// Must the run loop say which calls it makes ([`Task::pass_call`])?
    pub watches_calls: bool,
    /// Has it come to where the run stops?
    pub has_stopped: bool,
    /// Where a call was made, and its number, that is to be made again as nothing of it was done.
    pub(super) restarted_call: Option<(u64, u64)>,
    /// How long its last m5op `quiesce_ns` took, in ns.
    pub quiesced: u64,
    /// Where one is that a signal has interrupted, and when it began (CLOCK_MONOTONIC, ns).
    pub quiesced_since: Option<(u64, u64)>,
    tid: Pid,
    /// Its place among the threads of a deterministic run.
    pub(super) seat: Option<Seat>,
}

impl Task {
    /// The calling host thread, which blocks [`SigSet::host_mask`] of `mask`, as a thread of `process`.
    pub fn new(vcpu: Vcpu, process: Arc<Process>, mask: SigSet) -> Self {
        let mut task = Self::asleep(vcpu, process, ThreadSignals::new(mask));
        task.begin();
        task.process.threads.restart(&task);
        task.exitless = Exitless::new(!task.process.settings.exitless);
        task
    }

    /// A thread of `process` that no host thread drives yet.
    pub(super) fn asleep(vcpu: Vcpu, process: Arc<Process>, signals: ThreadSignals) -> Self {
        let machine = process.mm.machine();
        let watches_calls = process.settings.region.as_ref().is_some_and(|region| region.watches_calls());
        let extended_layout = Layout::new(machine.xcr0(), machine.xsave_len());
        Self {
            vcpu,
            process,
            clear_child_tid: UserAddr::NULL,
            bus_errors: 0,
            revocations_seen: 0,
            robust_list: RobustList::default(),
            stop_point: Arc::default(),
            signals,
            extended_layout,
            broken: None,
            exitless: Exitless::new(true),
            knows_clocks: false,
            sampled: None,
            counted: None,
            traced: None,
            debugged: None,
            visit: None,
            reached: None,
            watches_calls,
            has_stopped: false,
            restarted_call: None,
            quiesced: 0,
            quiesced_since: None,
            tid: nix::unistd::gettid(),
            seat: None,
        }
    }

    /// The calling host thread drives it from now on.
    pub(super) fn begin(&mut self) {
        self.tid = nix::unistd::gettid();
        self.vcpu.attach();
        self.process.mm.machine().tell(&self.vcpu, ids());
        self.stop_point = Arc::default();
        self.begin_sampling();
        self.begin_counting();
        self.begin_trace();
        if let Some((board, seat)) = self.on_board() {
            board.sit(seat);
        }
    }

    /// The user and group ids of the thread may be others from now on, or later without its doing.
    pub fn forget_user_ids(&mut self) {
        self.end_exitless();
        self.process.mm.machine().forget_user_ids(&self.vcpu);
    }

    /// Has the time be told inside the guest from now on, where that is possible.
    #[inline]
    pub fn answer_clocks(&mut self) {
        if !self.knows_clocks {
            self.knows_clocks = true;
            self.tell_clocks();
        }
    }

    #[cold]
    fn tell_clocks(&self) {
        let mm = &self.process.mm;
        if self.vcpu.answers_at_length()
            && let (Some(base), Some(vdso)) = (mm.fill_vdso(), HostVdso::find())
        {
            let function = |name| vdso.offset_of(name).map_or(0, |offset| base + offset);
            let clocks = Clocks {
                clock_gettime: function("__vdso_clock_gettime"),
                gettimeofday: function("__vdso_gettimeofday"),
                time: function("__vdso_time"),
            };
            self.vcpu.set_clocks(clocks, mm.machine().system());
        }
    }

    /// It has the place `seat` among the threads of a deterministic run.
    pub fn set_seat(&mut self, seat: Option<Seat>) {
        self.seat = seat;
    }

    /// What the threads of a deterministic run share, and its own place there.
    #[inline]
    pub fn on_board(&self) -> Option<(&Board, Seat)> {
        let determinism = self.process.determinism.as_ref()?;
        Some((determinism.board(), self.seat?))
    }

    /// The calling host thread takes its place, and has the baton when this returns.
    pub(super) fn take_turn(&mut self) {
        self.show_waiting(None);
        if let Some((board, seat)) = self.on_board() {
            board.take(seat);
        }
        self.hide_waiting();
    }

    /// The process ends by this thread.
    pub(super) fn record_end(&self) {
        if !self.on_board().is_some_and(|(board, _)| board.is_recorded()) {
            return;
        }
        // The same for all runs if KVM does not tell.
        let extended = self.vcpu.extended_state().unwrap_or([0; 4096]);
        if let Some((board, seat)) = self.on_board() {
            board.record_end(board.guest_tid(seat), (self.vcpu.regs(), &extended), &self.process.mm);
        }
    }

    /// A siginfo as the guest sees it: numbers of processes are its own, and processor times the run's.
    pub fn as_shown(&self, mut info: SigInfo) -> SigInfo {
        const SI_TIMER: i32 = -2;
        let names_process = info.code <= 0 && info.code != SI_TIMER || info.signal == libc::SIGCHLD && info.code < 0x80;
        if let Some((board, _)) = self.on_board()
            && names_process
        {
            info.rest[0] = board.guest_id(info.rest[0].cast_signed()).cast_unsigned();
            if info.signal == libc::SIGCHLD && info.code > 0 {
                info.rest[4..8].fill(0);
            }
        }
        info
    }

    /// Before it executes a program, as the only thread of its process.
    pub fn become_first(&self) {
        if let Some((board, seat)) = self.on_board() {
            board.become_first(seat);
        }
    }

    /// Its thread id as the guest sees it.
    pub fn shown_tid(&self) -> Pid {
        self.on_board().map_or(self.tid, |(board, seat)| Pid::from_raw(board.guest_tid(seat)))
    }

    /// Its thread id, which is the host thread's.
    pub fn tid(&self) -> Pid {
        self.tid
    }

    /// Runs user code until something needs the runner.
    pub fn run(&mut self) -> Result<Trap, VmError> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        match self.counted.take() {
            None => self.run_uncounted(),
            Some(counted) => self.run_counted(counted),
        }
    }

    #[inline]
    pub(super) fn run_uncounted(&mut self) -> Result<Trap, VmError> {
        match self.sampled.take() {
            None => self.enter_guest(),
            Some(sampled) => self.run_sampled(sampled),
        }
    }

    /// Leaves the runner, and comes back to it.
    #[inline]
    pub(super) fn enter_guest(&mut self) -> Result<Trap, VmError> {
        match self.traced.take() {
            None => self.run_freely(),
            Some(traced) => self.run_traced(traced),
        }
    }

    /// Runs user code at full speed.
    #[inline]
    pub(super) fn run_freely(&mut self) -> Result<Trap, VmError> {
        match self.signals.on_pad {
            None => self.enter_machine(),
            Some(on_pad) => self.enter_with_masks(on_pad, Self::enter_machine),
        }
    }

    #[inline]
    fn enter_machine(&mut self) -> Result<Trap, VmError> {
        match (&self.process.debugger, &self.process.ends) {
            (None, None) => self.process.mm.machine().run(&mut self.vcpu),
            (Some(debugger), _) => self.run_debugged(&debugger.clone()),
            (None, Some(ends)) => self.run_in_region(&ends.clone()),
        }
    }

    /// Counts something that the guest asked for and does not get. Returns whether it is the first of its kind.
    pub fn missing(&self, what: fmt::Arguments<'_>) -> bool {
        self.process.missing.count(what, self.vcpu.regs().rip)
    }

    /// Bases of FS and GS.
    pub fn segment_bases(&mut self) -> Result<(u64, u64), Errno> {
        self.vcpu.segment_bases().map_err(|_| Errno::EIO)
    }

    /// Sets the bases of FS and GS.
    pub fn set_segment_bases(&mut self, fs: u64, gs: u64) -> Result<(), Errno> {
        self.vcpu.set_segment_bases(fs, gs).map_err(|_| Errno::EIO)
    }
}

/// Those of the calling thread.
fn ids() -> Ids {
    use nix::unistd::{getegid, geteuid, getgid, getpid, gettid, getuid};
    Ids {
        pid: getpid().as_raw().unsigned_abs(),
        tid: gettid().as_raw().unsigned_abs(),
        uid: getuid().as_raw(),
        euid: geteuid().as_raw(),
        gid: getgid().as_raw(),
        egid: getegid().as_raw(),
    }
}
