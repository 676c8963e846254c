//! Error numbers that the guest sees.

use std::fmt;
use std::num::NonZeroU16;

/// What a failed system call tells the guest: a number from 1 to 4095, returned negated in `rax`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(NonZeroU16);

/// Highest number that a return value can carry (`MAX_ERRNO` in the kernel's `include/linux/err.h`).
pub const MAX_ERRNO: u64 = 4095;

impl Errno {
    /// A restart code: the call had no effect and is made again after the signals that wait. It never reaches the guest
    /// (the kernel's `include/linux/errno.h`).
    pub const ERESTARTNOINTR: Self = Self::known(513);

    const fn known(number: i32) -> Self {
        assert!(number > 0 && number <= 4095);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked in the line above")]
        match NonZeroU16::new(number as u16) {
            Some(number) => Self(number),
            None => panic!("zero is no error"),
        }
    }

    /// The error that a host call left in `errno`.
    pub fn last_os_error() -> Self {
        Self::from_raw(nix::errno::Errno::last_raw())
    }

    /// Makes an error of a positive number; one that is no error number becomes `EIO`.
    pub fn from_raw(number: i32) -> Self {
        u16::try_from(number)
            .ok()
            .filter(|&n| u64::from(n) <= MAX_ERRNO)
            .and_then(NonZeroU16::new)
            .map_or(Self::EIO, Self)
    }

    /// Splits what the raw `syscall` instruction returns into value and error.
    pub fn check(rax: u64) -> Result<u64, Self> {
        let negated = rax.wrapping_neg();
        if (1..=MAX_ERRNO).contains(&negated) {
            Err(Self::from_raw(i32::try_from(negated).unwrap_or(0)))
        } else {
            Ok(rax)
        }
    }

    /// As it stands in `rax`.
    pub fn as_negative(self) -> u64 {
        u64::from(self.0.get()).wrapping_neg()
    }

    /// As it stands in the C library's `errno`.
    pub fn as_positive(self) -> i32 {
        i32::from(self.0.get())
    }

    /// The description that strerror(3) gives.
    pub fn description(self) -> &'static str {
        nix::errno::Errno::from_raw(self.as_positive()).desc()
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(errno: nix::errno::Errno) -> Self {
        Self::from_raw(errno as i32)
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Self {
        error.raw_os_error().map_or(Self::EIO, Self::from_raw)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! errnos {
    ($($name:ident)*) => {
        #[expect(missing_docs, reason = "errno(3) says what each means")]
        impl Errno {
            $(pub const $name: Self = Self::known(libc::$name);)*

            /// Its symbolic name.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
    EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
    ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG
    EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG
    EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC
    ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE
    ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT
    ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL
    EHWPOISON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_values_split_at_minus_4095() {
        assert_eq!(Errno::check(0), Ok(0));
        assert_eq!(Errno::check(u64::MAX), Err(Errno::EPERM));
        assert_eq!(Errno::check(4095u64.wrapping_neg()).map_err(Errno::as_positive), Err(4095));
        assert_eq!(Errno::check(4096u64.wrapping_neg()), Ok(4096u64.wrapping_neg()));
        assert_eq!(Errno::ENOSYS.as_negative(), 38u64.wrapping_neg());
    }
}
