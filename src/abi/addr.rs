//! Guest virtual addresses (GVA) as types.

use std::fmt;
use std::marker::PhantomData;

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 4096;
/// Number of address bits inside a page.
pub const PAGE_SHIFT: u32 = 12;
/// First address that user mappings never reach: 47 bits less the guard page
/// (`TASK_SIZE_MAX` in the kernel's `arch/x86/include/asm/page_64.h`).
pub const TASK_SIZE: u64 = 0x7fff_ffff_f000;

/// A guest virtual address as the guest gave it: untrusted, perhaps non-canonical, never dereferenced.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserAddr(u64);

impl UserAddr {
    /// The null pointer.
    pub const NULL: Self = Self(0);

    /// Takes any 64-bit value.
    pub const fn new(addr: u64) -> Self {
        Self(addr)
    }

    /// The number itself.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Is this the null pointer?
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// Is this a multiple of [`PAGE_SIZE`]?
    pub const fn is_page_aligned(self) -> bool {
        self.0.is_multiple_of(PAGE_SIZE)
    }

    /// Bytes from the start of the page.
    pub const fn page_offset(self) -> u64 {
        self.0 % PAGE_SIZE
    }

    /// Start of the page that holds this address.
    pub const fn page_floor(self) -> Self {
        Self(self.0 & !(PAGE_SIZE - 1))
    }

    /// `self + bytes`, or `None` past 2^64.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// `self + bytes` modulo 2^64, for pointers that are checked where they are used.
    pub const fn wrapping_add(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Do `len` bytes from here lie below [`TASK_SIZE`]? (the kernel's `access_ok`)
    pub const fn is_user_range(self, len: u64) -> bool {
        len <= TASK_SIZE && self.0 <= TASK_SIZE - len
    }
}

impl fmt::Debug for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Display for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::LowerHex for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// A [`UserAddr`] that the guest says holds a `T`.
pub struct UserPtr<T> {
    addr: UserAddr,
    of: PhantomData<fn() -> T>,
}

impl<T> UserPtr<T> {
    /// Gives `addr` a type; nothing is checked until data is copied.
    pub const fn new(addr: UserAddr) -> Self {
        Self { addr, of: PhantomData }
    }

    /// The address.
    pub const fn addr(self) -> UserAddr {
        self.addr
    }

    /// Is this the null pointer?
    pub const fn is_null(self) -> bool {
        self.addr.is_null()
    }

    /// The `index`-th element of an array that starts here.
    pub const fn at(self, index: u64) -> Self {
        Self::new(self.addr.wrapping_add(index.wrapping_mul(size_of::<T>() as u64)))
    }
}

// Derives would ask the same of `T`, which is not stored.
impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}

/// A non-empty run of whole pages below [`TASK_SIZE`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRange {
    start: u64,
    end: u64,
}

impl PageRange {
    /// Pages from `start` to below `end`; `None` if that is empty, unaligned or above [`TASK_SIZE`].
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if start < end && end <= TASK_SIZE && start.is_multiple_of(PAGE_SIZE) && end.is_multiple_of(PAGE_SIZE) {
            Some(Self { start, end })
        } else {
            None
        }
    }

    /// `len` bytes from `start`, the length rounded up to pages.
    pub const fn with_len(start: UserAddr, len: u64) -> Option<Self> {
        match len.checked_next_multiple_of(PAGE_SIZE) {
            Some(len) => match start.raw().checked_add(len) {
                Some(end) => Self::new(start.raw(), end),
                None => None,
            },
            None => None,
        }
    }

    /// The pages that `len` bytes from `start` touch, both ends rounded outwards.
    pub const fn around(start: UserAddr, len: u64) -> Option<Self> {
        match start.raw().checked_add(len) {
            Some(end) => match end.checked_next_multiple_of(PAGE_SIZE) {
                Some(end) => Self::new(start.page_floor().raw(), end),
                None => None,
            },
            None => None,
        }
    }

    /// First byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// One past the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Bytes.
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Never true; here because `len` is.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// Number of pages.
    pub const fn nr_pages(self) -> u64 {
        self.len() / PAGE_SIZE
    }

    /// Does the range hold `addr`?
    pub const fn contains(self, addr: u64) -> bool {
        self.start <= addr && addr < self.end
    }

    /// Does the range hold all of `other`?
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The pages in both.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Have the two a page in common?
    pub fn overlaps(self, other: Self) -> bool {
        self.intersect(other).is_some()
    }
}

impl fmt::Debug for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_range_stops_at_task_size() {
        assert!(UserAddr::new(0).is_user_range(TASK_SIZE));
        assert!(UserAddr::new(TASK_SIZE).is_user_range(0));
        assert!(!UserAddr::new(TASK_SIZE).is_user_range(1));
        assert!(!UserAddr::new(1).is_user_range(u64::MAX));
        assert!(!UserAddr::new(0xffff_8000_0000_0000).is_user_range(1));
    }

    #[test]
    fn page_ranges_are_never_empty_unaligned_or_high() {
        assert_eq!(PageRange::new(0x1000, 0x1000), None);
        assert_eq!(PageRange::new(0x1001, 0x2000), None);
        assert_eq!(PageRange::new(0x1000, TASK_SIZE + 0x1000), None);
        assert_eq!(PageRange::with_len(UserAddr::new(0x1000), u64::MAX), None);
        let range = PageRange::with_len(UserAddr::new(0x1000), 1);
        assert_eq!(range.map(PageRange::len), Some(0x1000));
        let range = PageRange::around(UserAddr::new(0x1fff), 2);
        assert_eq!(range.map(|r| (r.start(), r.end())), Some((0x1000, 0x3000)));
    }
}
