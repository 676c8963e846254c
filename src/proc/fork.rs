//! fork(2), vfork(2) and those uses of clone(2) that make a process.

use std::convert::Infallible;
use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

use nix::unistd::Pid;

use super::determinism::Seat;
use super::exit::{end_host_process, leave_memory};
use super::{End, Process, RobustList, Task, ThreadSignals};
use crate::abi::clone::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_FILES, CLONE_PARENT_SETTID, CLONE_SETTLS, CLONE_SIGHAND,
    CLONE_VFORK,
};
use crate::abi::{Errno, UserAddr};
use crate::mm::{AddressSpace, ForkPlan, MmGuard};
use crate::sys::clone::{self, CloneArgs, Forked};
use crate::sys::{signal as host_signal, thread};
use crate::vm::{VcpuState, VmError};

/// What a new process is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewProcess {
    /// `CLONE_*`
    pub flags: u64,
    /// The signal that its parent gets when it ends, or 0.
    pub exit_signal: i32,
    /// Its stack pointer; null for that of its parent.
    pub stack: UserAddr,
    /// Where the parent finds a descriptor of it.
    pub pidfd: UserAddr,
    /// Where the parent finds its id.
    pub parent_tid: UserAddr,
    /// Where it finds its id itself.
    pub child_tid: UserAddr,
    /// Base of FS.
    pub tls: u64,
    /// Ids that it shall have, and how many.
    pub set_tid: (UserAddr, u64),
    /// Descriptor of its control group.
    pub cgroup: u64,
}

impl NewProcess {
    pub(super) fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Can the C library make it? It cannot be told more.
    fn is_plain_fork(&self) -> bool {
        const BY_US: u64 = CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
        self.flags & !BY_US == 0 && self.exit_signal == libc::SIGCHLD && self.set_tid.1 == 0
    }

    /// For the host: TLS and the word that is cleared at the end are the runner's affair.
    fn host_args(&self, mm: &AddressSpace) -> CloneArgs {
        let place = |addr: UserAddr| {
            mm.before_write(addr, 4);
            if addr.is_null() { 0 } else { mm.hva(addr.raw()) }
        };
        CloneArgs {
            flags: self.flags & !(CLONE_SETTLS | CLONE_CHILD_CLEARTID),
            pidfd: place(self.pidfd),
            child_tid: place(self.child_tid),
            parent_tid: place(self.parent_tid),
            exit_signal: u64::from(self.exit_signal.unsigned_abs()),
            set_tid: place(self.set_tid.0),
            set_tid_size: self.set_tid.1,
            cgroup: self.cgroup,
            ..CloneArgs::default()
        }
    }
}

/// Makes a process with a copy of the memory. Returns its pid, and in the child 0.
pub fn fork(task: &mut Task, new: &NewProcess) -> Result<u64, Errno> {
    if new.has(CLONE_FILES) {
        task.end_exitless_of_process();
    }
    let process = task.process.clone();
    let state = task.vcpu.state().map_err(|_| Errno::EAGAIN)?;
    // A signal in the child would find the parent's vCPU, and one that is caught now would come to both.
    task.signals.hold_off()?;
    let seat = match seat_child(task, false) {
        Ok(seat) => seat,
        Err(errno) => {
            task.signals.let_in();
            return Err(errno);
        }
    };
    let args = new.host_args(&process.mm);
    let way = if new.has(CLONE_FILES) { None } else { task.way_for_debugger() };
    let (mm, others) = hold_all(&process);
    let plan = mm.plan_fork();
    let forked = if new.is_plain_fork() { clone::fork() } else { clone::clone_copy(&args) };
    drop((mm, others));
    if forked == Ok(Forked::Child) {
        task.seat = seat;
    } else if let (Err(_), Some((board, _)), Some(seat)) = (&forked, task.on_board(), seat) {
        board.give_back(seat);
    }
    if forked == Ok(Forked::Child)
        && let Err(error) = become_child(task, plan, &state, new.has(CLONE_FILES))
    {
        // Reported by the next attempt to run user code.
        task.broken = Some(error);
    }
    task.signals.let_in();
    let pid = match forked? {
        Forked::Child => {
            adjust_child(task, new)?;
            task.take_turn();
            if let Some(determinism) = &task.process.determinism {
                determinism.timers().clear();
            }
            if (new.is_plain_fork() || task.seat.is_some()) && new.has(CLONE_CHILD_SETTID) {
                write_tid(task, new.child_tid, task.shown_tid().as_raw());
            }
            if let Some(Err(error)) = way.map(|way| task.wait_for_debugger(way)) {
                tracing::warn!("gdb does not come along: {error}");
            }
            return Ok(0);
        }
        Forked::Parent(pid) => {
            if let (Some((board, _)), Some(seat)) = (task.on_board(), seat) {
                board.note_process(seat, pid);
            }
            note_child(task, seat, pid)
        }
    };
    if (new.is_plain_fork() || seat.is_some()) && new.has(CLONE_PARENT_SETTID) {
        write_tid(task, new.parent_tid, pid);
    }
    if let Some(Err(error)) = way.map(|way| task.show_fork(way, pid)) {
        task.broken = Some(error);
    }
    Ok(u64::from(pid.unsigned_abs()))
}

