//! One virtual machine: its KVM handles, system memory, page tables and memslots.

#![expect(unsafe_code, reason = "memslots give KVM host addresses; descriptors are moved out of the guest's range")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use kvm_bindings::{CpuId, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, Kvm, VcpuFd, VmFd};

use super::landing::{self, Ids, Landing, Pad};
use super::layout::{DOORBELL, DOORBELL_GPA, KERNEL_BASE, TRAMPOLINES, USER_PADS, VMX_IDENTITY_MAP, VMX_TSS};
use super::memslots::Memslots;
use super::platform::Platform;
use super::pool::{BATCH, Pool, Spare, Vcpus};
use super::stubs::{self, StubAddrs};
use super::system::SystemMemory;
use super::trampoline::Trampolines;
use super::vcpu::{Vcpu, VcpuPages, VcpuSetup, VcpuState, page};
use super::{Trap, VmError, startup};
use crate::abi::{PAGE_SIZE, TASK_SIZE};
use crate::sys::descriptor::with_soft_limit_up;
use crate::sys::map;
use crate::x86::descriptor::{gdt, interrupt_gate, tss};
use crate::x86::exception::NR_VECTORS;
use crate::x86::paging::{Entry, OutOfTables, PageTable};
use crate::x86::{CpuModel, Vector};

/// How guest addresses become host addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mmu {
    /// The CPU walks our tables and a second set of KVM's.
    Nested,
    /// KVM keeps a shadow of our tables.
    Shadow,
}

/// What the start-up probe found by running code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flavour {
    /// Where `syscall` arrives.
    pub landing: Landing,
    /// Kind of address translation.
    pub mmu: Mmu,
}

/// The descriptor of a VM. A fork child replaces it by that of a VM of its own.
#[derive(Debug)]
pub struct VmHandle(RwLock<VmFd>);

impl VmHandle {
    pub(super) fn set_memory_region(&self, region: kvm_userspace_memory_region) -> Result<(), VmError> {
        // SAFETY: the range is part of the arena or of system memory, which stay mapped while the VM lives. No Rust
        // reference points into the arena, and system memory is reached through atomics only.
        undisturbed(|| unsafe { self.fd().set_user_memory_region(region) })
            .map_err(VmError::ioctl("KVM_SET_USER_MEMORY_REGION"))
    }

    fn fd(&self) -> RwLockReadGuard<'_, VmFd> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, new: VmFd) -> VmFd {
        std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), new)
    }
}

/// A virtual machine.
#[derive(Debug)]
pub struct Machine {
    /// Kept open: a process that has given up its privileges or its root could not open it again.
    kvm: Kvm,
    vm: VmHandle,
    slots: Memslots,
    tables: PageTable<SystemMemory>,
    stubs: StubAddrs,
    /// GPA of the interrupt descriptor table.
    idt: u64,
    platform: Platform,
    /// Where the code of pads is (GPA), once calls are answered inside the guest, and how many pads there are.
    pads: Mutex<Option<Pads>>,
    /// Do all vCPUs so far show the host's time-stamp counter?
    has_host_tsc: AtomicBool,
    /// Do vCPUs trap instructions that tell, where they can?
    traps_telling: AtomicBool,
    /// vCPUs that nobody drives. Locked before the page tables, where both are.
    pool: Pool,
}

/// The pads handed out so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pads {
    /// GPA of the code.
    code: u64,
    count: u64,
    /// On a ring-3 landing.
    pub(super) trampolines: Option<Trampolines>,
}

/// The arena, as the machine needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct ArenaSpan {
    /// HVA, a multiple of the chunk length.
    pub base: u64,
    /// Bytes, a multiple of the chunk length.
    pub len: u64,
}

