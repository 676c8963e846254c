//! The guest as gdb's protocol sees it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use gdbstub::common::{Pid, Signal, Tid};
use gdbstub::target::ext::auxv::{Auxv, AuxvOps};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadRangeStepping, MultiThreadRangeSteppingOps, MultiThreadResume, MultiThreadResumeOps,
    MultiThreadSchedulerLocking, MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::catch_syscalls::{CatchSyscalls, CatchSyscallsOps, SyscallNumbers};
use gdbstub::target::ext::exec_file::{ExecFile, ExecFileOps};
use gdbstub::target::ext::monitor_cmd::MonitorCmdOps;
use gdbstub::target::{Target, TargetError, TargetResult};

use super::registers::{Number, Registers, X86_64};
use crate::abi::UserAddr;
use crate::proc::debugger::{Action, Catch, Motion, Parked, Report, Watchpoint};
use crate::proc::replay::Goal;
use crate::proc::{Debugger, Determinism, Process, determinism};

/// The guest process.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) process: Arc<Process>,
    debugger: Arc<Debugger>,
    actions: BTreeMap<i32, Action>,
    others: Motion,
    is_gone: bool,
    /// Where the run is sent next.
    pub(super) goal: Goal,
}

impl Guest {
    pub(super) fn new(process: Arc<Process>, debugger: Arc<Debugger>) -> Self {
        let (actions, goal) = Default::default();
        Self { process, debugger, actions, others: Motion::Continue, is_gone: false, goal }
    }

    pub(super) fn debugger(&self) -> Arc<Debugger> {
        self.debugger.clone()
    }

    /// Returns when its first thread is about to begin.
    pub(super) fn wait_for_start(&self) {
        self.debugger.wait_until_parked(|| self.tids());
    }

    pub(super) fn take_report(&mut self) -> Option<Report> {
        let report = self.debugger.take_report(|| self.tids());
        self.is_gone |= report == Some(Report::Gone);
        report
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub(super) fn interrupt(&self) {
        if let Some(tid) = self.tids().first() {
            self.debugger.interrupt(*tid);
        }
    }

    pub(super) fn detach(&self) {
        self.debugger.detach(&self.process.mm);
    }

    pub(super) fn note_told(&self) {
        self.debugger.note_told();
    }

    /// Ends the process as gdb's `kill` does.
    pub(super) fn kill(&self) {
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }

    pub(super) fn board(&self) -> Option<&determinism::Board> {
        self.process.determinism.as_ref().map(Determinism::board)
    }

    /// A thread's number as the program knows it.
    pub(super) fn shown(&self, tid: i32) -> i32 {
        self.board().map_or(tid, |board| board.guest_id(tid))
    }

    /// The host's of that.
    pub(super) fn host_tid(&self, shown: i32) -> i32 {
        self.board().map_or(shown, |board| board.host_id(shown))
    }

    fn host_of(&self, thread: Tid) -> Option<i32> {
        i32::try_from(thread.get()).ok().map(|shown| self.host_tid(shown))
    }

    fn tids(&self) -> Vec<i32> {
        self.process.threads.tids()
    }

    fn with<T>(&self, thread: Tid, act: impl FnOnce(&mut Parked) -> T) -> TargetResult<T, Self> {
        let tid = self.host_of(thread).ok_or(TargetError::NonFatal)?;
        self.debugger.with_parked(tid, act).ok_or(TargetError::NonFatal)
    }

    fn act(&mut self, thread: Tid, motion: Motion, signal: Option<Signal>) {
        if let Some(tid) = self.host_of(thread) {
            self.actions.insert(tid, Action { motion, signal: signal.and_then(from_gdb) });
        }
    }
}

/// A thread's id in gdb's protocol.
pub(super) fn tid(tid: i32) -> Tid {
    usize::try_from(tid).ok().and_then(Tid::new).unwrap_or(Tid::MIN)
}

/// Numbers of signals that gdb's protocol has in another order (its `include/gdb/signals.def`), ours first.
const SIGNALS: [(i32, u8); 19] = [
    (libc::SIGBUS, 10),
    (libc::SIGSTKFLT, UNKNOWN),
    (libc::SIGUSR1, 30),
    (libc::SIGUSR2, 31),
    (libc::SIGCHLD, 20),
    (libc::SIGCONT, 19),
    (libc::SIGSTOP, 17),
    (libc::SIGTSTP, 18),
    (libc::SIGTTIN, 21),
    (libc::SIGTTOU, 22),
    (libc::SIGURG, 16),
    (libc::SIGXCPU, 24),
    (libc::SIGXFSZ, 25),
    (libc::SIGVTALRM, 26),
    (libc::SIGPROF, 27),
    (libc::SIGWINCH, 28),
    (libc::SIGIO, 23),
    (libc::SIGPWR, 32),
    (libc::SIGSYS, 12),
];
/// `EFAULT`, as gdb's protocol has it.
const EFAULT: u8 = 14;
/// gdb's number for a signal that its protocol does not know.
const UNKNOWN: u8 = 143;
/// gdb's number for the signal 33; those behind it follow, but for 32 and 64.
const REALTIME_33: i32 = 45;

/// A signal as gdb numbers it.
pub(super) fn to_gdb(signal: i32) -> Signal {
    let other = SIGNALS.iter().find(|(ours, _)| *ours == signal).map(|(_, gdb)| *gdb);
    let number = match signal {
        32 => Some(77),
        33..=63 => u8::try_from(signal - 33 + REALTIME_33).ok(),
        64 => Some(78),
        _ => other.or_else(|| u8::try_from(signal).ok()),
    };
    Signal(number.unwrap_or(UNKNOWN))
}

/// Our number of it; `None` for 0 and those that Linux does not have.
fn from_gdb(signal: Signal) -> Option<i32> {
    (1..=64).find(|ours| to_gdb(*ours) == signal)
}

impl Target for Guest {
    type Arch = X86_64;
    type Error = io::Error;

