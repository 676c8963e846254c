//! The virtual machine of one check, with a few pages that user code can reach.

use std::sync::atomic::{AtomicU64, Ordering};

use vm_memory::{Bytes, MmapRegion, VolatileMemory};

use super::check::Failure;
use super::routines::Routine;
use crate::abi::PAGE_SIZE;
use crate::vm::machine::ArenaSpan;
use crate::vm::memslots::CHUNK_LEN;
use crate::vm::{Machine, Trap, Vcpu, VmError, startup};
use crate::x86::paging::Entry;
use crate::x86::{CpuModel, UserRegs};

/// GVA of page 0, which holds the code; so all pages share one page table.
const BASE: u64 = 0x40_0000;
/// Bytes of guest memory.
const LEN: u64 = CHUNK_LEN;

pub(super) const RO: Entry = Entry::USER.union(Entry::NO_EXECUTE);
pub(super) const RW: Entry = RO.union(Entry::WRITE);
pub(super) const RX: Entry = Entry::USER;

/// A VM, its vCPU and its memory.
#[derive(Debug)]
pub(super) struct Scratch {
    // These two refer to the memory, so they are dropped first.
    pub(super) vcpu: Vcpu,
    pub(super) machine: Machine,
    memory: MmapRegion,
    /// Offset of page 0 in `memory`, which need not begin at a multiple of the chunk length.
    start: usize,
}

/// A page of guest memory by number, from 1 on: page 0 holds the code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page(pub(super) u64);

impl Page {
    /// Its address in the guest.
    pub(super) const fn gva(self) -> u64 {
        BASE + self.0 * PAGE_SIZE
    }
}

impl Scratch {
    /// A new VM on the calling thread. No page but the code is mapped.
    pub(super) fn new() -> Result<Self, VmError> {
        let (memory, start) = reserve()?;
        let base = (memory.as_ptr().addr() + start) as u64;
        let (machine, mut vcpu) = Machine::new(ArenaSpan { base, len: LEN }, None, None, CpuModel::Host)?;
        vcpu.attach();
        let scratch = Self { vcpu, machine, memory, start };
        scratch.write(Page(0), startup::code());
        scratch.map(Page(0), RX)?;
        Ok(scratch)
    }

    /// HVA of `page`.
    pub(super) fn hva(&self, page: Page) -> u64 {
        (self.memory.as_ptr().addr() + self.offset(page)) as u64
    }

    fn offset(&self, page: Page) -> usize {
        self.start + usize::try_from(page.0 * PAGE_SIZE).unwrap_or(usize::MAX)
    }

    /// Word `index` of `page`, as the host sees it.
    pub(super) fn word(&self, page: Page, index: usize) -> &AtomicU64 {
        match self.memory.get_atomic_ref(self.offset(page) + 8 * index) {
            Ok(word) => word,
            Err(_) => unreachable!("{page:?} is not scratch memory"),
        }
    }

    /// Copies `bytes` to the start of `page`.
    pub(super) fn write(&self, page: Page, bytes: &[u8]) {
        let written = self.memory.as_volatile_slice().write_slice(bytes, self.offset(page));
        debug_assert!(written.is_ok(), "{page:?} is not scratch memory");
    }

    /// The first `N` bytes of `page`.
    pub(super) fn read<const N: usize>(&self, page: Page) -> [u8; N] {
        let mut bytes = [0; N];
        let read = self.memory.as_volatile_slice().read_slice(&mut bytes, self.offset(page));
        debug_assert!(read.is_ok(), "{page:?} is not scratch memory");
        bytes
    }

    /// Maps `page` into the guest.
    pub(super) fn map(&self, page: Page, rights: Entry) -> Result<(), VmError> {
        let gpa = self.machine.back(self.hva(page))?;
        self.map_at(page.gva(), gpa, rights)
    }

    /// Maps the page at `gpa` into the guest at `gva`.
    pub(super) fn map_at(&self, gva: u64, gpa: u64, rights: Entry) -> Result<(), VmError> {
        self.machine.map_pages(gva, gva + PAGE_SIZE, gpa, rights)
    }

    /// Makes `page` absent in the guest's tables; vCPUs may go on seeing it.
    pub(super) fn clear(&self, page: Page) {
        self.machine.tables().clear(page.gva(), page.gva() + PAGE_SIZE);
    }

    /// mprotect(2) of the host page behind `page`.
    pub(super) fn protect(&self, page: Page, prot: i32) -> Result<(), Failure> {
        crate::sys::map::protect(self.hva(page), PAGE_SIZE, prot)
            .map_err(|errno| Failure::Wrong(format!("mprotect of a host page failed: {errno:?}")))
    }

    /// The user's registers at the start of `routine`, all others 0.
    pub(super) fn at(routine: Routine) -> UserRegs {
        UserRegs::at_start(BASE + routine.offset(), 0)
    }

    /// Lets the guest start over with `regs`; returns why it stopped.
    pub(super) fn start(&mut self, regs: UserRegs) -> Result<Trap, Failure> {
        *self.vcpu.regs_mut() = regs;
        self.resume()
    }

    /// Lets the guest go on; returns why it stopped.
    pub(super) fn resume(&mut self) -> Result<Trap, Failure> {
        Ok(self.machine.run(&mut self.vcpu)?)
    }

    /// Starts over with `regs` and expects a system call; returns the registers then.
    pub(super) fn call(&mut self, what: &str, regs: UserRegs) -> Result<UserRegs, Failure> {
        match self.start(regs)? {
            Trap::Syscall => Ok(*self.vcpu.regs()),
            other => Err(Failure::trap(what, other)),
        }
    }

    /// Goes on and expects a system call; returns the registers then.
    pub(super) fn call_again(&mut self, what: &str) -> Result<UserRegs, Failure> {
        let regs = *self.vcpu.regs();
        self.call(what, regs)
    }

    /// Reads the first word of `page` in the guest.
    pub(super) fn load(&mut self, page: Page) -> Result<Trap, Failure> {
        self.start(UserRegs { rdi: page.gva(), ..Self::at(Routine::Load) })
    }

    /// Writes the first word of `page` in the guest.
    pub(super) fn store(&mut self, page: Page, value: u64) -> Result<Trap, Failure> {
        self.start(UserRegs { rdi: page.gva(), rsi: value, ..Self::at(Routine::Store) })
    }

    /// Numbers the first words of `pages`, so that a load tells which page it met.
    pub(super) fn number(&self, pages: impl IntoIterator<Item = Page>) {
        for page in pages {
            self.word(page, 0).store(page.0, Ordering::Relaxed);
        }
    }
}

/// Memory that holds a whole chunk, and where in it the chunk starts.
fn reserve() -> Result<(MmapRegion, usize), VmError> {
    let chunk = usize::try_from(CHUNK_LEN).unwrap_or(usize::MAX);
    let len = 2 * chunk;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let memory = MmapRegion::build(None, len, prot, flags).map_err(|error| VmError::Reserve {
        what: "a scratch machine",
        len,
        source: std::io::Error::other(error),
    })?;
    let base = memory.as_ptr().addr();
    Ok((memory, base.next_multiple_of(chunk) - base))
}
