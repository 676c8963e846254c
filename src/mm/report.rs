//! What `/proc/self` tells about an address space.

use super::AddressSpace;
use super::brk::Brk;
use super::vma::{Backing, VmaName};
use super::vma::{Usage, Vma};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PageRange, UserAddr};
use crate::sys::copy::Hva;

/// Where the parts of a program lie, as `mm_struct` of the kernel's `include/linux/mm_types.h` names them. GVAs, each end
/// one behind the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landmarks {
    /// Executable segments.
    pub code: (u64, u64),
    /// From the start of the last segment to the end of what comes from the file.
    pub data: (u64, u64),
    /// The stack pointer at the start.
    pub stack: u64,
    /// Arguments.
    pub args: (u64, u64),
    /// Environment.
    pub env: (u64, u64),
}

/// Sizes of an address space, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// What is mapped.
    pub now: Usage,
    /// Most that was mapped at a time.
    pub peak: u64,
}

impl AddressSpace {
    /// Where there may be pages that are the guest's own, or of files that it has mapped: what it can read, and of anonymous
    /// memory what the host has pages for.
    pub fn own_memory(&self) -> Vec<PageRange> {
        let inner = self.lock();
        let mut ranges = Vec::new();
        for (range, vma) in inner.vmas.iter().filter(|(_, vma)| vma.prot.contains(Prot::READ)) {
            match vma.backing {
                _ if vma.name == VmaName::Vvar => {}
                Backing::Anonymous => ranges.extend(self.resident_ranges(range)),
                _ => ranges.push(range),
            }
        }
        ranges
    }

    /// Notes where the parts of the program lie.
    pub fn set_landmarks(&self, landmarks: Landmarks) {
        self.lock().landmarks = landmarks;
    }

    /// Where the parts of the program lie.
    pub fn landmarks(&self) -> Landmarks {
        self.lock().landmarks
    }

    /// The program break.
    pub fn brk(&self) -> Brk {
        self.lock().brk
    }

    /// How much is mapped.
    pub fn sizes(&self) -> Sizes {
        let inner = self.lock();
        Sizes { now: inner.vmas.usage(), peak: inner.vmas.peak() }
    }

    /// All VMAs in order, as they are now.
    pub fn vmas(&self) -> Vec<(PageRange, Vma)> {
        self.lock().vmas.iter().map(|(range, vma)| (range, vma.clone())).collect()
    }

    /// The offset in its file of what is mapped at `addr` (GVA), if that is called `name`.
    pub fn offset_in(&self, addr: u64, name: VmaName) -> Option<u64> {
        let inner = self.lock();
        let (range, vma) = inner.vmas.find(addr)?;
        match vma.backing {
            Backing::File { offset, .. } if vma.name == name => Some(offset + (addr - range.start())),
            _ => None,
        }
    }

    /// The parts of `range` that are mapped, in order.
    pub fn mapped_parts(&self, range: PageRange) -> Vec<PageRange> {
        self.lock().vmas.iter_range(range).map(|part| part.range).collect()
    }

    /// Of `len` bytes from `addr`, those before the first page that is not mapped or not next to the others on the
    /// host, and where they are.
    pub fn mapped_run(&self, addr: UserAddr, len: u64) -> Option<(Hva, u64)> {
        let range = PageRange::around(addr, len)?;
        let mut end = range.start();
        for part in self.mapped_parts(range) {
            if part.start() != end {
                break;
            }
            end = part.end();
        }
        let mapped = end.checked_sub(addr.raw()).filter(|&mapped| mapped > 0)?.min(len);
        let run = self.arena.runs(addr.raw(), mapped).next()?;
        (run.hva == self.arena.hva(addr.raw())).then_some((run.hva, run.len))
    }

    /// Names private anonymous memory for `/proc/self/maps` (`PR_SET_VMA_ANON_NAME` of prctl(2)); the host has agreed.
    pub fn set_name(&self, range: PageRange, name: VmaName) -> Result<(), Errno> {
        self.lock().vmas.update(range, |vma| vma.name = name.clone())
    }
}
