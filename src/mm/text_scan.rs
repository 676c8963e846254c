//! Instructions that tell ([`crate::x86::telling`]), and those that the processor which the guest sees lacks
//! ([`crate::x86::model`]), are replaced in code before the guest can execute it.
//!
//! Only pages that have been looked at get entries that allow execution, and then none that allow writing: a write takes
//! the right to execute away again, and the page is looked at anew when it is next executed. An instruction that writes to
//! its own page has both for its one step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::fault::FaultError;
use super::vma::Vma;
use super::{Access, AddressSpace, Inner, host_prot};
use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, UserAddr};
use crate::sys::map;
use crate::x86::model::{Fate, InstructionSet};
use crate::x86::operand::MAX_LEN;
use crate::x86::paging::Entry;
use crate::x86::telling::{self, UD2_SECOND, Verdict};
use crate::x86::{CpuModel, effects, sweep};

/// Code that cannot be written is looked at in pieces of so many bytes.
const AROUND: u64 = 16 * PAGE_SIZE;

/// In place of the first byte of an instruction: `push %es`, which long mode does not have.
const NO_INSTRUCTION: u8 = 0x06;
/// In place of a prefix: that of the segment DS, which long mode ignores.
const NO_PREFIX: u8 = 0x3e;
/// Longer functions are looked at as code of which nothing is known.
const MOST_FUNCTION: u64 = 4 << 20;

/// Tells where functions are that have a part in a range, in the image that is mapped from an address on. `None` where nothing
/// tells that.
pub type FunctionsIn = fn(&AddressSpace, UserAddr, Range<u64>) -> Option<Vec<Range<u64>>>;

/// What is looked for in code.
#[derive(Clone, Copy, Debug)]
pub struct LookedFor {
    /// The processor whose instructions are executed, and no others.
    pub cpu: CpuModel,
    /// All instructions that tell; else those that tell which processor it is, if that is not the host's.
    pub is_deterministic: bool,
    /// Tells where functions are.
    pub functions: FunctionsIn,
}

impl LookedFor {
    /// Is anything looked for?
    pub fn is_any(&self) -> bool {
        self.cpu.is_fixed() || self.is_deterministic
    }
}

/// What is known of the guest's code.
#[derive(Debug)]
pub(super) struct TextScan {
    looked_for: LookedFor,
    /// Pages that have been looked at and may be executed, and not written.
    scanned: BTreeSet<u64>,
    /// Bytes that were replaced, by their addresses.
    replaced: BTreeMap<u64, Replaced>,
    /// Bytes that were left although they may be such an instruction.
    left: BTreeMap<u64, Verdict>,
    /// Pages of the instruction that is executed now and writes to them.
    opened: Option<PageRange>,
}

/// A byte of code.
#[derive(Clone, Copy, Debug)]
struct Replaced {
    original: u8,
    by: u8,
}

impl AddressSpace {
    /// Looks at all code from now on. To be called before anything is mapped.
    pub fn scan_text(&self, looked_for: LookedFor) {
        let (scanned, replaced, left, opened) = Default::default();
        let _ = self.text_scan.set(Mutex::new(TextScan { looked_for, scanned, replaced, left, opened }));
    }

    /// Must pages of this kind be looked at before they are executed?
    pub(super) fn is_scanned(&self, vma: &Vma) -> bool {
        vma.prot.contains(Prot::EXEC) && self.text_scan.get().is_some()
    }

    /// The processor that the guest sees.
    pub fn shown_cpu(&self) -> CpuModel {
        self.text_scan().map_or_else(CpuModel::default, |scan| scan.looked_for.cpu)
    }

    /// The code at `at` as it was before anything was replaced.
    pub fn original_code(&self, at: u64, code: &mut [u8]) -> usize {
        let len = self.peek(UserAddr::new(at), code);
        if let Some(scan) = self.text_scan() {
            for (addr, byte) in scan.replaced.range(at..at + len as u64) {
                if let Some(place) = usize::try_from(addr - at).ok().and_then(|index| code.get_mut(index)) {
                    *place = if *place == byte.by { byte.original } else { *place };
                }
            }
        }
        len
    }

