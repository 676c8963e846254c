//! mprotect(2) (`do_mprotect_pkey` in the kernel's `mm/mprotect.c`).

use super::vma::Vma;
use super::{AddressSpace, Inner, host_prot};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PageRange, UserAddr};
use crate::sys::map;

impl AddressSpace {
    /// Changes protection up to the first hole or refusal, from the start of the VMA if `grows_down` (PROT_GROWSDOWN).
    /// Errors are those of mprotect(2).
    pub fn protect(&self, addr: UserAddr, len: u64, prot: Prot, grows_down: bool) -> Result<(), Errno> {
        if !addr.is_page_aligned() {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let mut range = PageRange::with_len(addr, len).ok_or(Errno::ENOMEM)?;
        let mut inner = self.lock();
        if grows_down {
            range = inner.stretch_down(range)?;
        }
        let parts: Vec<(PageRange, Vma)> =
            inner.vmas.iter_range(range).map(|part| (part.range, part.vma.clone())).collect();
        let mut next = range.start();
        for (part, vma) in parts {
            if part.start() != next {
                return Err(Errno::ENOMEM);
            }
            self.protect_vma(&mut inner, part, &vma, prot)?;
            next = part.end();
        }
        if next == range.end() { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    fn protect_vma(&self, inner: &mut Inner, range: PageRange, vma: &Vma, prot: Prot) -> Result<(), Errno> {
        if !vma.may.contains(prot) {
            return Err(Errno::EACCES);
        }
        if vma.prot == prot {
            return Ok(());
        }
        let mut changed = vma.clone();
        changed.prot = prot;
        // Linux asks as if the pages were mapped anew, and only refuses what the old protection would not have been.
        let may_be = |vma: &Vma| inner.vmas.may_expand(vma, range.len(), &inner.limits);
        if !may_be(&changed) && may_be(vma) {
            return Err(Errno::ENOMEM);
        }
        if !prot.is_empty() {
            self.arena.assign(range)?;
        }
        inner.vmas.update(range, |vma| vma.prot = prot)?;
        let old = vma.prot;
        let result = self.revoke(range, |hva, len| map::protect(hva, len, host_prot(prot)));
        if result.is_err() {
            inner.vmas.update(range, |vma| vma.prot = old)?;
        }
        self.fill_ahead(inner, range);
        result
    }
}

impl Inner {
    /// The range from the start of the growing VMA that holds its first page or is the next above it.
    fn stretch_down(&self, range: PageRange) -> Result<PageRange, Errno> {
        let (whole, vma) = self.vmas.find_at_or_above(range.start()).ok_or(Errno::ENOMEM)?;
        let stretched = PageRange::new(whole.start(), range.end()).ok_or(Errno::ENOMEM)?;
        if vma.grows_down() { Ok(stretched) } else { Err(Errno::EINVAL) }
    }
}
