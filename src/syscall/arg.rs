//! Decoding of arguments: each raw register becomes the type of a handler's parameter.
//!
//! So a handler's signature is the argument list, and there is no second one. The same types say how `--strace` shows
//! an argument.

use std::os::fd::{BorrowedFd, RawFd};

use crate::abi::mman::{MapFlags, Prot, RemapFlags};
use crate::abi::{Errno, UserAddr, UserPtr};

/// How `--strace` shows an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// A signed number of 32 bits.
    Int,
    /// An unsigned number of 32 bits.
    Uint,
    /// A signed number.
    Long,
    /// An unsigned number.
    Ulong,
    /// A number in hexadecimal.
    Hex,
    /// A file mode in octal.
    Mode,
    /// A descriptor, or `AT_FDCWD`.
    Fd,
    /// An address.
    Addr,
    /// The address of a NUL-terminated path.
    Path,
    /// The address of bytes that the call reads, whose number is the next argument.
    BytesIn,
    /// The address of bytes that the call writes: as many as it returns.
    BytesOut,
    /// Named bits.
    Flags(&'static FlagNames),
    /// A named value in some of the bits, flags in the others.
    Packed(&'static Packed),
    /// A signal number.
    Signal,
}

/// Names of bits, for `--strace`.
pub type FlagNames = [(&'static str, u64)];

/// A named value in some bits of a number, and flags in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bits of the value.
    pub mask: u64,
    /// Its names.
    pub values: &'static FlagNames,
    /// Names of the other bits.
    pub flags: &'static FlagNames,
}

/// A parameter type of handlers.
pub trait Arg: Sized {
    /// How it is shown.
    const KIND: ArgKind;

    /// Takes the raw register. Fails only where Linux fails before it looks at any other argument.
    fn decode(raw: u64) -> Result<Self, Errno>;
}

macro_rules! int_args {
    ($($type:ty as $kind:ident),*) => {
        $(impl Arg for $type {
            const KIND: ArgKind = ArgKind::$kind;

            #[expect(
                clippy::allow_attributes,
                reason = "not each of the types is narrower"
            )]
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
            fn decode(raw: u64) -> Result<Self, Errno> {
                // The kernel takes the low bits of a register for a narrower parameter.
                Ok(raw as $type)
            }
        })*
    };
}

int_args!(i32 as Int, u32 as Uint, i64 as Long, u64 as Ulong, usize as Ulong);

impl Arg for UserAddr {
    const KIND: ArgKind = ArgKind::Addr;

    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(Self::new(raw))
    }
}

impl<T> Arg for UserPtr<T> {
    const KIND: ArgKind = ArgKind::Addr;

    fn decode(raw: u64) -> Result<Self, Errno> {
        Ok(Self::new(UserAddr::new(raw)))
    }
}

/// A descriptor of the guest, or a negative number such as `AT_FDCWD`. One that is the runner's becomes one that nobody
/// has: it is `EBADF`, but only where the host kernel looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(RawFd);

impl Fd {
    /// The number.
    pub const fn raw(self) -> RawFd {
        self.0
    }

    /// For calls of nix that take a borrowed descriptor. `EBADF` for a negative number.
    #[expect(unsafe_code, reason = "names a descriptor that the guest may close at any time")]
    pub fn borrow(&self) -> Result<BorrowedFd<'_>, Errno> {
        if self.0 < 0 {
            return Err(Errno::EBADF);
        }
        // SAFETY: the number is none of the runner's, so nothing of ours depends on what it stands for; a closed one
        // makes the host call fail with EBADF, which is what the guest gets.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }
}

impl Arg for Fd {
    const KIND: ArgKind = ArgKind::Fd;

    fn decode(raw: u64) -> Result<Self, Errno> {
        let fd = i32::decode(raw)?;
        Ok(Self(if fd >= crate::sys::descriptor::guest_limit() { -libc::EBADF } else { fd }))
    }
}