    /// Would the code at `rip` that writes to `addr` take the right to execute it away from itself?
    pub fn is_write_to_own_text(&self, addr: u64, rip: u64) -> bool {
        let Some(scan) = self.text_scan() else { return false };
        let page = addr / PAGE_SIZE * PAGE_SIZE;
        scan.scanned.contains(&page) && own_pages(rip).is_some_and(|own| own.contains(addr))
    }

    /// Has `step` execute the instruction at `rip`, which may write to its own pages meanwhile. They are looked at anew.
    pub fn with_open_text<T>(&self, rip: u64, step: impl FnOnce() -> T) -> T {
        let open = |pages| {
            if let Some(mut scan) = self.text_scan() {
                scan.opened = pages;
            }
        };
        let pages = own_pages(rip);
        open(pages);
        let result = step();
        open(None);
        let inner = self.lock();
        for part in
            pages.into_iter().flat_map(|pages| inner.vmas.iter_range(pages)).filter(|part| self.is_scanned(part.vma))
        {
            self.take_text(part.range, part.vma);
        }
        result
    }

    /// The host is about to write to these bytes; what of them is code and can be written, by force if `is_forced`, is looked
    /// at when it is next executed.
    #[cold]
    pub(super) fn look_again(&self, addr: UserAddr, len: u64, is_forced: bool) {
        let inner = self.lock();
        let is_scanned = |range: PageRange| {
            self.text_scan().is_some_and(|scan| scan.scanned.range(range.start()..range.end()).next().is_some())
        };
        for part in PageRange::around(addr, len).into_iter().flat_map(|pages| inner.vmas.iter_range(pages)) {
            if (is_forced || part.vma.prot.contains(Prot::WRITE)) && is_scanned(part.range) {
                self.take_text(part.range, part.vma);
            }
        }
    }

