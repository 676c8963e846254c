//! Changes to the guest's code that are the runner's (the kernel's `text_poke` in `arch/x86/kernel/alternative.c`).

use super::vma::Backing;
use super::{AddressSpace, Inner, host_prot};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PageRange, UserAddr};
use crate::sys::map;

impl AddressSpace {
    /// Puts `new` in the place of `old` at `at`, in code of a file that is mapped privately and cannot be written; the pages
    /// become the process's own. No vCPU may be about to execute what lies between the two ends.
    ///
    /// # Errors
    /// `EINVAL` if there is other memory, or something else than `old`; what the host says of mprotect(2).
    pub fn text_poke(&self, at: UserAddr, old: &[u8], new: &[u8]) -> Result<(), Errno> {
        let pages = PageRange::around(at, new.len() as u64).ok_or(Errno::EINVAL)?;
        let inner = self.lock();
        let (whole, vma) = inner.vmas.find(at.raw()).ok_or(Errno::EINVAL)?;
        let is_code = vma.prot == Prot::READ | Prot::EXEC && !vma.is_shared();
        if !is_code || !matches!(vma.backing, Backing::File { .. }) || !whole.covers(pages) {
            return Err(Errno::EINVAL);
        }
        let mut found = vec![0; old.len()];
        if self.peek(at, &mut found) != found.len() || found != old {
            return Err(Errno::EINVAL);
        }
        self.revoke(pages, |hva, len| map::protect(hva, len, host_prot(Prot::READ | Prot::WRITE)))?;
        let written = self.poke(at, new);
        self.revoke(pages, |hva, len| map::protect(hva, len, host_prot(vma.prot)))?;
        if written != new.len() {
            return Err(Errno::EFAULT);
        }
        self.note_poked(at.raw(), old, new);
        Ok(())
    }

    /// Where the file begins that is mapped at `at`: the nearest mapping, below or there, of its first byte.
    pub fn image_at(&self, at: UserAddr) -> Option<UserAddr> {
        self.image_of(&self.lock(), at)
    }

    pub(super) fn image_of(&self, inner: &Inner, at: UserAddr) -> Option<UserAddr> {
        let Backing::File { file, .. } = &inner.vmas.find(at.raw())?.1.backing else { return None };
        let begins = |backing: &Backing| matches!(backing, Backing::File { file: other, offset: 0 } if other == file);
        let below = inner.vmas.iter().take_while(|(range, _)| range.start() <= at.raw());
        below.filter(|(_, vma)| begins(&vma.backing)).last().map(|(range, _)| UserAddr::new(range.start()))
    }
}
