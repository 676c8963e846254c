//! Instructions that tell ([`crate::x86::telling`]) are replaced in code before the guest can execute it.
//!
//! Only pages that have been looked at get entries that allow execution, and then none that allow writing: a write takes
//! the right to execute away again, and the page is looked at anew when it is next executed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::fault::FaultError;
use super::vma::Vma;
use super::{Access, AddressSpace, Inner, host_prot};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr};
use crate::sys::map;
use crate::x86::paging::Entry;
use crate::x86::telling::{self, UD2_SECOND, Verdict};

/// Code that cannot be written is looked at in pieces of so many bytes.
const AROUND: u64 = 16 * PAGE_SIZE;

/// What is known of the guest's code.
#[derive(Debug, Default)]
pub(super) struct TextScan {
    /// Pages that have been looked at and may be executed, and not written.
    scanned: BTreeSet<u64>,
    /// Bytes that were replaced, by their addresses.
    replaced: BTreeMap<u64, u8>,
    /// Bytes that were left although they may be such an instruction.
    left: BTreeMap<u64, Verdict>,
}

impl AddressSpace {
    /// Looks at all code from now on. To be called before anything is mapped.
    pub fn scan_text(&self) {
        let _ = self.text_scan.set(Mutex::default());
    }

    /// Must pages of this kind be looked at before they are executed?
    pub(super) fn is_scanned(&self, vma: &Vma) -> bool {
        vma.prot.contains(Prot::EXEC) && self.text_scan.get().is_some()
    }

    /// The code at `at` as it was before anything was replaced.
    pub fn original_code(&self, at: u64, code: &mut [u8]) -> usize {
        let len = self.copy_in_partly(UserAddr::new(at), code);
        if let Some(scan) = self.text_scan() {
            for (addr, byte) in scan.replaced.range(at..at + len as u64) {
                if let Some(place) = usize::try_from(addr - at).ok().and_then(|index| code.get_mut(index)) {
                    *place = if *place == UD2_SECOND { *byte } else { *place };
                }
            }
        }
        len
    }

    /// Where bytes were left that may be executed as such an instruction; with `true`, by ordinary code.
    pub fn unreplaced_code(&self) -> Vec<(u64, bool)> {
        let scan = self.text_scan();
        let left = scan.iter().flat_map(|scan| &scan.left);
        left.map(|(&addr, &verdict)| (addr, verdict == Verdict::Unknown)).collect()
    }

    /// Entries of `range` go: whatever comes there is looked at again.
    pub(super) fn forget_text(&self, range: PageRange) {
        if let Some(mut scan) = self.text_scan() {
            let pages: Vec<u64> = scan.scanned.range(range.start()..range.end()).copied().collect();
            for page in pages {
                scan.scanned.remove(&page);
            }
        }
    }

    /// Other memory is at `range` now, or none.
    pub(super) fn forget_replaced(&self, range: PageRange) {
        drop(self.take_replaced(range));
    }

    /// The memory at `from` is at `to` now.
    pub(super) fn move_replaced(&self, from: PageRange, to: u64) {
        let moved = self.take_replaced(from);
        if let Some(mut scan) = self.text_scan() {
            scan.replaced.extend(moved.into_iter().map(|(addr, byte)| (to + (addr - from.start()), byte)));
        }
    }

    fn take_replaced(&self, range: PageRange) -> BTreeMap<u64, u8> {
        let Some(mut scan) = self.text_scan() else { return BTreeMap::new() };
        let mut taken = scan.replaced.split_off(&range.start());
        scan.replaced.append(&mut taken.split_off(&range.end()));
        taken
    }