impl Machine {
    /// Makes a VM over `arena` and its first vCPU, which is returned with it. Opens /dev/kvm unless it is given, and
    /// runs the start-up probe on the vCPU unless it is told what that would find.
    ///
    /// Programs see the processor `model`, as far as KVM can show it.
    pub fn new(
        arena: ArenaSpan,
        kvm: Option<OwnedFd>,
        platform: Option<Platform>,
        model: CpuModel,
    ) -> Result<(Self, Vcpu), VmError> {
        let kvm = kvm.map_or_else(open_kvm, check_kvm)?;
        let is_known = platform.is_some();
        let platform = platform.map_or_else(|| Platform::new(&kvm, model), Ok)?;
        let vm = VmHandle(RwLock::new(create_vm(&kvm)?));
        let max_gpa = 1 << platform.physical_address_bits();
        let slots = Memslots::new(arena.base, arena.len, kvm.get_nr_memslots(), max_gpa)?;
        let system = SystemMemory::new()?;
        let full = |_: OutOfTables| VmError::Full("page tables");
        let tables = PageTable::new(system).map_err(full)?;
        let code = tables.memory().allocate_page().ok_or(VmError::Full("system memory"))?;
        let idt = tables.memory().allocate_page().ok_or(VmError::Full("system memory"))?;
        let machine = Self {
            kvm,
            vm,
            slots,
            tables,
            stubs: StubAddrs::new(code),
            idt,
            platform,
            pads: Mutex::default(),
            has_host_tsc: AtomicBool::new(true),
            traps_telling: AtomicBool::new(false),
            pool: Pool::default(),
        };
        machine.place_stubs(code)?;
        if is_known { machine.with_vcpu() } else { machine.with_probe() }
    }

    fn with_vcpu(self) -> Result<(Self, Vcpu), VmError> {
        let fd = self.create_vcpu_fd(&mut self.pool.lock())?;
        let vcpu = self.set_up(fd)?;
        self.choose_page_fault_stub();
        Ok((self, vcpu))
    }

    fn with_probe(mut self) -> Result<(Self, Vcpu), VmError> {
        let fd = self.create_vcpu_fd(&mut self.pool.lock())?;
        let mut vcpu = self.set_up_with(fd, self.place_vcpu_pages()?)?;
        self.platform.narrow_xcr0(&mut vcpu)?;
        self.platform.flavour = startup::probe(&self, &mut vcpu)?;
        self.choose_page_fault_stub();
        vcpu.set_landing(self.flavour().landing);
        Ok((self, vcpu))
    }

    /// What KVM and the processor offer.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// What the start-up probe found.
    pub fn flavour(&self) -> Flavour {
        self.platform.flavour
    }

    /// The guest's page tables. The caller sees to it that only one thread edits at a time.
    pub fn tables(&self) -> &PageTable<SystemMemory> {
        &self.tables
    }

    /// The pages of the VM that are the runner's own.
    pub fn system(&self) -> &SystemMemory {
        self.tables.memory()
    }

    /// GPA of the arena byte at `hva`, which from now on is backed by a memslot.
    pub fn back(&self, hva: u64) -> Result<u64, VmError> {
        self.slots.back(&self.vm, hva)
    }

    /// What `cpuid` shows where KVM decides it: eax, ebx, ecx, edx. `None` where the processor itself does.
    pub fn cpuid_shown(&self, leaf: u32, subleaf: u32) -> Option<[u32; 4]> {
        const HAS_SUBLEAVES: u32 = 1;
        if self.platform.flavour.landing == Landing::Ring3 {
            return None;
        }
        let is_asked = |entry: &&kvm_bindings::kvm_cpuid_entry2| {
            entry.function == leaf && (entry.flags & HAS_SUBLEAVES == 0 || entry.index == subleaf)
        };
        let entry = self.platform.cpuid.as_slice().iter().find(is_asked);
        Some(entry.map_or([0; 4], |entry| [entry.eax, entry.ebx, entry.ecx, entry.edx]))
    }

    /// The guest is not to see the host's time, and instructions that tell are trapped as far as the processor and KVM can:
    /// by `vcpu` and those that are made later.
    pub fn trap_telling(&self, vcpu: &mut Vcpu) -> Result<(), VmError> {
        self.has_host_tsc.store(false, Ordering::Relaxed);
        self.traps_telling.store(true, Ordering::Relaxed);
        vcpu.trap_telling()
    }