    /// Has it looked at when it is next executed.
    fn take_text(&self, range: PageRange, vma: &Vma) {
        // If they cannot be taken, there is no memory for anything.
        let _ = self.take_entries(range, vma);
        self.forget_text(range);
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

    /// The runner has changed code: what was there is the guest's.
    pub(super) fn note_poked(&self, at: u64, old: &[u8], new: &[u8]) {
        let Some(mut scan) = self.text_scan() else { return };
        for (addr, (&original, &by)) in (at..).zip(old.iter().zip(new)) {
            match scan.replaced.get_mut(&addr) {
                // Back to what it was, or over what was replaced before.
                Some(byte) if byte.original == by => drop(scan.replaced.remove(&addr)),
                Some(byte) => byte.by = by,
                None => drop(scan.replaced.insert(addr, Replaced { original, by })),
            }
        }
    }

    fn take_replaced(&self, range: PageRange) -> BTreeMap<u64, Replaced> {
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
        if self.peek(UserAddr::new(addr), &mut byte) == 0 && vma.prot.contains(Prot::READ) {
            return Err(FaultError::Bus);
        }
        let is_open = self.text_scan().and_then(|scan| scan.opened).is_some_and(|pages| pages.contains(page));
        if is_open && is_writable {
            if access == Access::Fetch {
                self.scan(inner, one, addr, (whole, vma)).map_err(|_| FaultError::Bus)?;
            }
            return self.give_entries(one, Rights::All);
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
            self.has_writable_text.store(true, Ordering::Relaxed);
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
        entry.set(Entry::WRITE, matches!(rights, Rights::Data(true) | Rights::All));
        entry.set(Entry::NO_EXECUTE, matches!(rights, Rights::Data(_)));
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
        let Some(looked_for) = self.text_scan().map(|scan| scan.looked_for) else { return Ok(()) };
        if vma.is_shared() {
            // Whoever else maps it may change it unseen.
            self.note_left(range.start(), Some(Verdict::Unknown));
        }
        if looked_for.cpu.is_fixed() {
            self.scan_for_refused(inner, range, entry, looked_for, (whole, vma))?;
        }
        let entry = entry.checked_sub(start).and_then(|entry| usize::try_from(entry).ok()).filter(|entry| *entry < len);
        for at in telling::candidates(&code, looked_for.is_deterministic) {
            let addr = start + at as u64;
            if addr + (telling::LEN as u64) <= range.start() {
                continue;
            }
            let verdict = telling::judge(&code, at, start == whole.start(), entry);
            if verdict == Verdict::Instruction && !vma.is_shared() {
                self.replace_byte(inner, addr + 1, Replaced { original: code[at + 1], by: UD2_SECOND })?;
                self.note_left(addr, None);
            } else {
                self.note_left(addr, Some(if verdict == Verdict::Instruction { Verdict::Unknown } else { verdict }));
            }
        }
        Ok(())
    }

    /// Replaces what the processor lacks in `range`, where it is certain that it is code.
    fn scan_for_refused(
        &self,
        inner: &Inner,
        range: PageRange,
        entry: u64,
        looked_for: LookedFor,
        (whole, vma): (PageRange, &Vma),
    ) -> Result<(), Errno> {
        let instructions = looked_for.cpu.instructions();
        let image = self.image_of(inner, UserAddr::new(range.start()));
        let functions = image.and_then(|image| (looked_for.functions)(self, image, range.start()..range.end()));
        let is_known = functions.is_some();
        let mut places = Places::default();
        let mut behind = range.start();
        for function in functions.unwrap_or_default() {
            let function = function.start.max(whole.start())..function.end.min(whole.end());
            if function.start >= function.end || function.end - function.start > MOST_FUNCTION {
                continue;
            }
            let (wanted, end) = self.refused_in_function(&function, &instructions);
            places.certain.extend(wanted);
            if behind < function.start {
                let gap = behind..function.start.min(range.end());
                self.refused_in_gap(gap, entry, whole, (&instructions, is_known), &mut places);
            }
            behind = behind.max(end);
        }
        if behind < range.end() {
            self.refused_in_gap(behind..range.end(), entry, whole, (&instructions, is_known), &mut places);
        }
        let mut bytes = BTreeMap::new();
        for addr in places.certain.into_iter().filter(|addr| (range.start()..range.end()).contains(addr)) {
            if vma.is_shared() {
                self.note_left(addr, Some(Verdict::Unknown));
            } else {
                bytes.extend(self.refusal(addr, &instructions));
                self.note_left(addr, None);
            }
        }
        let beyond = bytes.split_off(&range.end());
        self.replace_bytes(range, vma, bytes)?;
        beyond.into_iter().try_for_each(|(at, byte)| self.replace_byte(inner, at, byte))?;
        places.possible.into_iter().for_each(|addr| self.note_left(addr, Some(Verdict::Unknown)));
        Ok(())
    }

    /// What is refused in a function, and where that could be decoded to.
    fn refused_in_function(&self, function: &Range<u64>, instructions: &InstructionSet) -> (Vec<u64>, u64) {
        let code = self.code(function.clone());
        let (found, end) =
            sweep::function(&code, function.start, |instruction| instructions.fate(instruction) != Fate::Executed);
        let end = end.map_or(function.end, |end| function.start + end as u64);
        (found.into_iter().map(|at| function.start + at as u64).collect(), end)
    }

    /// The same where no function is known to be; where functions are known, anything else may be data.
    fn refused_in_gap(
        &self,
        gap: Range<u64>,
        entry: u64,
        whole: PageRange,
        (instructions, is_known): (&InstructionSet, bool),
        places: &mut Places,
    ) {
        let start = gap.start.saturating_sub(sweep::APPROACH as u64).max(whole.start());
        let code = self.code(start..(gap.end + sweep::BEHIND as u64).min(whole.end()));
        let offset = |addr: u64| usize::try_from(addr - start).unwrap_or(usize::MAX);
        let entry = (start..start + code.len() as u64).contains(&entry).then(|| offset(entry));
        let part = offset(gap.start)..offset(gap.end).min(code.len());
        let is_wanted = |instruction: &_| instructions.fate(instruction) != Fate::Executed;
        let found = sweep::unknown(&code, start, &part, entry, is_wanted);
        let addresses = |offsets: Vec<usize>| offsets.into_iter().map(move |at| start + at as u64);
        places.certain.extend(addresses(found.executed));
        let likely = if is_known { &mut places.possible } else { &mut places.certain };
        likely.extend(addresses(found.likely));
        places.possible.extend(addresses(found.possible));
    }

    /// The guest's own code in `range`, as far as it can be read.
    fn code(&self, range: Range<u64>) -> Vec<u8> {
        let mut code = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0)];
        let len = self.original_code(range.start, &mut code);
        code.truncate(len);
        code
    }

