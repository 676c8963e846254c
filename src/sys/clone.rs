//! New processes: fork(2) by way of the C library, and clone(2) raw for what that cannot carry.

#![expect(unsafe_code, reason = "calls that return twice, one of them on a shared stack")]

use std::arch::global_asm;
use std::convert::Infallible;
use std::ffi::c_void;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::unistd::Pid;
use zerocopy::{Immutable, IntoBytes};

use super::call::host_call;
use super::copy::Hva;
use crate::abi::Errno;
use crate::abi::clone::{CLONE_PARENT_SETTID, CLONE_PIDFD};

/// Which of the two processes goes on here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The one that called.
    Parent(Pid),
    /// The new one.
    Child,
}

impl Forked {
    fn from_raw(pid: u64) -> Self {
        match i32::try_from(pid) {
            Ok(0) | Err(_) => Self::Child,
            Ok(pid) => Self::Parent(Pid::from_raw(pid)),
        }
    }
}

/// The kernel's `struct clone_args`, with pointers into the arena. Stack and TLS are the runner's own, so they are 0.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable)]
#[repr(C)]
#[expect(missing_docs, reason = "clone(2) says what each field means")]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: Hva,
    pub child_tid: Hva,
    pub parent_tid: Hva,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: Hva,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

impl CloneArgs {
    /// The call that makes it so: clone(2), which every sandbox knows, unless it takes clone3(2).
    fn call(&self) -> (i64, [u64; 6]) {
        let has_both = self.flags & CLONE_PARENT_SETTID != 0 && self.flags & CLONE_PIDFD != 0;
        let is_old = self.flags <= u64::from(u32::MAX) && self.set_tid_size == 0 && !has_both;
        if !is_old {
            return (libc::SYS_clone3, [(&raw const *self).addr() as u64, size_of::<Self>() as u64, 0, 0, 0, 0]);
        }
        let third = if self.flags & CLONE_PIDFD != 0 { self.pidfd } else { self.parent_tid };
        (libc::SYS_clone, [self.flags | self.exit_signal, 0, third, self.child_tid, 0, 0])
    }

    /// Has it all of the flags `needed`, and none that would leave the runner's stack or TLS?
    fn is_sound(&self, needed: i32, refused: i32) -> bool {
        let needed = u64::from(needed.unsigned_abs());
        let refused = u64::from((refused | libc::CLONE_SETTLS | libc::CLONE_THREAD).unsigned_abs());
        self.flags & needed == needed && self.flags & refused == 0 && self.stack == 0
    }
}

/// fork(2), with the locks of the C library taken. Only the calling thread exists in the child.
pub fn fork() -> Result<Forked, Errno> {
    // SAFETY: the child has a copy of all memory; its locks are free or the forking thread's.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(Errno::last_os_error()) } else { Ok(Forked::from_raw(pid.unsigned_abs().into())) }
}

/// A clone(2) that copies the memory: the child goes on here, on a copy of this stack. There must be no other thread,
/// for the locks of the C library are not taken.
pub fn clone_copy(args: &CloneArgs) -> Result<Forked, Errno> {
    if !args.is_sound(0, libc::CLONE_VM) {
        return Err(Errno::EINVAL);
    }
    let (nr, raw) = args.call();
    // SAFETY: without CLONE_VM this is a fork, whose child has a copy of all memory; pointers are into the arena.
    unsafe { host_call(nr.cast_unsigned(), raw) }.map(Forked::from_raw)
}

/// A clone(2) whose child shares the memory and does `run`, while the caller sleeps until the child executes a program
/// or exits. Returns the child's pid when the child is gone from this memory.
///
/// The child works on the caller's stack, heap and thread-local variables, and must leave them as it found them. What
/// it owns when it ends is never dropped.
pub fn vfork(args: &CloneArgs, run: &mut dyn FnMut() -> Infallible) -> Result<Pid, Errno> {
    if !args.is_sound(libc::CLONE_VM | libc::CLONE_VFORK, 0) {
        return Err(Errno::EINVAL);
    }
    let (nr, raw) = args.call();
    let mut run = run;
    // SAFETY: the caller's frames are above the child's and not used until the child is gone, for CLONE_VFORK; so `run`
    // outlives its use. The child never returns. Pointers are into the arena.
    let pid = unsafe { kvm_se_vfork(nr.cast_unsigned(), &raw const raw, run_child, (&raw mut run).cast()) };
    Errno::check(pid).map(|pid| Pid::from_raw(i32::try_from(pid).unwrap_or(0)))
}

extern "C" fn run_child(run: *mut c_void) -> ! {
    let run = run.cast::<&mut dyn FnMut() -> Infallible>();
    // SAFETY: `vfork` passes a pointer to its own variable, and sleeps.
    match unsafe { (*run)() } {}
}

global_asm!(
    ".pushsection .text.kvm_se_vfork, \"ax\", @progbits",
    ".globl kvm_se_vfork",
    ".type kvm_se_vfork, @function",
    // rdi: number of the call, rsi: its six arguments, rdx: function of the child, rcx: argument of that.
    "kvm_se_vfork:",
    "    push %rbx",
    "    push %r12",
    "    push %r13",
    "    mov %rdi, %rax",
    "    mov %rsi, %r13",
    "    mov %rdx, %rbx",
    "    mov %rcx, %r12",
    "    mov 0(%r13), %rdi",
    "    mov 8(%r13), %rsi",
    "    mov 16(%r13), %rdx",
    "    mov 24(%r13), %r10",
    "    mov 32(%r13), %r8",
    "    mov 40(%r13), %r9",
    "    syscall",
    "    test %rax, %rax",
    "    jz 1f",
    "    pop %r13",
    "    pop %r12",
    "    pop %rbx",
    "    ret",
    // The child works below the frames of the caller.
    "1:  mov %r12, %rdi",
    "    call *%rbx",
    "    ud2",
    ".size kvm_se_vfork, . - kvm_se_vfork",
    ".popsection",
    options(att_syntax)
);

unsafe extern "C" {
    fn kvm_se_vfork(nr: u64, args: *const [u64; 6], run: extern "C" fn(*mut c_void) -> !, arg: *mut c_void) -> u64;
}

/// How the child `pid` has ended, if it has; its zombie is gone then.
pub fn ended(pid: Pid) -> io::Result<Option<ExitStatus>> {
    let mut status = 0;
    // SAFETY: the kernel writes one integer.
    match unsafe { libc::waitpid(pid.as_raw(), &raw mut status, libc::WNOHANG) } {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(Some(ExitStatus::from_raw(status))),
    }
}

/// Ends this process at once: nothing is flushed, dropped or run.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status.into()) }
}