    /// Is the guest's time-stamp counter the host's?
    pub fn has_host_tsc(&self) -> bool {
        self.has_host_tsc.load(Ordering::Relaxed)
    }

    /// Number of memslots in use.
    pub fn nr_slots(&self) -> usize {
        self.slots.nr_slots()
    }

    /// GPA of `len` bytes of the runner's own at `hva`, from now on readable in the guest: the host's vDSO.
    pub fn back_foreign(&self, hva: u64, len: u64) -> Result<u64, VmError> {
        self.slots.back_foreign(&self.vm, hva, len)
    }

    /// Most memslots that KVM allows.
    pub(super) fn max_slots(&self) -> usize {
        self.slots.max_slots()
    }

    /// Bits of a GPA.
    pub(super) fn physical_address_bits(&self) -> u32 {
        self.platform.physical_address_bits()
    }

    /// The processor that programs see.
    pub fn model(&self) -> CpuModel {
        self.platform.model
    }

    /// XCR0 of the guest.
    pub fn xcr0(&self) -> u64 {
        self.platform.xcr0
    }

    /// Bytes of an XSAVE image of the guest; 0 on a CPU without XSAVE.
    pub fn xsave_len(&self) -> usize {
        self.platform.xsave_len
    }

    /// What `cpuid` shows to the guest where KVM can decide it.
    pub fn cpuid(&self) -> &CpuId {
        &self.platform.cpuid
    }

    pub(super) fn stubs(&self) -> &StubAddrs {
        &self.stubs
    }

    /// A further vCPU, ready to run user code.
    pub fn add_vcpu(&self) -> Result<Vcpu, VmError> {
        self.add_vcpu_to(&mut self.pool.lock())
    }

    /// Tells a new vCPU what the first one found out.
    fn prepare(&self, mut vcpu: Vcpu) -> Result<Vcpu, VmError> {
        self.platform.set_xcr0(&mut vcpu)?;
        vcpu.set_landing(self.platform.flavour.landing);
        Ok(vcpu)
    }

    /// Lets `vcpu`, the only one so far, and all that follow answer calls inside the guest.
    pub fn answer_calls(&self, vcpu: &mut Vcpu) -> Result<(), VmError> {
        let code = self.system().allocate_page().ok_or(VmError::Full("system memory"))?;
        landing::write_code(self.system(), code);
        let mut trampolines = None;
        if self.platform.flavour.landing == Landing::Ring3 {
            let rights = Entry::USER | Entry::WRITE | Entry::NO_EXECUTE;
            self.map_pages(DOORBELL, DOORBELL + PAGE_SIZE, DOORBELL_GPA, rights)?;
            let page = self.system().allocate_page().ok_or(VmError::Full("system memory"))?;
            self.map_pages(TRAMPOLINES, TRAMPOLINES + PAGE_SIZE, page, Entry::USER)?;
            trampolines = Some(Trampolines::new(page));
        }
        *self.lock_pads() = Some(Pads { code, count: 0, trampolines });
        let pad = self.place_pad()?;
        pad.map_or(Ok(()), |pad| vcpu.land_on(pad))
    }

    /// End of the addresses at which the guest may map something (GVA).
    pub fn user_end(&self) -> u64 {
        match (*self.lock_pads(), self.platform.flavour.landing) {
            (Some(_), Landing::Ring3) => USER_PADS,
            _ => TASK_SIZE,
        }
    }

    /// What calls that `vcpu` answers inside the guest return from now on.
    pub fn tell(&self, vcpu: &Vcpu, ids: Ids) {
        vcpu.tell(ids, self.system());
    }

    /// User and group ids are no longer answered inside the guest on `vcpu`.
    pub fn forget_user_ids(&self, vcpu: &Vcpu) {
        vcpu.forget_user_ids(self.system());
    }

