//! Arrays of buffers: `struct iovec` (the kernel's `lib/iov_iter.c`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::host::HostArg;
use crate::abi::{Errno, TASK_SIZE, UserAddr, UserPtr};
use crate::mm::arena::WINDOW;
use crate::proc::Task;

/// Most buffers of one call (`UIO_MAXIOV` in the kernel's `include/uapi/linux/uio.h`).
pub(super) const UIO_MAXIOV: usize = 1024;
/// Most bytes that one call moves (`MAX_RW_COUNT` in the kernel's `include/linux/fs.h`).
pub(super) const MAX_RW_COUNT: u64 = 0x7fff_f000;

/// `struct iovec`: one buffer, of the guest's (GVA) or for the host (HVA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(super) struct Iovec {
    /// First byte.
    pub(super) base: u64,
    /// Bytes.
    pub(super) len: u64,
}

/// An array of the guest's buffers, read once and translated.
///
/// As with [`super::string::HostString`], an array that is wrong makes the host call fail in the same way, at the
/// place among its other checks that it has on Linux.
#[derive(Debug)]
pub(super) enum HostIovecs {
    /// The array for the host.
    Translated(Vec<Iovec>),
    /// The array cannot be read.
    Unreadable,
    /// It has too many elements, or one of a negative length.
    Invalid,
}

impl HostIovecs {
    /// The number of elements that the host call is told.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Translated(iovecs) => iovecs.len(),
            Self::Unreadable => 1,
            Self::Invalid => UIO_MAXIOV + 1,
        }
    }
}

impl<'a> From<&'a HostIovecs> for HostArg<'a> {
    fn from(iovecs: &'a HostIovecs) -> Self {
        match iovecs {
            HostIovecs::Translated(iovecs) => Self::In(iovecs.as_slice().as_bytes()),
            HostIovecs::Unreadable | HostIovecs::Invalid => Self::Int(TASK_SIZE),
        }
    }
}

impl Task {
    /// The `count` buffers at `from`, for the host. `ENOMEM` if they lie so badly that their pieces are more than the
    /// host takes.
    pub(super) fn iovecs(&self, from: UserPtr<Iovec>, count: u64) -> Result<HostIovecs, Errno> {
        let mm = &self.process.mm;
        let guest = match self.foreign_iovecs(from, count) {
            HostIovecs::Translated(guest) => guest,
            wrong => return Ok(wrong),
        };
        guest.iter().for_each(|iovec| mm.before_write(UserAddr::new(iovec.base), iovec.len));
        let host = translate(&guest, |gva| mm.hva(gva));
        if host.len() > UIO_MAXIOV { Err(Errno::ENOMEM) } else { Ok(HostIovecs::Translated(host)) }
    }

    /// The pieces of one buffer whose host addresses are not in one piece, as almost all are.
    #[inline]
    pub(super) fn pieces(&self, addr: UserAddr, len: u64) -> Option<HostIovecs> {
        let mm = &self.process.mm;
        if mm.arena().is_contiguous(addr.raw(), len.min(MAX_RW_COUNT)) || !addr.is_user_range(len) {
            return None;
        }
        Some(self.one_iovec(addr, len))
    }

    /// An array of one buffer, which may be in pieces.
    pub(super) fn one_iovec(&self, addr: UserAddr, len: u64) -> HostIovecs {
        let mm = &self.process.mm;
        mm.before_write(addr, len);
        HostIovecs::Translated(translate(&[Iovec { base: addr.raw(), len }], |gva| mm.hva(gva)))
    }

    /// The `count` buffers at `from`, which are addresses of another process and stay as they are.
    pub(super) fn foreign_iovecs(&self, from: UserPtr<Iovec>, count: u64) -> HostIovecs {
        let count = match usize::try_from(count) {
            Ok(count) if count <= UIO_MAXIOV => count,
            _ => return HostIovecs::Invalid,
        };
        match self.process.mm.read_array(from, count) {
            Err(_) => HostIovecs::Unreadable,
            Ok(iovecs) if iovecs.iter().any(|iovec| iovec.len.cast_signed() < 0) => HostIovecs::Invalid,
            Ok(iovecs) => HostIovecs::Translated(iovecs),
        }
    }
}

/// The same buffers at host addresses: one element each, or more where host addresses are not in one piece.
fn translate(guest: &[Iovec], hva: impl Fn(u64) -> u64) -> Vec<Iovec> {
    let mut host = Vec::with_capacity(guest.len());
    for iovec in guest {
        let first = host.len();
        let mut rest = Iovec { base: iovec.base, len: iovec.len.min(MAX_RW_COUNT) };
        loop {
            let piece = Iovec { base: hva(rest.base), len: rest.len.min(translated_alike(rest.base)) };
            match host[first..].last_mut() {
                Some(Iovec { base, len }) if *base + *len == piece.base => *len += piece.len,
                _ => host.push(piece),
            }
            rest = Iovec { base: rest.base.wrapping_add(piece.len), len: rest.len - piece.len };
            if rest.len == 0 {
                break;
            }
        }
    }
    host
}

/// How many bytes from `gva` on are translated by the same difference. Addresses that no process can have stay what
/// they are, for the host kernel to refuse.
fn translated_alike(gva: u64) -> u64 {
    if gva < TASK_SIZE { (WINDOW - gva % WINDOW).min(TASK_SIZE - gva) } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iovec(base: u64, len: u64) -> Iovec {
        Iovec { base, len }
    }

    /// Windows 1 and 2 are neighbours on the host, 3 is elsewhere.
    fn hva(gva: u64) -> u64 {
        match gva / WINDOW {
            1 | 2 => gva + 100 * WINDOW,
            3 => gva + 200 * WINDOW,
            _ if gva >= TASK_SIZE => gva,
            _ => 500 * WINDOW,
        }
    }

    #[test]
    fn buffers_keep_their_number_where_host_addresses_are_in_one_piece() {
        let guest = [iovec(WINDOW + 8, 16), iovec(WINDOW + 24, 8), iovec(2 * WINDOW, 0), iovec(2 * WINDOW - 8, 16)];
        let host = translate(&guest, hva);
        let moved: Vec<_> = guest.iter().map(|iov| iovec(iov.base + 100 * WINDOW, iov.len)).collect();
        assert_eq!(host, moved);
    }

    #[test]
    fn a_buffer_is_split_where_host_addresses_break() {
        let host = translate(&[iovec(3 * WINDOW - 4, 12), iovec(3 * WINDOW + 8, 1)], hva);
        assert_eq!(host, [iovec(103 * WINDOW - 4, 4), iovec(203 * WINDOW, 8), iovec(203 * WINDOW + 8, 1)]);
    }

    #[test]
    fn what_nobody_has_mapped_stays_bad() {
        let host = translate(&[iovec(TASK_SIZE, 4), iovec(u64::MAX, 1 << 20), iovec(4 * WINDOW - 1, 2)], hva);
        assert_eq!(host[..2], [iovec(TASK_SIZE, 4), iovec(u64::MAX, 1 << 20)]);
        assert_eq!(host[2..], [iovec(204 * WINDOW - 1, 1), iovec(500 * WINDOW, 1)]);
        assert_eq!(translate(&[iovec(TASK_SIZE - 1, 3)], |gva| gva), [iovec(TASK_SIZE - 1, 3)]);
    }

    #[test]
    fn no_buffer_is_longer_than_a_call_moves() {
        let host = translate(&[iovec(WINDOW, u64::MAX >> 1)], |gva| gva);
        assert_eq!(host, [iovec(WINDOW, MAX_RW_COUNT)]);
    }
}
