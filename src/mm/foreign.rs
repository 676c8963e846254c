//! Pages of the runner's own that the guest may read: the data of the host's vDSO.

use super::vma::{Backing, Vma, VmaFlags, VmaName};
use super::{AddressSpace, Inner};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PageRange};
use crate::sys::copy::Hva;

/// Where the guest sees foreign pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign {
    range: PageRange,
    gpa: u64,
}

impl AddressSpace {
    /// Shows the pages at `hva` to the guest at `range`, read-only. They have no place in the arena: a host call finds
    /// nothing there.
    pub fn map_foreign(&self, range: PageRange, hva: Hva, name: VmaName) -> Result<(), Errno> {
        let gpa = self.machine.back_foreign(hva, range.len()).map_err(|_| Errno::ENOMEM)?;
        let mut vma = Vma::new(Prot::READ, VmaFlags::empty(), Backing::Anonymous);
        vma.may = Prot::READ;
        vma.name = name;
        let mut inner = self.lock();
        inner.vmas.insert(range, vma)?;
        inner.foreign.push(Foreign { range, gpa });
        Ok(())
    }
}

impl Inner {
    /// GPA of the foreign page at `addr`, and the pages around it that follow each other.
    pub(super) fn foreign_at(&self, addr: u64) -> Option<(PageRange, u64)> {
        let found = self.foreign.iter().find(|foreign| foreign.range.contains(addr))?;
        Some((found.range, found.gpa))
    }
}