    pub(super) fn lock_pads(&self) -> MutexGuard<'_, Option<Pads>> {
        // A panic while the lock was held would have ended the run.
        self.pads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pad for a new vCPU, if calls are answered and there is room.
    fn place_pad(&self) -> Result<Option<Pad>, VmError> {
        let mut guard = self.lock_pads();
        let Some(pads) = guard.as_mut() else { return Ok(None) };
        let words = self.system().allocate_page().ok_or(VmError::Full("vCPUs"))?;
        let trampolines = pads.trampolines.map(|trampolines| trampolines.page());
        let Some(pad) = Pad::new(pads.count, words, self.platform.flavour.landing, trampolines) else {
            return Ok(None);
        };
        pads.count += 1;
        let rights = match self.platform.flavour.landing {
            Landing::Ring0 => Entry::empty(),
            Landing::Ring3 => Entry::USER,
        };
        self.map_pages(pad.code(), pad.code() + PAGE_SIZE, pads.code, rights)?;
        let rights = rights | Entry::WRITE | Entry::NO_EXECUTE;
        self.map_pages(pad.words(), pad.words() + PAGE_SIZE, pad.words_page(), rights)?;
        Ok(Some(pad))
    }

    /// Runs `vcpu` until something needs the runner.
    pub fn run(&self, vcpu: &mut Vcpu) -> Result<Trap, VmError> {
        vcpu.run(self.system())
    }

    /// Maps 4 KiB pages for the guest ([`PageTable::map_pages`]).
    pub fn map_pages(&self, va: u64, end: u64, gpa: u64, rights: Entry) -> Result<(), VmError> {
        self.back_tables()?;
        self.tables.map_pages(va, end, gpa, rights).map_err(|_| VmError::Full("page tables"))
    }

    /// Maps 2 MiB for the guest, if there is no table yet ([`PageTable::map_huge`]).
    pub fn map_huge(&self, va: u64, gpa: u64, rights: Entry) -> Result<bool, VmError> {
        self.back_tables()?;
        self.tables.map_huge(va, gpa, rights).map_err(|_| VmError::Full("page tables"))
    }

    /// Has all vCPUs forget what they remember of the guest's page tables.
    pub fn forget_translations(&self) -> Result<(), VmError> {
        self.slots.forget_translations(&self.vm, self.system())
    }

    /// Shows user code a page of the runner's at `va`, for reading alone.
    pub fn show_page(&self, va: u64, bytes: &[u8]) -> Result<(), VmError> {
        let page = self.system().allocate_page().ok_or(VmError::Full("system memory"))?;
        self.system().write(page, bytes);
        self.map_pages(va, va + PAGE_SIZE, page, Entry::USER | Entry::NO_EXECUTE)
    }

    /// A table has its memslot before an entry points at it: another vCPU may walk there at once.
    fn back_tables(&self) -> Result<(), VmError> {
        self.slots.back_system(&self.vm, self.system())
    }

    /// Makes vCPUs for threads to come, unless there are some.
    pub fn stock_vcpus(&self) -> Result<(), VmError> {
        let mut pool = self.pool.lock();
        if pool.wants_more() { self.fill(&mut pool) } else { Ok(()) }
    }

    /// A vCPU that nobody drives, with `state`.
    pub fn take_vcpu(&self, state: &VcpuState) -> Result<Vcpu, VmError> {
        let mut pool = self.pool.lock();
        let mut vcpu = match pool.take() {
            Some(Spare::Idle(vcpu)) => vcpu,
            Some(Spare::Unused(fd)) => self.set_up(fd)?,
            None => self.add_vcpu_to(&mut pool)?,
        };
        drop(pool);
        vcpu.load_state(state)?;
        Ok(vcpu)
    }

    /// Takes back a vCPU that is no longer driven.
    pub fn return_vcpu(&self, mut vcpu: Vcpu) {
        vcpu.detach();
        self.pool.lock().give(vcpu);
    }

