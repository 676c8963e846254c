//! The floor: a KVM loop that does nothing but let the guest go on.
//!
//! A VM as small as one can be, user code at CPL 3, and for each exit the least that brings it back. It shares no code
//! with kvm-se's own loop, so it shows what that adds.

#![expect(unsafe_code, reason = "hands memory to KVM")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot measure has nothing else to do")]

use std::arch::global_asm;
use std::time::Instant;

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, Msrs, kvm_msr_entry, kvm_segment, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, SyncReg, VcpuExit, VcpuFd, VmFd};
use kvm_se::x86::descriptor::{
    GDT_LIMIT, KERNEL_CS, SYSRET_BASE, TSS, TSS_LIMIT, USER_CS, USER_DS, gdt, interrupt_gate, tss,
};
use nix::sys::resource::UsageWho;

use crate::run::{Sample, cpu_ms};

const WARM_UP: u32 = 100;
const ROUNDS: u32 = 4_000;
const MEMORY: usize = 1 << 20;
/// Page-aligned places in guest memory, identity-mapped.
const GDT: u64 = 0x1000;
const TSS_PAGE: u64 = 0x2000;
const IDT: u64 = 0x3000;
const STACK_END: u64 = 0x5000;
const STUBS: u64 = 0x6000;
const CODE: u64 = 0x7000;
const LANDING: u64 = 0x9000;
const PML4: u64 = 0x10000;
/// The trap flag.
const TRAP: u64 = 1 << 8;
/// A page that is never mapped.
const ABSENT: u64 = 0x8000;
/// A page with no memory behind it: a store there is an exit.
const NOWHERE: u64 = 0x10_0000;

global_asm!(
    ".pushsection .rodata",
    ".globl floor_stubs",
    "floor_stubs:",
    "    out %al, $0x10", // LSTAR, ring-0 landing
    "    sysretq",
    ".balign 16",
    "    out %al, $0x11", // #PF
    "    add $8, %rsp",
    "    iretq",
    ".balign 16",
    ".globl floor_code",
    "floor_code:",
    "1:  syscall",
    "    jmp 1b",
    ".balign 16",
    "    mov 0x8000, %rax",
    "2:  mov 0x8000, %rax",
    "    jmp 2b",
    ".globl floor_step",
    "floor_step:",
    "    nop",
    ".globl floor_landing",
    "floor_landing:",
    "    movb %al, 0x100000", // LSTAR, either landing
    ".globl floor_sysret",
    "floor_sysret:",
    "    sysretq",
    ".globl floor_end",
    "floor_end:",
    ".popsection",
    options(att_syntax)
);

unsafe extern "C" {
    static floor_stubs: u8;
    static floor_code: u8;
    static floor_step: u8;
    static floor_landing: u8;
    static floor_sysret: u8;
    static floor_end: u8;
}

/// Nanoseconds for one `syscall` and back, in the cheaper of two ways.
pub(crate) fn syscall_round_trip() -> Sample {
    let (one, other) = (by_port(), by_store());
    if one.cpu < other.cpu { one } else { other }
}

/// A stub of ring 0 leaves by `out`; where `syscall` lands in ring 3, a page fault leads there.
fn by_port() -> Sample {
    let mut floor = Floor::new(0, STUBS);
    floor.time(|vcpu, way_out| {
        let sync = vcpu.sync_regs_mut();
        sync.regs.rax = 0;
        sync.regs.rip = sync.regs.rcx;
        // Landed in ring 0: `sysretq` follows; else the fault stub left ring 0 to us.
        if way_out == WayOut::Port(0x10) {
            sync.regs.rip = STUBS + 2;
            vcpu.set_sync_dirty_reg(SyncReg::Register);
        } else {
            leave_ring_0(vcpu);
        }
    })
}

/// A page that both rings may run leaves by a store: no fault on the way there, and nothing but registers back.
fn by_store() -> Sample {
    let mut floor = Floor::new(0, LANDING);
    let sysret = LANDING + code().sysret;
    floor.time(|vcpu, _| {
        let sync = vcpu.sync_regs_mut();
        sync.regs.rax = 0;
        (sync.regs.rip, sync.regs.rflags) =
            if sync.sregs.cs.dpl == 0 { (sysret, sync.regs.rflags) } else { (sync.regs.rcx, sync.regs.r11) };
        vcpu.set_sync_dirty_reg(SyncReg::Register);
    })
}