/// A place for a child in a deterministic run.
fn seat_child(task: &Task, is_vfork: bool) -> Result<Option<Seat>, Errno> {
    let Some((board, seat)) = task.on_board() else { return Ok(None) };
    board.seat_child(seat, is_vfork).map(Some).ok_or(Errno::EAGAIN)
}

/// The number of a child as the guest sees it.
fn note_child(task: &Task, seat: Option<Seat>, pid: Pid) -> i32 {
    let (Some((board, _)), Some(seat)) = (task.on_board(), seat) else { return pid.as_raw() };
    let shown = board.guest_pid(seat);
    board.note_id(pid.as_raw(), shown);
    shown
}

/// Takes every lock that the threads of a process share, in the order in which others take them: in the child there is
/// nobody to release those of other threads. The address space's comes first in what it returns.
fn hold_all(process: &Process) -> (MmGuard<'_>, impl Sized) {
    let ends = process.ends.as_ref().map(|ends| ends.hold());
    let meter = process.sampling.as_ref().map(|sampling| sampling.hold());
    let tracing = process.settings.tracing.as_ref().map(|tracing| tracing.hold());
    let debugger = process.debugger.as_ref().map(|debugger| debugger.hold());
    let watching = (ends, meter, tracing, debugger);
    let outer = (watching, process.limits.hold(), process.threads.hold(), process.mm.machine().hold_vcpus());
    let mm = process.mm.hold();
    let leaves = (
        process.actions.hold(),
        process.missing.hold(),
        process.views.hold(),
        process.async_io.hold(),
        process.answerers.hold(),
    );
    (mm, (outer, leaves))
}

/// A virtual machine of its own. The parent's descriptors, and the mapping of its vCPU, go.
fn become_child(task: &mut Task, plan: ForkPlan, state: &VcpuState, shares_descriptors: bool) -> Result<(), VmError> {
    let mm = &task.process.mm;
    mm.finish_fork(plan).map_err(|_| VmError::Full("mappings"))?;
    mm.machine().rebuild(&mut task.vcpu, state, shares_descriptors)?;
    if let Some(sampling) = &task.process.sampling {
        sampling.copy_image(mm);
    }
    if let Some(ends) = &task.process.ends {
        ends.breakpoints.restart();
    }
    if let Some(tracing) = &task.process.settings.tracing {
        tracing.forget();
    }
    if let Some(debugger) = task.process.debugger.clone() {
        debugger.forget(&task.process.mm);
    }
    task.begin();
    task.restart_exitless();
    if shares_descriptors {
        task.end_exitless();
    }
    task.process.missing.clear();
    task.robust_list = RobustList::default();
    task.process.threads.restart(task);
    task.signals.forget_pending();
    Ok(())
}

/// What the caller of clone(2) says about the child.
pub(super) fn adjust_child(task: &mut Task, new: &NewProcess) -> Result<(), Errno> {
    task.clear_child_tid = if new.has(CLONE_CHILD_CLEARTID) { new.child_tid } else { UserAddr::NULL };
    if !new.stack.is_null() {
        task.vcpu.regs_mut().rsp = new.stack.raw();
    }
    if new.has(CLONE_SETTLS) {
        let (_, gs) = task.segment_bases()?;
        task.set_segment_bases(new.tls, gs)?;
    }
    Ok(())
}

/// As in the kernel, an address that cannot be written is ignored.
pub(super) fn write_tid(task: &Task, to: UserAddr, tid: i32) {
    let _ = task.process.mm.copy_out(to, &tid.to_ne_bytes());
}

/// Makes a process that shares the memory until it executes a program or exits; the caller sleeps meanwhile. Returns
/// its pid.
///
/// The child drives a vCPU of its own in the same virtual machine.
pub fn vfork(task: &mut Task, new: &NewProcess) -> Result<u64, Errno> {
    let mm = task.process.mm.clone();
    let mut child = child_sharing_memory(task, new, task.signals.of_child())?;
    let seat = child.seat;
    let shared = SharedState::of(&mm);
    if let Err(errno) = task.signals.hold_off() {
        mm.machine().return_vcpu(child.vcpu);
        give_back(task, seat);
        return Err(errno);
    }
    task.suspend_jumps();
    if let (Some((board, own)), Some(seat)) = (task.on_board(), seat) {
        board.hand_to_child(own, seat);
    }
    let result = clone::vfork(&new.host_args(&mm), &mut || run_child(&mut child));
    task.end_sleep_for_child(seat, &result);
    task.resume_jumps();
    task.vcpu.attach();
    shared.restore(&mm);
    task.signals.take_over();
    let Task { vcpu, .. } = child;
    mm.machine().return_vcpu(vcpu);
    result.map(|pid| u64::from(note_child(task, seat, pid).unsigned_abs()))
}