    /// Threads of this process have tables of descriptors of their own from now on, in which a number may mean another
    /// vCPU or nothing.
    pub fn note_unshared_descriptors(&self) {
        self.pool.lock().unshare_descriptors();
    }

    /// Keeps others from making or taking vCPUs while what it returns lives.
    pub fn hold_vcpus(&self) -> impl Sized {
        self.pool.lock()
    }

    /// In a fork child: a VM of its own over the memory that it has inherited, page tables and all, in the place of its
    /// parent's, which KVM lets no other process use. The vCPU of the only thread is replaced by one with `state` that
    /// uses the same page in system memory. Descriptors that are shared with the parent are left to it.
    pub fn rebuild(&self, vcpu: &mut Vcpu, state: &VcpuState, shares_descriptors: bool) -> Result<(), VmError> {
        vcpu.detach();
        let fds = self.pool.lock().abandon();
        if !shares_descriptors {
            close_all(&fds);
        }
        let (old_vm, old_vcpu) = with_room(|| self.start_over(vcpu, state))?;
        if shares_descriptors {
            std::mem::forget(old_vm);
        }
        // Its descriptor is closed or the parent's, and its mapping did not come along: there is nothing to drop.
        std::mem::forget(old_vcpu);
        Ok(())
    }

    /// Replaces the VM of a single thread by one that has never run. From Linux 6.13 on, a VM that has run has a thread of
    /// its own in the process, and what the host does for processes of one thread alone it then refuses.
    pub fn renew(&self, vcpu: &mut Vcpu) -> Result<(), VmError> {
        let state = vcpu.state()?;
        vcpu.detach();
        let spare = self.pool.lock().empty();
        let old = with_room(|| self.start_over(vcpu, &state))?;
        drop((old, spare));
        vcpu.attach();
        Ok(())
    }

    /// A new VM with the same memory, and a vCPU of it in the place of `vcpu`; returns what was there.
    fn start_over(&self, vcpu: &mut Vcpu, state: &VcpuState) -> Result<(VmFd, Vcpu), VmError> {
        let old_vm = self.vm.replace(create_vm(&self.kvm)?);
        self.slots.rebuild(&self.vm)?;
        let fd = self.create_vcpu_fd(&mut self.pool.lock())?;
        let mut new = self.prepare(self.set_up_with(fd, vcpu.pages())?)?;
        new.load_state(state)?;
        Ok((old_vm, std::mem::replace(vcpu, new)))
    }

