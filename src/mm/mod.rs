//! The guest's address space: VMAs, the host mappings behind them and the page-table entries before them.
//!
//! | Linux | here |
//! |---|---|
//! | `mm_struct` | [`AddressSpace`] |
//! | `vm_area_struct` | [`vma::Vma`] and a host mapping at the same place in the [`arena`] |
//! | `handle_mm_fault` | [`AddressSpace::fault`]: fills page-table entries; the host finds the pages |
//! | TLB shoot-down | `revoke`: entries first, then the host mapping, whose MMU notifier reaches every vCPU |
//! | `copy_from_user`, `copy_to_user` | [`AddressSpace::copy_in`], [`AddressSpace::copy_out`] |
//!
//! Lock order: `AddressSpace::inner`, then whatever `vm` takes. No host call that can sleep is made under it.

mod advise;
pub mod arena;
mod brk;
mod fault;
mod foreign;
mod fork;
mod huge_memory;
mod map;
mod packed;
mod protect;
mod remap;
mod report;
mod residency;
mod segment;
mod text_poke;
mod text_scan;
mod unmap;
mod user;
pub mod vma;
mod working_set;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub use arena::Arena;
pub use brk::Brk;
pub use fault::{Access, FaultError};
pub use fork::{ForkPlan, MmGuard};
pub use map::{MapRequest, Where};
pub use report::{Landmarks, Sizes};
pub use text_scan::{FunctionsIn, LookedFor};
pub use working_set::MappingUse;

use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};
use crate::sys::copy::Hva;
use crate::vm::Machine;
use crate::vm::memslots::CHUNK_LEN;
use foreign::Foreign;
use huge_memory::HugePages;
use text_scan::TextScan;
use vma::{Backing, DEFAULT_MAX_VMAS, Limits, Vma, VmaFlags, VmaMap, VmaName};
use working_set::Gone;

/// One address space; threads share it.
#[derive(Debug)]
pub struct AddressSpace {
    arena: Arena,
    machine: Arc<Machine>,
    /// What the guest has mapped. Where a page-table entry is present, a VMA covers it.
    inner: Mutex<Inner>,
    /// Between these two, a touch grows the stack. Read without the lock by the copy routines.
    stack_gap: [AtomicU64; 2],
    /// How often rights were taken away. Changed under the lock.
    revocations: AtomicU64,
    /// Is there a VMA besides the stack that grows down?
    has_growsdown: AtomicBool,
    huge_pages: HugePages,
    /// Is each page to be a fault?
    fills_single_pages: AtomicBool,
    /// What is known of code whose instructions are looked at first. Locked within `inner`.
    text_scan: OnceLock<Mutex<TextScan>>,
    /// Was there ever any that can be written as well?
    has_writable_text: AtomicBool,
    /// What was used and is gone, where use is tracked. Locked within `inner`.
    gone: Gone,
}

#[derive(Debug)]
struct Inner {
    vmas: VmaMap,
    brk: Brk,
    limits: Limits,
    /// Flags of mlockall(MCL_FUTURE) for mappings to come.
    lock_future: VmaFlags,
    /// Identity of the next shared anonymous object.
    next_object: u64,
    /// Where the top-down search for holes begins.
    mmap_base: u64,
    /// Below, mappings take a privilege.
    lowest_addr: u64,
    /// Where the parts of the program lie.
    landmarks: Landmarks,
    /// Pages of the runner's own that the guest sees, whatever has become of their VMAs.
    foreign: Vec<Foreign>,
}

impl AddressSpace {
    /// An empty address space over `arena`, which `machine` was made for.
    pub fn new(arena: Arena, machine: Arc<Machine>, limits: Limits) -> Self {
        let vmas = VmaMap::new(DEFAULT_MAX_VMAS, machine.user_end());
        Self {
            arena,
            machine,
            inner: Mutex::new(Inner {
                vmas,
                brk: Brk::default(),
                limits,
                lock_future: VmaFlags::empty(),
                next_object: 0,
                mmap_base: mmap_base(limits.stack, 0),
                lowest_addr: vma::MMAP_MIN_ADDR,
                landmarks: Landmarks::default(),
                foreign: Vec::new(),
            }),
            stack_gap: [AtomicU64::new(0), AtomicU64::new(0)],
            revocations: AtomicU64::new(0),
            has_growsdown: AtomicBool::new(false),
            huge_pages: HugePages::default(),
            fills_single_pages: AtomicBool::new(false),
            text_scan: OnceLock::new(),
            has_writable_text: AtomicBool::new(false),
            gone: Gone::default(),
        }
    }

    /// The virtual machine that the guest runs in.
    pub fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// HVA of `gva`, for a pointer that goes to the host kernel; a bad one faults there.
    #[inline]
    pub fn hva(&self, gva: u64) -> Hva {
        self.arena.hva(gva)
    }

    /// The arena.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// The guest's limits on memory.
    pub fn limits(&self) -> Limits {
        self.lock().limits
    }

    /// Changes the guest's limits on memory.
    pub fn set_limits(&self, limits: Limits) {
        let mut inner = self.lock();
        inner.limits = limits;
        self.publish_stack_gap(&inner);
    }

    /// Starts the search for holes `shift` bytes below its usual place.
    pub fn set_mmap_shift(&self, shift: u64) {
        let mut inner = self.lock();
        inner.mmap_base = mmap_base(inner.limits.stack, shift);
    }

