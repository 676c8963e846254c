//! Page faults of the guest (`handle_mm_fault`): which VMA, which rights, which entries to fill.
//!
//! Only page-table entries are filled here. The host allocates, reads or copies a page when the guest first uses it.

use std::sync::atomic::Ordering;

use super::vma::{Backing, Vma, VmaFlags, VmaName};
use super::{AddressSpace, Inner, host_prot};
use crate::abi::mman::Prot;
use crate::abi::{PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};
use crate::vm::VmError;
use crate::x86::PageFaultCode;
use crate::x86::paging::{Entry, PDE_SPAN};

/// What the guest wanted to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store, or a read-modify-write.
    Write,
    /// An instruction fetch.
    Fetch,
}

impl From<PageFaultCode> for Access {
    fn from(code: PageFaultCode) -> Self {
        if code.contains(PageFaultCode::FETCH) {
            Self::Fetch
        } else if code.contains(PageFaultCode::WRITE) {
            Self::Write
        } else {
            Self::Read
        }
    }
}

impl Access {
    /// Does `prot` allow it? On x86 a page that can be written or executed can be read.
    fn is_allowed(self, prot: Prot) -> bool {
        match self {
            Self::Read => !prot.is_empty(),
            Self::Write => prot.contains(Prot::WRITE),
            Self::Fetch => prot.contains(Prot::EXEC),
        }
    }
}

/// Why a fault was not resolved.
#[derive(Debug)]
pub enum FaultError {
    /// No VMA: `SIGSEGV` with `SEGV_MAPERR`.
    Maperr,
    /// The VMA does not allow it: `SIGSEGV` with `SEGV_ACCERR`.
    Accerr,
    /// There is no page, as past the end of a file: `SIGBUS`.
    Bus,
    /// The run cannot go on.
    Vm(VmError),
}

impl AddressSpace {
    /// Makes the access at `addr` possible, or says why not.
    pub fn fault(&self, addr: u64, access: Access) -> Result<(), FaultError> {
        let mut inner = self.lock();
        if inner.vmas.find(addr).is_none() {
            self.grow_stack(&mut inner, addr).map_err(|_| FaultError::Maperr)?;
        }
        let Some((whole, vma)) = inner.vmas.find(addr) else { return Err(FaultError::Maperr) };
        if !access.is_allowed(vma.prot) {
            return Err(FaultError::Accerr);
        }
        // The last block does not belong to user space as a whole.
        let block_end = ((addr / PDE_SPAN + 1) * PDE_SPAN).min(TASK_SIZE);
        let block = PageRange::new(addr / PDE_SPAN * PDE_SPAN, block_end).and_then(|block| block.intersect(whole));
        let Some(block) = block else { return Err(FaultError::Maperr) };
        if self.is_scanned(vma) {
            return self.fault_in_text(&inner, addr, access, (whole, vma));
        }
        if vma.name == VmaName::Vvar {
            let prot = vma.prot;
            return self.fill_foreign(&mut inner, addr, prot);
        }
        if vma.flags.contains(VmaFlags::PRECISE) {
            return self.fill_precisely(addr, vma);
        }
        if self.fills_single_pages.load(Ordering::Relaxed)
            && let Some(page) = PageRange::around(UserAddr::new(addr), 1)
        {
            return self.fill(page, vma).map_err(FaultError::Vm);
        }
        let gathered = self.begin_gathering((addr, access), block, (whole, vma));
        self.fill(gathered.unwrap_or(block), vma).map_err(FaultError::Vm)?;
        drop(inner);
        if let Some(filled) = gathered {
            self.gather(filled);
        }
        Ok(())
    }