    /// The descriptor of /dev/kvm.
    pub fn kvm_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `kvm` keeps it open for as long as it is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.kvm.as_raw_fd()) }
    }

    fn fill(&self, pool: &mut Vcpus) -> Result<(), VmError> {
        with_room(|| {
            for _ in 0..BATCH {
                let fd = self.create_vcpu_fd(pool)?;
                pool.stock(fd);
            }
            Ok(())
        })
    }

    fn add_vcpu_to(&self, pool: &mut Vcpus) -> Result<Vcpu, VmError> {
        let fd = with_room(|| self.create_vcpu_fd(pool))?;
        self.set_up(fd)
    }

    fn create_vcpu_fd(&self, pool: &mut Vcpus) -> Result<OwnedFd, VmError> {
        pool.create(|id| {
            let vm = self.vm.fd();
            raise(&undisturbed(|| create_vcpu(&vm, id)).map_err(VmError::ioctl("KVM_CREATE_VCPU"))?)
        })
    }

    /// A vCPU in user mode, from its descriptor.
    fn set_up(&self, fd: OwnedFd) -> Result<Vcpu, VmError> {
        self.prepare(self.set_up_with(fd, self.place_vcpu_pages()?)?)
    }

    fn set_up_with(&self, fd: OwnedFd, pages: VcpuPages) -> Result<Vcpu, VmError> {
        // SAFETY: the descriptor is a vCPU's and owned by nobody else.
        let mut fd = unsafe { self.vm.fd().create_vcpu_from_rawfd(fd.into_raw_fd()) }
            .map_err(VmError::ioctl("mmap of kvm_run"))?;
        self.keep_from_children(&mut fd);
        fd.set_cpuid2(&self.platform.cpuid).map_err(VmError::ioctl("KVM_SET_CPUID2"))?;
        self.has_host_tsc.fetch_and(zero_tsc_offset(&fd), Ordering::Relaxed);
        let setup = VcpuSetup {
            stubs: self.stubs,
            idt: KERNEL_BASE + self.idt,
            root: self.tables.root(),
            cr4: self.platform.cr4,
            pages,
        };
        let mut vcpu = Vcpu::new(fd, setup)?;
        if self.traps_telling.load(Ordering::Relaxed) {
            vcpu.trap_telling()?;
        }
        Ok(vcpu)
    }

    /// A fork child would keep the whole VM alive by a mapping of its own.
    fn keep_from_children(&self, fd: &mut VcpuFd) {
        let at = (&raw const *fd.get_kvm_run()).addr() as u64;
        let len = self.kvm.get_vcpu_mmap_size().unwrap_or(0) as u64;
        let _ = map::advise(at, len, libc::MADV_DONTFORK);
    }

    /// GDT, TSS and stack of one vCPU, and its pad.
    fn place_vcpu_pages(&self) -> Result<VcpuPages, VmError> {
        let system = self.system();
        let page = system.allocate_page().ok_or(VmError::Full("vCPUs"))?;
        let base = KERNEL_BASE + page;
        for (word, offset) in gdt(base + page::TSS).into_iter().zip((0..).step_by(8)) {
            system.write(page + page::GDT + offset, &word.to_le_bytes());
        }
        system.write(page + page::TSS, &tss(base + page::STACK_END));
        self.map_system(page, Entry::WRITE | Entry::NO_EXECUTE)?;
        Ok(VcpuPages { tables: page, pad: self.place_pad()? })
    }

    fn place_stubs(&self, code: u64) -> Result<(), VmError> {
        let system = self.system();
        system.write(code, stubs::code());
        for number in 0..NR_VECTORS {
            let vector = Vector(u8::try_from(number).unwrap_or(u8::MAX));
            self.set_gate(vector, self.stubs.vector(vector));
        }
        self.map_system(code, Entry::empty())?;
        self.map_system(self.idt, Entry::NO_EXECUTE)
    }

    fn set_gate(&self, vector: Vector, handler: u64) {
        let dpl = if vector.is_user_gate() { 3 } else { 0 };
        let [low, high] = interrupt_gate(handler, dpl);
        let gate = self.idt + 16 * u64::from(vector.0);
        self.system().write(gate, &low.to_le_bytes());
        self.system().write(gate + 8, &high.to_le_bytes());
    }

    /// Where ring 0 is native, the stub reads cr2 cheaper than the host can.
    fn choose_page_fault_stub(&self) {
        if self.platform.flavour.landing == Landing::Ring0 {
            self.set_gate(Vector::PF, self.stubs.page_fault);
        }
    }

    fn map_system(&self, gpa: u64, rights: Entry) -> Result<(), VmError> {
        let va = KERNEL_BASE + gpa;
        self.map_pages(va, va + PAGE_SIZE, gpa, rights)
    }
}

fn open_kvm() -> Result<Kvm, VmError> {
    let fd =
        Kvm::open_with_cloexec(true).map_err(|error| VmError::Open(io::Error::from_raw_os_error(error.errno())))?;
    // SAFETY: `open_with_cloexec` returns a descriptor that nobody else owns.
    let low = unsafe { OwnedFd::from_raw_fd(fd) };
    check_kvm(raise(&low)?)
}

