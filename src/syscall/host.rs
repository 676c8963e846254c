//! Passing calls on to the host kernel, guest pointers translated.

#![expect(unsafe_code, reason = "executes host system calls")]

use std::ffi::CStr;

use super::arg::{
    Clock, Fd, FdFlags, FutexOp, Hex, IntervalTimer, MsgFlags, Policy, PrctlOption, RandomFlags, Resource, Signal,
    Whence,
};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::mm::AddressSpace;
use crate::proc::Task;
use crate::signal::mask::SigSet;
use crate::sys::call::interruptible_call;
use crate::sys::capture;

/// An argument of a host call.
#[derive(Debug)]
pub(super) enum HostArg<'a> {
    /// A number, or a descriptor of the guest's.
    Int(u64),
    /// Guest memory of a known length; null stays null.
    Guest(UserAddr, u64),
    /// Memory of the runner's that the kernel reads.
    In(&'a [u8]),
    /// Memory of the runner's that the kernel writes.
    Out(&'a mut [u8]),
}

impl From<i32> for HostArg<'_> {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value).cast_unsigned())
    }
}

impl From<u32> for HostArg<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for HostArg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value.cast_unsigned())
    }
}

impl From<u64> for HostArg<'_> {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}

impl From<usize> for HostArg<'_> {
    fn from(value: usize) -> Self {
        Self::Int(value as u64)
    }
}

impl From<Fd> for HostArg<'_> {
    fn from(fd: Fd) -> Self {
        fd.raw().into()
    }
}

macro_rules! from_newtypes {
    ($($name:ident)*) => {
        $(impl From<$name> for HostArg<'_> {
            fn from(arg: $name) -> Self {
                arg.0.into()
            }
        })*
    };
}

from_newtypes!(Clock FdFlags FutexOp Hex IntervalTimer MsgFlags Policy PrctlOption RandomFlags Resource Signal Whence);

impl<T> From<UserPtr<T>> for HostArg<'_> {
    fn from(ptr: UserPtr<T>) -> Self {
        Self::Guest(ptr.addr(), size_of::<T>() as u64)
    }
}

impl<'a> From<&'a CStr> for HostArg<'a> {
    fn from(string: &'a CStr) -> Self {
        Self::In(string.to_bytes_with_nul())
    }
}

impl<'a> From<&'a [u8]> for HostArg<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::In(bytes)
    }
}

impl<'a> From<&'a mut [u8]> for HostArg<'a> {
    fn from(bytes: &'a mut [u8]) -> Self {
        Self::Out(bytes)
    }
}

/// `task.host(libc::SYS_x, args![a, b, c])`
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &mut [$($crate::syscall::host::HostArg::from($arg)),*] };
}
pub(super) use args;

/// Handlers of calls that the host answers as they stand: `sys_x(a: A, b: B) = SYS_x;`
macro_rules! passthrough {
    ($($name:ident($($arg:ident: $type:ty),*) = $nr:ident;)*) => {
        $(pub(super) fn $name(task: &mut crate::proc::Task, $($arg: $type),*) -> Result<u64, crate::abi::Errno> {
            task.host(libc::$nr, $crate::syscall::host::args![$($arg),*])
        })*
    };
}
pub(super) use passthrough;

/// Calls that change what the runner itself stands on. They have handlers of their own.
const NEVER_PASSED_ON: &[i64] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_arch_prctl,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_rt_sigreturn,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sigaltstack,
    libc::SYS_shmat,
    libc::SYS_shmdt,
];

impl Task {
    /// Executes a host call with up to six arguments.
    ///
    /// Guest pointers need no check: a bad one is as bad for the host kernel, which answers `EFAULT`.
    ///
    /// # Errors
    /// `ERESTARTNOINTR` if there is a signal to deliver first; what a handler did before is then done twice. Others are
    /// the call's.
    pub(super) fn host(&self, nr: i64, args: &mut [HostArg<'_>]) -> Result<u64, Errno> {
        debug_assert!(!NEVER_PASSED_ON.contains(&nr) && args.len() <= 6, "call {nr} is not for the host");
        let mm = &self.process.mm;
        let mut raw = [0; 6];
        let mut is_split = false;
        for (raw, arg) in raw.iter_mut().zip(args.iter_mut()) {
            *raw = match arg {
                HostArg::Int(value) => *value,
                HostArg::Guest(addr, _) if addr.is_null() => 0,
                HostArg::Guest(addr, len) => {
                    mm.before_write(*addr, *len);
                    is_split |= !mm.arena().is_contiguous(addr.raw(), *len);
                    mm.hva(addr.raw())
                }
                HostArg::In(bytes) => bytes.as_ptr().addr() as u64,
                HostArg::Out(bytes) => bytes.as_mut_ptr().addr() as u64,
            };
        }
        if is_split {
            return host_bounced(mm, nr, args, raw);
        }
        // SAFETY: integers name the guest's own objects; pointers are into the arena, where no Rust reference points,
        // bad for the host as well, or to slices that are as long as the handlers say to the kernel. Calls that
        // change mappings or threads are not made this way.
        unsafe { interruptible_call(nr.cast_unsigned(), raw) }
    }
}

impl Task {
    /// [`Task::host`] for a call that Linux never makes again after a handler (signal(7)). A signal that comes on the way
    /// to the host ends it, too: programs look at what their handlers have noted before such a call, and made again it
    /// could wait for long.
    pub(super) fn wait_on_host(&mut self, nr: i64, args: &mut [HostArg<'_>]) -> Result<u64, Errno> {
        match self.host(nr, args) {
            Err(Errno::ERESTARTNOINTR) if capture::is_caught() => Err(Errno::EINTR),
            result => result,
        }
    }

    /// [`Task::host`] for a call that blocks `mask`, if there is one, while it waits.
    pub(super) fn host_with_mask(
        &mut self,
        mask: Option<SigSet>,
        nr: i64,
        args: &mut [HostArg<'_>],
    ) -> Result<u64, Errno> {
        let Some(mask) = mask else { return self.wait_on_host(nr, args) };
        self.signals.begin_wait(mask)?;
        let result = self.host(nr, args);
        self.signals.end_wait(mask, result);
        result
    }
}

/// The rare case of a buffer whose host addresses are not in one piece: through memory of our own.
#[cold]
fn host_bounced(mm: &AddressSpace, nr: i64, args: &[HostArg<'_>], mut raw: [u64; 6]) -> Result<u64, Errno> {
    let mut copies = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        if let HostArg::Guest(addr, len) = *arg
            && !mm.arena().is_contiguous(addr.raw(), len)
            && addr.is_user_range(len)
        {
            let len = usize::try_from(len).map_err(|_| Errno::ENOMEM)?;
            let mut copy = Vec::new();
            copy.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
            copy.resize(len, 0);
            // What can be written can be read, too; a buffer of which a part is missing is refused as a whole.
            mm.copy_in(addr, &mut copy)?;
            raw[index] = copy.as_mut_ptr().addr() as u64;
            copies.push((addr, copy));
        }
    }
    // SAFETY: as in `Task::host`; the copies live until the call has returned.
    let result = unsafe { interruptible_call(nr.cast_unsigned(), raw) };
    if result.is_ok() {
        for (addr, copy) in &copies {
            // Memory that the call only reads may be read-only.
            let _ = mm.copy_out_partly(*addr, copy);
        }
    }
    result
}
