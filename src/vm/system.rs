//! System memory: the pages of the VM that are the runner's own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use vm_memory::mmap::MmapRegionError;
use vm_memory::{Bytes, GuestAddress, GuestRegionMmap, MemoryRegionAddress, MmapRegion, VolatileMemory};

use super::VmError;
use super::layout::{SYSTEM_LEN, SYSTEM_STEP};
use crate::abi::PAGE_SIZE;
use crate::sys::map;
use crate::x86::paging::TableMemory;

/// Bytes from the first page on that a small program uses: stubs, a vCPU's pages and the tables of half a dozen places.
const SURELY_USED: u64 = 24 * PAGE_SIZE;

/// Pages from GPA 0 up, handed out one by one and never taken back.
#[derive(Debug)]
pub struct SystemMemory {
    region: GuestRegionMmap,
    /// GPA of the next free page. Page 0 stays unused, so that a GPA of 0 is always a mistake.
    next: AtomicU64,
    /// Bytes from GPA 0 that are accessible on the host; a multiple of [`SYSTEM_STEP`], grown under the lock. All of it
    /// at once would count against RLIMIT_DATA.
    accessible: Mutex<u64>,
}

impl SystemMemory {
    /// Reserves address space for all of it. The pages that any program needs get memory at once, in one call, the
    /// others when they are first written.
    pub fn new() -> Result<Self, VmError> {
        let reserve = |source| VmError::Reserve { what: "the VM's own pages", len: SYSTEM_LEN, source };
        let mapping = MmapRegion::build(
            None,
            SYSTEM_LEN,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        )
        .map_err(|error| match error {
            MmapRegionError::Mmap(source) => reserve(source),
            other => reserve(std::io::Error::other(other)),
        })?;
        let region = GuestRegionMmap::new(mapping, GuestAddress(0)).ok_or(VmError::Full("system memory"))?;
        let memory = Self { region, next: AtomicU64::new(PAGE_SIZE), accessible: Mutex::new(0) };
        if memory.make_accessible(PAGE_SIZE) {
            // Where it fails the pages come one by one.
            let _ = map::advise(memory.host_addr() + PAGE_SIZE, SURELY_USED, libc::MADV_POPULATE_WRITE);
        }
        Ok(memory)
    }

    /// The host address of GPA 0.
    pub fn host_addr(&self) -> u64 {
        self.region.as_ptr().addr() as u64
    }

    /// A zeroed page (GPA), or `None` when all are taken or the host has no memory.
    pub fn allocate_page(&self) -> Option<u64> {
        let page = self.next.fetch_add(PAGE_SIZE, Ordering::Relaxed);
        let is_ours = page + PAGE_SIZE <= SYSTEM_LEN as u64 && self.make_accessible(page);
        is_ours.then_some(page)
    }

    fn make_accessible(&self, page: u64) -> bool {
        const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
        let mut accessible = self.accessible.lock().unwrap_or_else(PoisonError::into_inner);
        while *accessible <= page {
            if map::protect(self.host_addr() + *accessible, SYSTEM_STEP as u64, READ_WRITE).is_err() {
                return false;
            }
            *accessible += SYSTEM_STEP as u64;
        }
        true
    }

    /// Number of [`SYSTEM_STEP`]s that hold the pages handed out so far and those of the next few calls.
    pub fn nr_steps(&self) -> u64 {
        /// More than all threads together allocate between two looks.
        const LEAD: u64 = 64 * PAGE_SIZE;
        (self.next.load(Ordering::Relaxed) + LEAD).min(SYSTEM_LEN as u64).div_ceil(SYSTEM_STEP as u64)
    }

    /// Copies `bytes` to `gpa`, which the caller has from [`allocate_page`](Self::allocate_page).
    pub fn write(&self, gpa: u64, bytes: &[u8]) {
        let written = self.region.write_slice(bytes, MemoryRegionAddress(gpa));
        debug_assert!(written.is_ok(), "{gpa:#x} is not system memory");
    }

    /// The 8 bytes at `gpa`, a multiple of 8 within a page handed out.
    pub fn word(&self, gpa: u64) -> &AtomicU64 {
        match usize::try_from(gpa).map(|offset| self.region.get_atomic_ref(offset)) {
            Ok(Ok(word)) => word,
            _ => unreachable!("{gpa:#x} is not system memory"),
        }
    }
}

impl TableMemory for SystemMemory {
    fn entry(&self, table: u64, index: usize) -> &AtomicU64 {
        self.word(table + 8 * index as u64)
    }

    fn allocate(&self) -> Option<u64> {
        self.allocate_page()
    }
}