/// Is this /dev/kvm, and can it do what is needed?
fn check_kvm(fd: OwnedFd) -> Result<Kvm, VmError> {
    const API_VERSION: i32 = 12;
    // SAFETY: the descriptor is owned by nobody else; if it is not open on /dev/kvm the next call says so.
    let kvm = unsafe { Kvm::from_raw_fd(fd.into_raw_fd()) };
    match kvm.get_api_version() {
        API_VERSION => {}
        version => return Err(VmError::ApiVersion(version)),
    }
    for (cap, name) in [
        (Cap::UserMemory, "KVM_CAP_USER_MEMORY"),
        (Cap::ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
        (Cap::SyncRegs, "KVM_CAP_SYNC_REGS"),
    ] {
        if !kvm.check_extension(cap) {
            return Err(VmError::Capability(name));
        }
    }
    Ok(kvm)
}

fn create_vm(kvm: &Kvm) -> Result<VmFd, VmError> {
    let vm = undisturbed(|| kvm.create_vm()).map_err(VmError::ioctl("KVM_CREATE_VM"))?;
    let fd = raise(&vm)?;
    // SAFETY: the descriptor is a duplicate of the VM's, owned by nobody else; the first one is closed here.
    let vm = unsafe { kvm.create_vmfd_from_rawfd(fd.into_raw_fd()) }.map_err(VmError::ioctl("KVM_CREATE_VM"))?;
    // VMX without unrestricted guests wants these pages; elsewhere the call is harmless or unknown.
    let _ = vm.set_identity_map_address(VMX_IDENTITY_MAP);
    let _ = vm.set_tss_address(VMX_TSS);
    Ok(vm)
}

/// A vCPU's descriptor alone: kvm-ioctls would map its page behind a number that is not to stay.
fn create_vcpu(vm: &VmFd, id: u64) -> Result<OwnedFd, kvm_ioctls::Error> {
    const KVM_CREATE_VCPU: libc::c_ulong = 0xae41;
    // SAFETY: the call takes a number and returns a descriptor.
    let fd = unsafe { libc::ioctl(vm.as_raw_fd(), KVM_CREATE_VCPU, id) };
    if fd < 0 {
        return Err(kvm_ioctls::Error::last());
    }
    // SAFETY: the kernel just returned it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// KVM returns the lowest free descriptors, of which the guest may have none left.
fn with_room<T>(act: impl FnOnce() -> Result<T, VmError>) -> Result<T, VmError> {
    with_soft_limit_up(act).map_err(|source| VmError::Ioctl { call: "setrlimit", source })?
}

/// Does it again when a signal that only stopped and continued this process, or was caught for the guest, ended it.
fn undisturbed<T>(mut ioctl: impl FnMut() -> Result<T, kvm_ioctls::Error>) -> Result<T, kvm_ioctls::Error> {
    loop {
        match ioctl() {
            Err(error) if error.errno() == libc::EINTR => {}
            result => return result,
        }
    }
}

/// Closes descriptors that no object owns any more.
fn close_all(fds: &[RawFd]) {
    for &fd in fds {
        // SAFETY: the caller has forgotten what owned it.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
    }
}

/// A duplicate above the guest's descriptors.
fn raise(fd: &impl AsRawFd) -> Result<OwnedFd, VmError> {
    crate::sys::duplicate_above_guest(fd.as_raw_fd())
        .map_err(|source| VmError::Ioctl { call: "F_DUPFD_CLOEXEC", source })
}

/// Makes the guest's TSC the host's. A KVM without the attribute gives no vDSO, so failure is no error here.
fn zero_tsc_offset(fd: &VcpuFd) -> bool {
    // kvm-ioctls has KVM_SET_DEVICE_ATTR of vCPUs for other architectures only.
    const KVM_SET_DEVICE_ATTR: libc::c_ulong = 0x4018_aee1;
    let zero = 0u64;
    let attr = kvm_bindings::kvm_device_attr {
        group: kvm_bindings::KVM_VCPU_TSC_CTRL,
        attr: u64::from(kvm_bindings::KVM_VCPU_TSC_OFFSET),
        addr: (&raw const zero).addr() as u64,
        flags: 0,
    };
    // SAFETY: the kernel reads `attr` and, through it, `zero`; both outlive the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), KVM_SET_DEVICE_ATTR, &raw const attr) };
    result == 0
}
