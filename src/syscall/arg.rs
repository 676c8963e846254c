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
    /// A signed number.
    Int,
    /// An unsigned number.
    Uint,
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
    /// A signal number.
    Signal,
}

/// Names of bits, for `--strace`.
pub type FlagNames = [(&'static str, u64)];

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

int_args!(i32 as Int, u32 as Uint, i64 as Int, u64 as Uint, usize as Uint);

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

/// A descriptor of the guest; one that is the runner's is `EBADF`. Negative numbers pass: `AT_FDCWD`, or the kernel
/// refuses them.
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
        if fd >= crate::sys::descriptor::guest_limit() { Err(Errno::EBADF) } else { Ok(Self(fd)) }
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
    /// Flags of open(2).
    OpenFlags(i32): O_WRONLY O_RDWR O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_SYNC O_DSYNC O_DIRECT
        O_TMPFILE O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_PATH;
    /// Flags of the *at family.
    AtFlags(i32): AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH;
    /// Protection of mmap(2) and mprotect(2).
    ProtBits(u64): PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_GROWSUP;
    /// Flags of mmap(2).
    MapBits(u64): MAP_SHARED MAP_PRIVATE MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_GROWSDOWN MAP_DENYWRITE MAP_LOCKED
        MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_HUGETLB MAP_SYNC MAP_FIXED_NOREPLACE;
    /// Flags of mremap(2).
    RemapBits(u64): MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP;
    /// Flags of msync(2).
    SyncBits(i32): MS_ASYNC MS_INVALIDATE MS_SYNC;
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
