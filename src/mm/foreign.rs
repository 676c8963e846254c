//! Pages of the runner's own that the guest may read: the data of the host's vDSO.

use super::vma::{Backing, Vma, VmaFlags, VmaName};
use super::{Access, AddressSpace, Inner};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange};
use crate::sys::copy::Hva;
use crate::vm::VmError;

/// Where the guest sees foreign pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign {
    range: PageRange,
    hva: Hva,
    /// Once the guest has looked at one of them: few programs do.
    gpa: Option<u64>,
}

impl AddressSpace {
    /// Shows the pages at `hva` to the guest at `range`, read-only. They have no place in the arena: a host call finds
    /// nothing there.
    pub fn map_foreign(&self, range: PageRange, hva: Hva, name: VmaName) -> Result<(), Errno> {
        let mut vma = Vma::new(Prot::READ, VmaFlags::empty(), Backing::Anonymous);
        vma.may = Prot::READ;
        vma.name = name;
        let mut inner = self.lock();
        inner.vmas.insert(range, vma)?;
        inner.foreign.push(Foreign { range, hva, gpa: None });
        Ok(())
    }

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

    /// GPA of the foreign page at `addr`; `None` if there is none.
    pub(super) fn back_foreign(&self, inner: &mut Inner, addr: u64) -> Result<Option<u64>, VmError> {
        let Some(found) = inner.foreign.iter_mut().find(|foreign| foreign.range.contains(addr)) else {
            return Ok(None);
        };
        let gpa = match found.gpa {
            Some(gpa) => gpa,
            None => *found.gpa.insert(self.machine.back_foreign(found.hva, found.range.len())?),
        };
        Ok(Some(gpa + (addr - found.range.start())))
    }
}
