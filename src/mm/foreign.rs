//! Pages of the runner's own that the guest may read: the data of the host's vDSO.

use super::vma::{Backing, Vma, VmaFlags, VmaName};
use super::{Access, AddressSpace, Inner};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange};
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

impl AddressSpace {
    /// Fills the entries of the vDSO and its data, and returns where its code begins (GVA); `None` without one.
    pub fn fill_vdso(&self) -> Option<u64> {
        let mut code = None;
        for (range, vma) in self.vmas() {
            if matches!(vma.name, VmaName::Vvar | VmaName::Vdso) {
                // Pages of data that a kernel does not use cannot be had, and are not looked at.
                for page in 0..range.nr_pages() {
                    let _ = self.fault(range.start() + page * PAGE_SIZE, Access::Read);
                }
                code = Some(range.start()).filter(|_| vma.name == VmaName::Vdso).or(code);
            }
        }
        code
    }
}

impl Inner {
    /// GPA of the foreign page at `addr`, and the pages around it that follow each other.
    pub(super) fn foreign_at(&self, addr: u64) -> Option<(PageRange, u64)> {
        let found = self.foreign.iter().find(|foreign| foreign.range.contains(addr))?;
        Some((found.range, found.gpa))
    }
}