    /// What makes the instruction at `addr` what the processor makes of it: where, and which byte.
    fn refusal(&self, addr: u64, instructions: &InstructionSet) -> Option<(u64, Replaced)> {
        const REP: u8 = 0xf3;
        const LONGEST: u64 = 15;
        let code = self.code(addr..addr + LONGEST);
        match instructions.fate(&effects::decode(&code, addr)?) {
            Fate::Executed => None,
            Fate::Refused => Some((addr, Replaced { original: code[0], by: NO_INSTRUCTION })),
            Fate::WithoutPrefix => {
                let at = code.iter().position(|&byte| byte == REP)? as u64;
                Some((addr + at, Replaced { original: REP, by: NO_PREFIX }))
            }
        }
    }

    /// Replaces bytes within `range`, which lies in `vma`, all at once: each change of rights is dear.
    fn replace_bytes(&self, range: PageRange, vma: &Vma, bytes: BTreeMap<u64, Replaced>) -> Result<(), Errno> {
        let (Some(first), Some(last)) = (bytes.keys().next(), bytes.keys().next_back()) else { return Ok(()) };
        let pages = PageRange::around(UserAddr::new(*first), last - first + 1).unwrap_or(range);
        self.revoke(pages, |hva, len| map::protect(hva, len, libc::PROT_READ | libc::PROT_WRITE))?;
        let is_written = bytes.iter().all(|(&at, byte)| self.poke(UserAddr::new(at), &[byte.by]) == 1);
        self.revoke(pages, |hva, len| map::protect(hva, len, host_prot(vma.prot)))?;
        if !is_written {
            return Err(Errno::EFAULT);
        }
        if let Some(mut scan) = self.text_scan() {
            scan.replaced.extend(bytes);
        }
        Ok(())
    }

    /// Bytes at `addr` were left although they may be an instruction; with `None`, they were not.
    fn note_left(&self, addr: u64, verdict: Option<Verdict>) {
        if let Some(mut scan) = self.text_scan() {
            match verdict {
                Some(verdict) => scan.left.insert(addr, verdict),
                None => scan.left.remove(&addr),
            };
        }
    }

    fn replace_byte(&self, inner: &Inner, at: u64, byte: Replaced) -> Result<(), Errno> {
        let page = at / PAGE_SIZE * PAGE_SIZE;
        let range = PageRange::new(page, page + PAGE_SIZE).ok_or(Errno::EINVAL)?;
        let Some((_, vma)) = inner.vmas.find(at) else { return Ok(()) };
        self.revoke(range, |hva, len| map::protect(hva, len, libc::PROT_READ | libc::PROT_WRITE))?;
        let is_written = self.poke(UserAddr::new(at), &[byte.by]) == 1;
        self.revoke(range, |hva, len| map::protect(hva, len, host_prot(vma.prot)))?;
        if !is_written {
            return Err(Errno::EFAULT);
        }
        if let Some(mut scan) = self.text_scan() {
            scan.replaced.insert(at, byte);
        }
        Ok(())
    }
}

/// Addresses of what the processor lacks.
#[derive(Debug, Default)]
struct Places {
    certain: Vec<u64>,
    possible: Vec<u64>,
}

/// What entries allow, besides reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Execute,
    /// Writing, or not.
    Data(bool),
    /// Both.
    All,
}

/// Pages of an instruction.
fn own_pages(rip: u64) -> Option<PageRange> {
    PageRange::around(UserAddr::new(rip), MAX_LEN as u64)
}