    /// The host had no page for an address that our tables allow: an access past the end of a file, or one that
    /// raced with a change of the mapping.
    ///
    /// Race or not: the caller passes the number of revocations that it has seen and gets the one of now. If they differ,
    /// the access is simply made again.
    ///
    /// KVM does not say which address. So every file mapping loses its entries and gets them back one page at a time,
    /// each probed first: the access comes again as a page fault, which has an address.
    pub fn bus_error(&self, seen: u64) -> u64 {
        // Nobody is in the midst of a revocation who does not hold it.
        let mut inner = self.lock();
        let revocations = self.revocations.load(Ordering::Relaxed);
        if revocations != seen {
            return revocations;
        }
        let files: Vec<PageRange> = inner
            .vmas
            .iter()
            .filter(|(_, vma)| matches!(vma.backing, Backing::File { .. }) || vma.is_shared())
            .map(|(range, _)| range)
            .collect();
        for range in files {
            self.machine.tables().clear(range.start(), range.end());
            // The flag alone cannot overfill the map: whole VMAs are changed, none is split.
            let _ = inner.vmas.update(range, |vma| vma.flags |= VmaFlags::PRECISE);
        }
        revocations
    }

    /// Fills the entries of a range that has just been mapped or got other rights, if it is so small that the guest
    /// surely uses what they map: a fault costs far more.
    pub(super) fn fill_ahead(&self, inner: &Inner, range: PageRange) {
        if range.len() < PDE_SPAN && !self.fills_single_pages.load(Ordering::Relaxed) {
            self.populate_entries(inner, range);
        }
    }

    /// Fills the entries of a new mapping at once, as far as that needs no further memslots than the guest will use.
    pub(super) fn populate_entries(&self, inner: &Inner, range: PageRange) {
        let mut at = range.start();
        while at < range.end() {
            let end = ((at / PDE_SPAN + 1) * PDE_SPAN).min(range.end());
            if let (Some(block), Some((_, vma))) = (PageRange::new(at, end), inner.vmas.find(at))
                && vma.is_accessible()
                && !self.is_scanned(vma)
                && vma.name != VmaName::Vvar
                && !vma.flags.contains(VmaFlags::PRECISE)
                && self.fill(block, vma).is_err()
            {
                // Only a hint: the fault path reports what is wrong.
                return;
            }
            at = end;
        }
    }

    /// Fills the entries of `block`, which lies within one 2 MiB block and one VMA.
    fn fill(&self, block: PageRange, vma: &Vma) -> Result<(), VmError> {
        let gpa = self.machine.back(self.arena.hva(block.start()))?;
        let rights = rights(vma.prot);
        if self.wants_huge_entry(block, vma) && self.machine.map_huge(block.start(), gpa, rights)? {
            return Ok(());
        }
        self.machine.map_pages(block.start(), block.end(), gpa, rights)
    }

    fn fill_foreign(&self, inner: &mut Inner, addr: u64, prot: Prot) -> Result<(), FaultError> {
        let page = UserAddr::new(addr).page_floor().raw();
        // A VMA of that name elsewhere cannot be: mremap(2) refuses to move it.
        let gpa = self.back_foreign(inner, page).map_err(FaultError::Vm)?.ok_or(FaultError::Bus)?;
        self.machine.map_pages(page, page + PAGE_SIZE, gpa, rights(prot)).map_err(FaultError::Vm)
    }

    fn fill_precisely(&self, addr: u64, vma: &Vma) -> Result<(), FaultError> {
        let page = UserAddr::new(addr).page_floor().raw();
        let mut byte = [0];
        if crate::sys::copy::copy_from(self.arena.hva(page), &mut byte) == 0 {
            return Err(FaultError::Bus);
        }
        match PageRange::new(page, page + PAGE_SIZE) {
            Some(page) => self.fill(page, vma).map_err(FaultError::Vm),
            None => Err(FaultError::Maperr),
        }
    }

    /// Extends the VMA above `addr` down to it, if it is one that grows and may.
    pub(super) fn grow_stack(&self, inner: &mut Inner, addr: u64) -> Result<(), crate::abi::Errno> {
        let limits = inner.limits;
        let (added, vma) = inner.vmas.stack_growth(addr, &limits)?;
        let prot = host_prot(vma.prot);
        self.arena.assign(added)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        self.on_host(added, |hva, len| super::map::overmap(hva, len, prot, flags, None))?;
        inner.vmas.grow_down(addr, &limits)?;
        self.publish_stack_gap(inner);
        Ok(())
    }
}

fn rights(prot: Prot) -> Entry {
    let mut rights = Entry::USER;
    rights.set(Entry::WRITE, prot.contains(Prot::WRITE));
    rights.set(Entry::NO_EXECUTE, !prot.contains(Prot::EXEC));
    rights
}