macro_rules! newtype_args {
    ($($(#[$doc:meta])* $name:ident($inner:ty) as $kind:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name(pub $inner);

            impl Arg for $name {
                const KIND: ArgKind = ArgKind::$kind;

                fn decode(raw: u64) -> Result<Self, Errno> {
                    Ok(Self(<$inner>::decode(raw)?))
                }
            }
        )*
    };
}

newtype_args! {
    /// A path in guest memory.
    PathPtr(UserAddr) as Path;
    /// A string in guest memory that is no path.
    StrPtr(UserAddr) as Path;
    /// Bytes that the call reads; their number is the next argument.
    BytesIn(UserAddr) as BytesIn;
    /// Bytes that the call writes, as many as it returns.
    BytesOut(UserAddr) as BytesOut;
    /// File mode.
    Mode(u32) as Mode;
    /// Request numbers and the like.
    Hex(u64) as Hex;
    /// A signal number.
    Signal(i32) as Signal;
}

/// Bits whose names `--strace` knows.
macro_rules! flag_args {
    ($($(#[$doc:meta])* $name:ident($inner:ty): $($flag:ident)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name(pub $inner);

            impl Arg for $name {
                const KIND: ArgKind = ArgKind::Flags(&[$((stringify!($flag), libc::$flag as u64)),*]);

                fn decode(raw: u64) -> Result<Self, Errno> {
                    Ok(Self(<$inner>::decode(raw)?))
                }
            }
        )*
    };
}

flag_args! {
    /// Flags of the calls that make descriptors, under whatever prefix: EFD_, IN_, SFD_, SOCK_, TFD_ are the same bits.
    FdFlags(i32): O_CLOEXEC O_NONBLOCK O_DIRECT;
    /// Flags of sendmsg(2) and recvmsg(2).
    MsgFlags(i32): MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL MSG_CONFIRM
        MSG_ERRQUEUE MSG_NOSIGNAL MSG_MORE MSG_WAITFORONE MSG_FASTOPEN MSG_CMSG_CLOEXEC;
    /// Flags of the *at family.
    AtFlags(i32): AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH;
    /// Flags of preadv2(2) and pwritev2(2).
    RwFlags(i32): RWF_HIPRI RWF_DSYNC RWF_SYNC RWF_NOWAIT RWF_APPEND;
    /// Flags of splice(2), tee(2) and vmsplice(2).
    SpliceFlags(u32): SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE SPLICE_F_GIFT;
    /// Flags of close_range(2).
    CloseRangeFlags(u32): CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC;
    /// Mode of fallocate(2).
    FallocateFlags(i32): FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE FALLOC_FL_COLLAPSE_RANGE FALLOC_FL_ZERO_RANGE
        FALLOC_FL_INSERT_RANGE FALLOC_FL_UNSHARE_RANGE;
    /// Operation of flock(2).
    LockBits(i32): LOCK_SH LOCK_EX LOCK_NB LOCK_UN;
    /// What access(2) asks about.
    AccessBits(i32): F_OK R_OK W_OK X_OK;
    /// Flags of renameat2(2).
    RenameFlags(u32): RENAME_NOREPLACE RENAME_EXCHANGE RENAME_WHITEOUT;
    /// Flags of setxattr(2).
    XattrFlags(i32): XATTR_CREATE XATTR_REPLACE;
    /// Flags of getrandom(2).
    RandomFlags(u32): GRND_NONBLOCK GRND_RANDOM GRND_INSECURE;
    /// Protection of mmap(2) and mprotect(2).
    ProtBits(u64): PROT_NONE PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_GROWSUP;
    /// Flags of mremap(2).
    RemapBits(u64): MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP;
    /// Flags of msync(2).
    SyncBits(i32): MS_ASYNC MS_INVALIDATE MS_SYNC;
}

/// A value whose names `--strace` knows, with or without flags.
macro_rules! packed_args {
    ($($(#[$doc:meta])* $name:ident($inner:ty) & $mask:literal: $($value:ident)*; $($flag:ident)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name(pub $inner);

            impl Arg for $name {
                const KIND: ArgKind = ArgKind::Packed(&Packed {
                    mask: $mask,
                    values: &[$((stringify!($value), libc::$value as u64)),*],
                    flags: &[$((stringify!($flag), libc::$flag as u64)),*],
                });

                fn decode(raw: u64) -> Result<Self, Errno> {
                    Ok(Self(<$inner>::decode(raw)?))
                }
            }
        )*
    };
}

packed_args! {
    /// Flags of open(2).
    OpenFlags(i32) & 3: O_RDONLY O_WRONLY O_RDWR; O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_SYNC O_DSYNC
        O_DIRECT O_TMPFILE O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_PATH;
    /// Flags of mmap(2).
    MapBits(u64) & 0xf: MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE; MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_GROWSDOWN
        MAP_DENYWRITE MAP_LOCKED MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_HUGETLB MAP_SYNC
        MAP_FIXED_NOREPLACE;
    /// A clock.
    Clock(i32) & 0xffff_ffff: CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID
        CLOCK_MONOTONIC_RAW CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME CLOCK_REALTIME_ALARM
        CLOCK_BOOTTIME_ALARM CLOCK_TAI;;
    /// An interval timer.
    IntervalTimer(i32) & 0xffff_ffff: ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF;;
    /// A resource whose use has limits.
    Resource(u32) & 0xffff_ffff: RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS
        RLIMIT_NPROC RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE
        RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME;;
    /// What sigprocmask(2) does.
    MaskChange(i32) & 0xffff_ffff: SIG_BLOCK SIG_UNBLOCK SIG_SETMASK;;
    /// A scheduling policy.
    Policy(i32) & 0xffff: SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE; SCHED_RESET_ON_FORK;
    /// What futex(2) does.
    FutexOp(i32) & 0x7f: FUTEX_WAIT FUTEX_WAKE FUTEX_FD FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP FUTEX_LOCK_PI
        FUTEX_UNLOCK_PI FUTEX_TRYLOCK_PI FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET FUTEX_WAIT_REQUEUE_PI
        FUTEX_CMP_REQUEUE_PI FUTEX_LOCK_PI2; FUTEX_PRIVATE_FLAG FUTEX_CLOCK_REALTIME;
    /// Where lseek(2) counts from.
    Whence(i32) & 0xffff_ffff: SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE;;
    /// What prctl(2) does.
    PrctlOption(i32) & 0xffff_ffff: PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_KEEPCAPS
        PR_SET_KEEPCAPS PR_GET_TIMING PR_SET_TIMING PR_SET_NAME PR_GET_NAME PR_GET_SECCOMP PR_SET_SECCOMP
        PR_CAPBSET_READ PR_CAPBSET_DROP PR_GET_TSC PR_SET_TSC PR_GET_SECUREBITS PR_SET_SECUREBITS PR_SET_TIMERSLACK
        PR_GET_TIMERSLACK PR_MCE_KILL PR_MCE_KILL_GET PR_SET_MM PR_SET_PTRACER PR_SET_CHILD_SUBREAPER
        PR_GET_CHILD_SUBREAPER PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS PR_GET_TID_ADDRESS PR_SET_THP_DISABLE
        PR_GET_THP_DISABLE PR_CAP_AMBIENT PR_GET_SPECULATION_CTRL PR_SET_SPECULATION_CTRL PR_SET_VMA
        PR_SET_MDWE PR_GET_MDWE;;
}

impl ProtBits {
    /// The protection proper.
    pub fn prot(self) -> Prot {
        Prot::from_bits_truncate(u32::try_from(self.0 & 7).unwrap_or(0))
    }
}

impl MapBits {
    /// The flags that we know.
    pub fn flags(self) -> MapFlags {
        MapFlags::from_bits_truncate(u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(0))
    }
}

impl RemapBits {
    /// The flags, unless one is unknown.
    pub fn flags(self) -> Option<RemapFlags> {
        u32::try_from(self.0).ok().and_then(RemapFlags::from_bits)
    }
}