    fn base_ops(&mut self) -> BaseOps<'_, X86_64, io::Error> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_catch_syscalls(&mut self) -> Option<CatchSyscallsOps<'_, Self>> {
        Some(self)
    }

    fn support_auxv(&mut self) -> Option<AuxvOps<'_, Self>> {
        Some(self)
    }

    fn support_exec_file(&mut self) -> Option<ExecFileOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Guest {
    fn read_registers(&mut self, registers: &mut Registers, thread: Tid) -> TargetResult<(), Self> {
        *registers = self.with(thread, |parked| Registers::of(parked))?;
        Ok(())
    }

    fn write_registers(&mut self, registers: &Registers, thread: Tid) -> TargetResult<(), Self> {
        self.with(thread, |parked| registers.store(parked))
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, addr: u64, bytes: &mut [u8], _: Tid) -> TargetResult<usize, Self> {
        let len = self.process.mm.original_code(addr, bytes);
        self.debugger.hide_breakpoints(addr, &mut bytes[..len]);
        Ok(len)
    }

    fn write_addrs(&mut self, addr: u64, bytes: &[u8], _: Tid) -> TargetResult<(), Self> {
        self.debugger.note_altered();
        let (mm, at) = (&self.process.mm, UserAddr::new(addr));
        let (mut bytes, mut old) = (bytes.to_vec(), vec![0; bytes.len()]);
        self.debugger.keep_breakpoints(addr, &mut bytes);
        let written = mm.copy_out(at, &bytes).is_ok()
            || mm.copy_in(at, &mut old).is_ok() && mm.text_poke(at, &old, &bytes).is_ok();
        if written { Ok(()) } else { Err(TargetError::Errno(EFAULT)) }
    }

    fn list_active_threads(&mut self, thread_is_active: &mut dyn FnMut(Tid)) -> Result<(), io::Error> {
        self.tids().into_iter().map(|host| tid(self.shown(host))).for_each(thread_is_active);
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for Guest {
    fn read_register(&mut self, thread: Tid, number: Number, to: &mut [u8]) -> TargetResult<usize, Self> {
        let field = number.field().ok_or(TargetError::NonFatal)?;
        let value = self.with(thread, |parked| field.read(parked))?;
        to.get_mut(..value.len()).ok_or(TargetError::NonFatal)?.copy_from_slice(&value);
        Ok(value.len())
    }

    fn write_register(&mut self, thread: Tid, number: Number, value: &[u8]) -> TargetResult<(), Self> {
        let field = number.field().filter(|field| field.len() == value.len()).ok_or(TargetError::NonFatal)?;
        if self.with(thread, |parked| field.write(parked, value))? { Ok(()) } else { Err(TargetError::NonFatal) }
    }
}

impl MultiThreadResume for Guest {
    fn resume(&mut self) -> Result<(), io::Error> {
        self.debugger.resume(std::mem::take(&mut self.actions), self.others.clone());
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), io::Error> {
        self.actions.clear();
        self.others = Motion::Continue;
        Ok(())
    }

    fn set_resume_action_continue(&mut self, thread: Tid, signal: Option<Signal>) -> Result<(), io::Error> {
        self.act(thread, Motion::Continue, signal);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<MultiThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Guest {
    fn set_resume_action_step(&mut self, thread: Tid, signal: Option<Signal>) -> Result<(), io::Error> {
        self.act(thread, Motion::Step(0..0), signal);
        Ok(())
    }
}

impl MultiThreadRangeStepping for Guest {
    fn set_resume_action_range_step(&mut self, thread: Tid, start: u64, end: u64) -> Result<(), io::Error> {
        self.act(thread, Motion::Step(start..end), None);
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Guest {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), io::Error> {
        self.others = Motion::Hold;
        Ok(())
    }
}

impl Breakpoints for Guest {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Guest {
    fn add_sw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.debugger.set_breakpoint(&self.process.mm, addr).is_ok())
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.debugger.clear_breakpoint(&self.process.mm, addr);
        Ok(true)
    }
}

/// They are breakpoints like others: a KVM need not let the guest have its own.
impl HwBreakpoint for Guest {
    fn add_hw_breakpoint(&mut self, addr: u64, kind: usize) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(addr, kind)
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(addr, kind)
    }
}

fn watchpoint(addr: u64, len: u64, kind: WatchKind) -> Watchpoint {
    let (reads, writes) = match kind {
        WatchKind::Write => (false, true),
        WatchKind::Read => (true, false),
        WatchKind::ReadWrite => (true, true),
    };
    Watchpoint { addr, len, reads, writes }
}

impl HwWatchpoint for Guest {
    fn add_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        self.debugger.watch(watchpoint(addr, len, kind));
        Ok(true)
    }

    fn remove_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        Ok(self.debugger.unwatch(watchpoint(addr, len, kind)))
    }
}

impl CatchSyscalls for Guest {
    fn enable_catch_syscalls(&mut self, filter: Option<SyscallNumbers<'_, u64>>) -> TargetResult<(), Self> {
        self.debugger.catch(filter.map_or(Catch::All, |numbers| Catch::Some(numbers.collect())));
        Ok(())
    }

    fn disable_catch_syscalls(&mut self) -> TargetResult<(), Self> {
        self.debugger.catch(Catch::Nothing);
        Ok(())
    }
}

impl Auxv for Guest {
    fn get_auxv(&self, offset: u64, len: usize, to: &mut [u8]) -> TargetResult<usize, Self> {
        // Which is the guest's: see `sys::exec`.
        Ok(part(&std::fs::read("/proc/self/auxv")?, offset, len, to))
    }
}

impl ExecFile for Guest {
    fn get_exec_file(&self, _: Option<Pid>, offset: u64, len: usize, to: &mut [u8]) -> TargetResult<usize, Self> {
        let link = format!("/proc/self/fd/{}", self.process.executable.as_raw_fd());
        let path = std::fs::read_link(link)?;
        Ok(part(path.as_os_str().as_bytes(), offset, len, to))
    }
}

/// Copies what there is of `whole` from `offset` on.
fn part(whole: &[u8], offset: u64, len: usize, to: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| whole.get(offset..)).unwrap_or_default();
    let len = rest.len().min(len).min(to.len());
    to[..len].copy_from_slice(&rest[..len]);
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_its_own_number_for_gdb() {
        for signal in 1..=64 {
            assert_eq!(from_gdb(to_gdb(signal)), Some(signal), "{signal}");
        }
        assert_eq!(from_gdb(Signal(0)), None);
        assert_eq!((to_gdb(libc::SIGUSR1), to_gdb(34)), (Signal::SIGUSR1, Signal(46)));
    }
}