/// In place of a child that was not made.
fn give_back(task: &Task, seat: Option<Seat>) {
    if let (Some((board, _)), Some(seat)) = (task.on_board(), seat) {
        board.give_back(seat);
    }
}

impl Task {
    /// The host lets the parent of a vfork child go on, or made no child.
    fn end_sleep_for_child(&self, child: Option<Seat>, result: &Result<Pid, Errno>) {
        if let (Some((board, own)), Some(child)) = (self.on_board(), child) {
            match result {
                Ok(_) => board.take(own),
                Err(_) => board.take_back(own, child),
            }
        }
    }
}

/// Makes a process that shares the memory while the caller goes on. Returns its pid.
///
/// A thread of the runner's sleeps while it lives: the child works on that one's stack and thread-local variables.
pub fn share_memory(task: &mut Task, new: &NewProcess) -> Result<u64, Errno> {
    if task.on_board().is_some() {
        task.missing(format_args!("a process that shares the memory, in a deterministic run"));
        return Err(Errno::ENOSYS);
    }
    task.end_exitless_of_process();
    let mm = task.process.mm.clone();
    let child = child_sharing_memory(task, new, task.signals.of_thread())?;
    if let Err(errno) = task.signals.hold_off() {
        mm.machine().return_vcpu(child.vcpu);
        return Err(errno);
    }
    let args = NewProcess { flags: new.flags | CLONE_VFORK, ..*new }.host_args(&mm);
    let (started, has_started) = sync_channel(1);
    let spawned = thread::spawn(child, move |child| sleep_for_child(child, &args, &started));
    task.signals.let_in();
    if let Err(Task { vcpu, .. }) = spawned {
        mm.machine().return_vcpu(vcpu);
        return Err(Errno::EAGAIN);
    }
    has_started.recv().map_err(|_| Errno::EAGAIN)?.map(|pid| u64::from(pid.as_raw().unsigned_abs()))
}

fn sleep_for_child(mut child: Task, args: &CloneArgs, started: &SyncSender<Result<Pid, Errno>>) {
    let result = clone::vfork(args, &mut || {
        let _ = started.send(Ok(nix::unistd::getpid()));
        child.signals.begin();
        run_child(&mut child)
    });
    if let Err(errno) = result {
        let _ = started.send(Err(errno));
    }
    let Task { vcpu, process, .. } = child;
    if let Ok(pid) = result {
        // Whom it traced goes on without it.
        process.threads.release_traced(pid);
    }
    process.mm.machine().return_vcpu(vcpu);
}

/// A task with a vCPU of its own in the same machine.
fn child_sharing_memory(task: &mut Task, new: &NewProcess, signals: ThreadSignals) -> Result<Task, Errno> {
    task.end_masks();
    let state = task.vcpu.state().map_err(|_| Errno::EAGAIN)?;
    let vcpu = task.process.take_vcpu(&state)?;
    let mut child = Task::asleep(vcpu, task.process.sharing_memory(new.has(CLONE_SIGHAND)).into(), signals);
    child.seat = match seat_child(task, true) {
        Ok(seat) => seat,
        Err(errno) => {
            task.process.mm.machine().return_vcpu(child.vcpu);
            return Err(errno);
        }
    };
    match adjust_child(&mut child, new) {
        Ok(()) => {
            child.vcpu.regs_mut().rax = 0;
            Ok(child)
        }
        Err(errno) => {
            give_back(task, child.seat);
            task.process.mm.machine().return_vcpu(child.vcpu);
            Err(errno)
        }
    }
}

fn run_child(task: &mut Task) -> Infallible {
    task.begin();
    task.take_turn();
    task.process.threads.add(task);
    task.signals.let_in();
    let run_loop = task.process.run_loop.clone();
    let result = run_loop.run(task);
    leave_memory(task);
    task.end_counting();
    task.process.leave_run();
    let result = result.map(End::of_single_thread);
    if let Err(error) = &result {
        let _ = writeln!(std::io::stderr(), "kvm-se: {error}");
    }
    end_host_process(result)
}

/// What a child changes in the shared memory although it has it for itself on Linux.
struct SharedState {
    limits: crate::mm::vma::Limits,
    ignored: u64,
    is_dumpable: bool,
}

impl SharedState {
    fn of(mm: &AddressSpace) -> Self {
        Self {
            limits: mm.limits(),
            ignored: host_signal::ignored_when_sent(),
            is_dumpable: nix::sys::prctl::get_dumpable().unwrap_or(true),
        }
    }

    fn restore(self, mm: &AddressSpace) {
        mm.set_limits(self.limits);
        host_signal::set_ignored_when_sent(self.ignored);
        // A child that dies by a signal leaves no core file, of the memory that is its parent's.
        if nix::sys::prctl::get_dumpable() != Ok(self.is_dumpable) {
            let _ = nix::sys::prctl::set_dumpable(self.is_dumpable);
        }
    }
}