    /// Starts the search for holes at `end`, whatever the limits are, and lets all addresses be asked for, 0 included.
    pub fn set_mmap_end(&self, end: u64) {
        let mut inner = self.lock();
        inner.mmap_base = end;
        inner.lowest_addr = 0;
    }

    /// What is behind the page of `addr`, and the offset of `addr` in that, if it is shared memory.
    pub fn backing_at(&self, addr: UserAddr) -> Option<(Backing, u64)> {
        let inner = self.lock();
        let (range, vma) = inner.vmas.find(addr.raw()).filter(|(_, vma)| vma.is_shared())?;
        let offset = match &vma.backing {
            Backing::File { offset, .. } | Backing::SharedAnonymous { offset, .. } => *offset,
            _ => return None,
        };
        Some((vma.backing.clone(), offset + (addr.raw() - range.start())))
    }

    /// End of what the guest may map (GVA).
    pub fn end(&self) -> u64 {
        self.lock().vmas.end()
    }

    /// Bytes mapped.
    pub fn mapped_len(&self) -> u64 {
        self.lock().vmas.usage().total
    }

    /// `None` where code is executed as it is.
    fn text_scan(&self) -> Option<MutexGuard<'_, TextScan>> {
        Some(self.text_scan.get()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held would have ended the run.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all rights to `range` from every vCPU, by way of `act` on the host mapping.
    ///
    /// The entries go first: KVM would report an error if it met an entry that the host no longer allows.
    /// The MMU notifier has reached every vCPU when the host call returns.
    fn revoke(&self, range: PageRange, act: impl FnMut(Hva, u64) -> Result<(), Errno>) -> Result<(), Errno> {
        self.clear_entries(range);
        self.on_host(range, act)
    }

    /// Takes all entries of `range` out of the tables. vCPUs lose what they remember of them with a change of the host
    /// mapping, which the caller makes before it gives the lock back.
    fn clear_entries(&self, range: PageRange) {
        self.revocations.fetch_add(1, Ordering::Relaxed);
        self.forget_text(range);
        self.machine.tables().clear(range.start(), range.end());
    }

    /// Applies `act` to the host ranges behind `range`.
    fn on_host(&self, range: PageRange, mut act: impl FnMut(Hva, u64) -> Result<(), Errno>) -> Result<(), Errno> {
        self.arena.runs(range.start(), range.len()).try_for_each(|run| act(run.hva, run.len))
    }

    fn publish_stack_gap(&self, inner: &Inner) {
        let stack = inner.vmas.iter().rev().find(|(_, vma)| vma.name == VmaName::Stack);
        let (low, high) = stack.map_or((0, 0), |(range, _)| {
            let low = range.end().saturating_sub(inner.limits.stack).max(PAGE_SIZE);
            (low.min(range.start()), range.start())
        });
        self.stack_gap[0].store(low, Ordering::Relaxed);
        self.stack_gap[1].store(high, Ordering::Relaxed);
    }
}

/// Where the top-down search begins: below the room that the stack may take (`mmap_base` in the kernel's
/// `arch/x86/mm/mmap.c`).
fn mmap_base(stack_limit: u64, shift: u64) -> u64 {
    const MIN_GAP: u64 = 128 << 20;
    const MAX_GAP: u64 = TASK_SIZE / 6 * 5;
    let gap = stack_limit.saturating_add(vma::STACK_GUARD_GAP).clamp(MIN_GAP, MAX_GAP);
    (TASK_SIZE - gap - shift) / PAGE_SIZE * PAGE_SIZE
}

/// Protection as the host's mmap(2) takes it. It equals the guest's, execution included, so that a change of any
/// right changes the host mapping and thereby reaches the MMU notifier.
fn host_prot(prot: Prot) -> i32 {
    prot.bits().cast_signed()
}

/// The reservation that stands wherever the guest has nothing.
fn make_hole(hva: Hva, len: u64) -> Result<(), Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    map::overmap(hva, len, libc::PROT_NONE, flags, None)
}

/// Is the VMA nothing but reserved addresses? Then it needs no host mapping of its own.
fn is_reservation(vma: &Vma) -> bool {
    vma.prot.is_empty() && vma.backing == Backing::Anonymous
}

/// Reads a limit of the runner, which is the guest's at its start.
fn limit(resource: nix::sys::resource::Resource) -> (u64, u64) {
    nix::sys::resource::getrlimit(resource).unwrap_or((u64::MAX, u64::MAX))
}

/// The limits that this process was started with, for the guest.
pub fn inherited_limits() -> Limits {
    use nix::sys::resource::Resource;
    let (data, data_hard) = limit(Resource::RLIMIT_DATA);
    Limits {
        address_space: limit(Resource::RLIMIT_AS).0,
        data,
        data_hard,
        stack: limit(Resource::RLIMIT_STACK).0,
        locked: limit(Resource::RLIMIT_MEMLOCK).0,
    }
}

/// Lifts what would limit the runner's own address space as far as it may; the guest's limits are kept by
/// [`AddressSpace`].
pub fn lift_host_limits() {
    use nix::sys::resource::{Resource, setrlimit};
    for resource in [Resource::RLIMIT_AS, Resource::RLIMIT_DATA] {
        let (_, hard) = limit(resource);
        // Without privilege, a hard limit that is finite stays in force; the arena is then smaller.
        let _ = setrlimit(resource, u64::MAX, u64::MAX).or_else(|_| setrlimit(resource, hard, hard));
    }
}

const _: () = assert!(arena::WINDOW.is_multiple_of(CHUNK_LEN), "no memslot crosses a window");