/// Nanoseconds for one page fault and back, nothing mapped: the guest faults again at once.
pub(crate) fn page_fault_round_trip() -> Sample {
    let mut floor = Floor::new(16, STUBS);
    floor.time(|vcpu, _| {
        vcpu.sync_regs_mut().regs.rip = CODE + 16;
        leave_ring_0(vcpu);
    })
}

/// Nanoseconds for one instruction that traps, and back.
pub(crate) fn step_round_trip() -> Sample {
    let entry = code().step;
    let mut floor = Floor::new(entry, STUBS);
    floor.time(|vcpu, _| {
        vcpu.sync_regs_mut().regs.rip = CODE + entry;
        leave_ring_0(vcpu);
        vcpu.sync_regs_mut().regs.rflags |= TRAP;
    })
}

fn leave_ring_0(vcpu: &mut VcpuFd) {
    let sync = vcpu.sync_regs_mut();
    sync.regs.rsp = 0;
    sync.regs.rflags = 2;
    sync.sregs.cs = segment(USER_CS, 11, 1);
    sync.sregs.ss = segment(USER_DS, 3, 0);
    vcpu.set_sync_dirty_reg(SyncReg::Register);
    vcpu.set_sync_dirty_reg(SyncReg::SystemRegister);
}

/// How the guest was left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayOut {
    Port(u16),
    Store,
}

struct Floor {
    vcpu: VcpuFd,
    _vm: VmFd,
    _memory: Vec<u64>,
}

impl Floor {
    /// A VM that starts at `entry` in the code, and whose `syscall` leads to `lstar`.
    fn new(entry: u64, lstar: u64) -> Self {
        let kvm = Kvm::new().expect("/dev/kvm");
        let vm = kvm.create_vm().expect("KVM_CREATE_VM");
        let memory = guest_memory();
        let at = memory.as_ptr().addr().next_multiple_of(4096);
        let region =
            kvm_userspace_memory_region { memory_size: MEMORY as u64, userspace_addr: at as u64, ..Default::default() };
        // SAFETY: the memory lives as long as the VM, and nothing else uses it from here on.
        unsafe { vm.set_user_memory_region(region) }.expect("memslot");
        let mut vcpu = vm.create_vcpu(0).expect("KVM_CREATE_VCPU");
        let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).expect("cpuid");
        vcpu.set_cpuid2(&cpuid).expect("KVM_SET_CPUID2");
        set_up(&mut vcpu, entry, lstar);
        Self { vcpu, _vm: vm, _memory: memory }
    }

    fn time(&mut self, mut resume: impl FnMut(&mut VcpuFd, WayOut)) -> Sample {
        self.go_on(WARM_UP, &mut resume);
        let (started, cpu) = (Instant::now(), cpu_ms(UsageWho::RUSAGE_THREAD));
        self.go_on(ROUNDS, &mut resume);
        let each = |milliseconds: f64| milliseconds * 1e6 / f64::from(ROUNDS);
        Sample { wall: each(started.elapsed().as_secs_f64() * 1e3), cpu: each(cpu_ms(UsageWho::RUSAGE_THREAD) - cpu) }
    }

    fn go_on(&mut self, rounds: u32, resume: &mut impl FnMut(&mut VcpuFd, WayOut)) {
        for _ in 0..rounds {
            let way_out = match self.vcpu.run().expect("KVM_RUN") {
                VcpuExit::IoOut(port, _) => WayOut::Port(port),
                VcpuExit::MmioWrite(NOWHERE, _) => WayOut::Store,
                other => panic!("unexpected exit {other:?}"),
            };
            resume(&mut self.vcpu, way_out);
        }
    }
}

