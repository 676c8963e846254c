//! Protections and flags of mmap(2) and its family.

use bitflags::bitflags;

/// Advice of madvise(2): gather pages into a huge one (`include/uapi/asm-generic/mman-common.h`); libc has no name for it.
pub const MADV_COLLAPSE: i32 = 25;

bitflags! {
    /// Page protection, `PROT_*`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Prot: u32 {
        /// Pages can be read.
        const READ = 1;
        /// Pages can be written; on x86 this means reading too.
        const WRITE = 2;
        /// Pages can be executed; on x86 this means reading too.
        const EXEC = 4;
    }

    /// Flags of mmap(2), `MAP_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// Writes reach the file and other mappings.
        const SHARED = 0x01;
        /// Writes are copies of one's own.
        const PRIVATE = 0x02;
        /// As SHARED, and unknown flags are an error. The value is both bits.
        const SHARED_VALIDATE = 0x03;
        /// Place exactly here, in place of what is there.
        const FIXED = 0x10;
        /// No file behind it.
        const ANONYMOUS = 0x20;
        /// Place in the low 2 GiB.
        const BIT32 = 0x40;
        /// Grows down to a touch just below.
        const GROWSDOWN = 0x0100;
        /// Ignored by Linux.
        const DENYWRITE = 0x0800;
        /// Ignored by Linux.
        const EXECUTABLE = 0x1000;
        /// Locked in memory.
        const LOCKED = 0x2000;
        /// Not counted as committed memory.
        const NORESERVE = 0x4000;
        /// Filled at once.
        const POPULATE = 0x8000;
        /// With POPULATE: no read-ahead.
        const NONBLOCK = 0x1_0000;
        /// Ignored by Linux.
        const STACK = 0x2_0000;
        /// Huge pages of hugetlbfs.
        const HUGETLB = 0x4_0000;
        /// Synchronous page faults on DAX files.
        const SYNC = 0x8_0000;
        /// Place exactly here, unless something is there.
        const FIXED_NOREPLACE = 0x10_0000;
    }

    /// Flags of mremap(2), `MREMAP_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RemapFlags: u32 {
        /// May be placed elsewhere.
        const MAYMOVE = 1;
        /// Must be placed at the new address.
        const FIXED = 2;
        /// The old range stays mapped, empty.
        const DONTUNMAP = 4;
    }
}