    /// A fault in memory that may be executed.
    pub(super) fn fault_in_text(
        &self,
        inner: &Inner,
        addr: u64,
        access: Access,
        (whole, vma): (PageRange, &Vma),
    ) -> Result<(), FaultError> {
        let page = addr / PAGE_SIZE * PAGE_SIZE;
        let is_writable = vma.prot.contains(Prot::WRITE);
        let Some(one) = PageRange::new(page, page + PAGE_SIZE) else { return Err(FaultError::Maperr) };
        let mut byte = [0];
        // The host may have no page.
        if self.copy_in(UserAddr::new(addr), &mut byte).is_err() && vma.prot.contains(Prot::READ) {
            return Err(FaultError::Bus);
        }
        if access != Access::Fetch {
            let is_executable = self.text_scan().is_some_and(|scan| scan.scanned.contains(&page));
            if access == Access::Write && is_executable {
                self.take_entries(one, vma).map_err(|_| FaultError::Bus)?;
            }
            let keeps = is_executable && access == Access::Read;
            let rights = if keeps { Rights::Execute } else { Rights::Data(is_writable) };
            return self.give_entries(one, rights);
        }
        let range = if is_writable {
            // It may be one that can be written at present.
            self.take_entries(one, vma).map_err(|_| FaultError::Bus)?;
            one
        } else {
            let start = addr / AROUND * AROUND;
            PageRange::new(start, start + AROUND).and_then(|around| around.intersect(whole)).unwrap_or(one)
        };
        self.scan(inner, range, addr, (whole, vma)).map_err(|_| FaultError::Bus)?;
        self.give_entries(range, Rights::Execute)?;
        if let Some(mut scan) = self.text_scan() {
            scan.scanned.extend((range.start()..range.end()).step_by(usize::try_from(PAGE_SIZE).unwrap_or(4096)));
        }
        Ok(())
    }

    fn give_entries(&self, range: PageRange, rights: Rights) -> Result<(), FaultError> {
        let gpa = self.machine.back(self.arena.hva(range.start())).map_err(FaultError::Vm)?;
        let mut entry = Entry::USER;
        entry.set(Entry::WRITE, rights == Rights::Data(true));
        entry.set(Entry::NO_EXECUTE, rights != Rights::Execute);
        self.machine.map_pages(range.start(), range.end(), gpa, entry).map_err(FaultError::Vm)
    }

    /// From every vCPU, by way of a change of the host mapping.
    fn take_entries(&self, range: PageRange, vma: &Vma) -> Result<(), Errno> {
        self.revoke(range, |hva, len| map::protect(hva, len, libc::PROT_READ))?;
        self.revoke(range, |hva, len| map::protect(hva, len, host_prot(vma.prot)))
    }

    /// Replaces what tells in `range`; the guest is about to execute what is at `entry`.
    fn scan(&self, inner: &Inner, range: PageRange, entry: u64, (whole, vma): (PageRange, &Vma)) -> Result<(), Errno> {
        let back = (telling::APPROACH + telling::LEN) as u64;
        let start = range.start().saturating_sub(back).max(whole.start());
        let end = (range.end() + telling::LEN as u64).min(whole.end());
        let mut code = vec![0; usize::try_from(end - start).unwrap_or(0)];
        let len = self.original_code(start, &mut code);
        code.truncate(len);
        let entry = entry.checked_sub(start).and_then(|entry| usize::try_from(entry).ok()).filter(|entry| *entry < len);
        for at in telling::candidates(&code) {
            let addr = start + at as u64;
            if addr + (telling::LEN as u64) <= range.start() {
                continue;
            }
            let verdict = telling::judge(&code, at, start == whole.start(), entry);
            if verdict == Verdict::Instruction && !vma.is_shared() {
                self.replace_second(inner, addr + 1, code[at + 1])?;
            } else if let Some(mut scan) = self.text_scan() {
                let left = if verdict == Verdict::Instruction { Verdict::Unknown } else { verdict };
                scan.left.insert(addr, left);
            }
        }
        Ok(())
    }

    fn replace_second(&self, inner: &Inner, at: u64, original: u8) -> Result<(), Errno> {
        let page = at / PAGE_SIZE * PAGE_SIZE;
        let range = PageRange::new(page, page + PAGE_SIZE).ok_or(Errno::EINVAL)?;
        let Some((_, vma)) = inner.vmas.find(at) else { return Ok(()) };
        self.revoke(range, |hva, len| map::protect(hva, len, libc::PROT_READ | libc::PROT_WRITE))?;
        let written = self.copy_out(UserAddr::new(at), &[UD2_SECOND]);
        self.revoke(range, |hva, len| map::protect(hva, len, host_prot(vma.prot)))?;
        written?;
        if let Some(mut scan) = self.text_scan() {
            scan.replaced.insert(at, original);
            scan.left.remove(&(at - 1));
        }
        Ok(())
    }
}

/// What entries allow, besides reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Execute,
    /// Writing, or not.
    Data(bool),
}