/// A megabyte with tables, code and descriptors in place.
fn guest_memory() -> Vec<u64> {
    let mut memory = vec![0u64; (MEMORY + 4096) / 8];
    let skip = (memory.as_ptr().addr().next_multiple_of(4096) - memory.as_ptr().addr()) / 8;
    let mut put = |at: u64, words: &[u64]| {
        let at = skip + usize::try_from(at).expect("small") / 8;
        memory[at..at + words.len()].copy_from_slice(words);
    };
    put(GDT, &gdt(TSS_PAGE));
    put(TSS_PAGE, &words(&tss(STACK_END)));
    for vector in 0..32 {
        put(IDT + 16 * vector, &interrupt_gate(STUBS + 16, 0));
    }
    let code = code();
    put(STUBS, &words(code.stubs));
    put(CODE, &words(code.user));
    put(LANDING, &words(code.landing));
    put(PML4, &[PML4 + 0x1007]);
    put(PML4 + 0x1000, &[PML4 + 0x2007]);
    put(PML4 + 0x2000, &[PML4 + 0x3007]);
    for page in (0..=NOWHERE).step_by(4096).filter(|&page| page != ABSENT) {
        let user = if [CODE, LANDING, NOWHERE].contains(&page) { 4 } else { 0 };
        put(PML4 + 0x3000 + page / 512, &[page | 0x63 | user]);
    }
    memory
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        })
        .collect()
}

struct Code {
    stubs: &'static [u8],
    user: &'static [u8],
    landing: &'static [u8],
    /// Where in `user` the instruction is that is stepped.
    step: u64,
    /// Where in `landing` the guest goes on, if it landed in ring 0.
    sysret: u64,
}

fn code() -> Code {
    let (stubs, user, landing, end) =
        (&raw const floor_stubs, &raw const floor_code, &raw const floor_landing, &raw const floor_end);
    let until = |start: *const u8, end: *const u8| end.addr() - start.addr();
    // SAFETY: the labels delimit one read-only section of this executable.
    unsafe {
        Code {
            stubs: std::slice::from_raw_parts(stubs, until(stubs, user)),
            user: std::slice::from_raw_parts(user, until(user, landing)),
            landing: std::slice::from_raw_parts(landing, until(landing, end)),
            step: until(user, &raw const floor_step) as u64,
            sysret: until(landing, &raw const floor_sysret) as u64,
        }
    }
}

fn segment(selector: u16, type_: u8, l: u8) -> kvm_segment {
    kvm_segment { selector, type_, l, db: 1 - l, limit: u32::MAX, present: 1, dpl: 3, s: 1, g: 1, ..Default::default() }
}

fn set_up(vcpu: &mut VcpuFd, entry: u64, lstar: u64) {
    let mut sregs = vcpu.get_sregs().expect("KVM_GET_SREGS");
    sregs.cs = segment(USER_CS, 11, 1);
    sregs.ss = segment(USER_DS, 3, 0);
    (sregs.ds, sregs.es) = (sregs.ss, sregs.ss);
    (sregs.gdt.base, sregs.gdt.limit) = (GDT, GDT_LIMIT);
    (sregs.idt.base, sregs.idt.limit) = (IDT, 32 * 16 - 1);
    sregs.tr = kvm_segment {
        selector: TSS,
        base: TSS_PAGE,
        limit: TSS_LIMIT.into(),
        type_: 11,
        present: 1,
        ..Default::default()
    };
    (sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer) = (0x8001_0033, PML4, 0x620, 0xd01);
    vcpu.set_sregs(&sregs).expect("KVM_SET_SREGS");
    let msr = |index, data| kvm_msr_entry { index, data, ..Default::default() };
    let star = u64::from(SYSRET_BASE) << 48 | u64::from(KERNEL_CS) << 32;
    let msrs = Msrs::from_entries(&[msr(0xc000_0081, star), msr(0xc000_0082, lstar), msr(0xc000_0084, 0x200)]);
    assert_eq!(vcpu.set_msrs(&msrs.expect("three")).expect("KVM_SET_MSRS"), 3);
    vcpu.set_sync_valid_reg(SyncReg::Register);
    vcpu.set_sync_valid_reg(SyncReg::SystemRegister);
    let sync = vcpu.sync_regs_mut();
    sync.sregs = sregs;
    sync.regs.rip = CODE + entry;
    sync.regs.rflags = 2;
    vcpu.set_sync_dirty_reg(SyncReg::Register);
}
