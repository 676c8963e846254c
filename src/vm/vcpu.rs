//! A vCPU: user registers in, a [`Trap`] out.
//!
//! Whatever ring an exit comes from, [`Vcpu::regs`] afterwards holds the *user's* complete state, and whatever is
//! changed there is what the user finds when [`Vcpu::run`] goes on. How the state gets back differs:
//!
//! | left from | landing | goes back by |
//! |---|---|---|
//! | CPL 3 (kick, bus error) | both | registers as they are |
//! | pad | ring 3 | registers as they are |
//! | system call stub | ring 0 | `sysretq` if rcx and r11 allow, else the `iret` stub |
//! | exception stub | ring 0 | the `iret` stub |
//! | exception stub, also for system calls | ring 3 | cs and ss written from the host |

#![expect(unsafe_code, reason = "a pointer to immediate_exit for the kick handler; KVM_SET_XSAVE")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kvm_bindings::{Msrs, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs, kvm_xsave};
use kvm_ioctls::{SyncReg, VcpuExit, VcpuFd};

use super::door::Door;
use super::kick::Attachment;
use super::landing::{Clocks, Ids, Landing, Masks, OnPad, Pad};
use super::layout::{DOORBELL, DOORBELL_GPA, KERNEL_BASE};
use super::stubs::{self, StubAddrs};
use super::system::SystemMemory;
use super::{BadExit, Trap, VmError};
use crate::abi::PAGE_SIZE;
use crate::x86::descriptor::{GDT_LIMIT, TSS, TSS_LIMIT, USER_CS, USER_DS};
use crate::x86::xstate::XsaveImage;
use crate::x86::{PageFaultCode, RFlags, UserRegs, Vector};

/// The page that each vCPU has in system memory.
pub(super) mod page {
    /// Offset of the GDT.
    pub(crate) const GDT: u64 = 0;
    /// Offset of the TSS.
    pub(crate) const TSS: u64 = 0x100;
    /// One past the stack, which grows down towards the TSS.
    pub(crate) const STACK_END: u64 = 0x1000;
    /// Bytes of an iret frame.
    pub(crate) const FRAME: u64 = 40;
}

/// What of the machine a vCPU needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct VcpuSetup {
    pub stubs: StubAddrs,
    pub idt: u64,
    pub root: u64,
    pub cr4: u64,
    pub pages: VcpuPages,
}

/// What a vCPU has in system memory. Another one that takes its place takes it over.
#[derive(Clone, Copy, Debug)]
pub(super) struct VcpuPages {
    /// GPA of the page of tables and stack.
    pub tables: u64,
    /// Where calls are answered inside the guest, if they are.
    pub pad: Option<Pad>,
}

const MSR_LSTAR: u32 = 0xc000_0082;
const MSR_SFMASK: u32 = 0xc000_0084;
/// Has KVM offer CPUID faulting, and turns it on (MSR_PLATFORM_INFO, MSR_MISC_FEATURES_ENABLES).
pub(super) const CPUID_FAULTING: [(u32, u64); 2] = [(0xce, 1 << 31), (0x140, 1)];

/// How the state in `regs` is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    /// The vCPU is at CPL 3.
    User,
    /// The vCPU is behind the `out` of the system call stub.
    Syscall,
    /// The vCPU is in an exception stub.
    Exception,
    /// Nothing ran since the state was loaded.
    Loaded,
}

/// A vCPU and the user state in it. Driven by one host thread at a time.
#[derive(Debug)]
pub struct Vcpu {
    // Dropped before the fd that owns the page it points into.
    attachment: Option<Attachment>,
    fd: VcpuFd,
    setup: VcpuSetup,
    landing: Landing,
    regs: UserRegs,
    resume: Resume,
    /// Open while it is in guest mode, for a thread that answers its calls.
    door: Option<Arc<Door>>,
    /// Does each exit say which exception is under way?
    syncs_events: bool,
    /// The call for whose answer it waited when it was kicked.
    awaited: Option<u64>,
}

/// The complete state of user code, to be loaded into another vCPU.
#[derive(Debug)]
pub struct VcpuState {
    regs: UserRegs,
    /// ds, es, fs, gs.
    segments: [kvm_segment; 4],
    /// All of it: components that need more than this are not enabled.
    xsave: kvm_xsave,
}

impl Vcpu {
    pub(super) fn new(fd: VcpuFd, setup: VcpuSetup) -> Result<Self, VmError> {
        let mut vcpu = Self {
            attachment: None,
            fd,
            setup,
            landing: Landing::Ring0,
            regs: UserRegs::default(),
            resume: Resume::User,
            door: None,
            syncs_events: false,
            awaited: None,
        };
        vcpu.load_special_registers()?;
        vcpu.fd.set_sync_valid_reg(SyncReg::Register);
        Ok(vcpu)
    }

    /// The user's registers.
    pub fn regs(&self) -> &UserRegs {
        &self.regs
    }

    /// The user's registers, to be changed.
    pub fn regs_mut(&mut self) -> &mut UserRegs {
        &mut self.regs
    }

    /// The number of the call for whose answer by another thread user code waited at the last kick, if it did.
    pub fn awaited(&self) -> Option<u64> {
        self.awaited
    }

    /// The landing that this vCPU was told of.
    pub fn landing(&self) -> Landing {
        self.landing
    }

    /// Kicks of the calling thread reach this vCPU from now on.
    pub fn attach(&mut self) {
        let flag = &raw mut self.fd.get_kvm_run().immediate_exit;
        // An older attachment of this same vCPU must not end the new one.
        self.attachment = None;
        // SAFETY: the page belongs to `fd`, which is dropped after the attachment.
        self.attachment = Some(unsafe { Attachment::new(flag) });
    }

    /// Kicks of the thread that attached it no longer reach this vCPU.
    pub(super) fn detach(&mut self) {
        self.attachment = None;
    }

    /// The state after an exit.
    pub fn state(&mut self) -> Result<VcpuState, VmError> {
        let sregs = self.special_registers()?;
        let xsave = self.fd.get_xsave().map_err(VmError::ioctl("KVM_GET_XSAVE"))?;
        Ok(VcpuState { regs: self.regs, segments: [sregs.ds, sregs.es, sregs.fs, sregs.gs], xsave })
    }

    /// Goes on from `state`, whatever the vCPU was doing.
    pub(super) fn load_state(&mut self, state: &VcpuState) -> Result<(), VmError> {
        // The user changes segments alone, so the rest of the copy holds, however old it is.
        let mut sregs = self.fd.sync_regs_mut().sregs;
        [sregs.ds, sregs.es, sregs.fs, sregs.gs] = state.segments;
        self.put_special_registers(sregs);
        // SAFETY: XCR0 has no component whose image would reach beyond the structure: `x86::xstate` leaves them out.
        unsafe { self.fd.set_xsave(&state.xsave) }.map_err(VmError::ioctl("KVM_SET_XSAVE"))?;
        self.start(state.regs);
        Ok(())
    }

    /// Tells the vCPU where `syscall` lands, which decides how it reads and loads state.
    pub(super) fn set_landing(&mut self, landing: Landing) {
        self.landing = landing;
        if landing == Landing::Ring3 {
            self.fd.set_sync_valid_reg(SyncReg::SystemRegister);
        }
    }

    /// Answers calls on `pad` from now on.
    pub(super) fn land_on(&mut self, pad: Pad) -> Result<(), VmError> {
        self.set_msrs(&[(MSR_LSTAR, pad.entry()), (MSR_SFMASK, pad.flag_mask())])?;
        self.setup.pages.pad = Some(pad);
        Ok(())
    }

    /// The door to its pad, for a thread that answers its calls from now on; `None` where an exit costs less.
    pub fn make_door(&mut self) -> Option<Arc<Door>> {
        let pad = self.setup.pages.pad.filter(|_| self.landing == Landing::Ring3)?;
        Some(self.door.insert(Arc::new(Door::new(pad))).clone())
    }

    /// No other thread answers its calls from now on.
    pub fn remove_door(&mut self, system: &SystemMemory) {
        if let Some(door) = self.door.take() {
            door.set_patience(0, system);
        }
    }

    /// Does its pad give longer answers, too: can it tell the time, and change masks of signals?
    pub fn answers_at_length(&self) -> bool {
        self.landing == Landing::Ring3 && self.setup.pages.pad.is_some()
    }

    /// Has its pad, if there is one, ask these functions for the time.
    pub fn set_clocks(&self, clocks: Clocks, system: &SystemMemory) {
        if let Some(pad) = self.setup.pages.pad {
            pad.set_clocks(clocks, system);
        }
    }

    /// Has its pad, if there is one, answer rt_sigprocmask(2) from these masks, or not at all.
    pub fn set_masks(&self, masks: Option<Masks>, system: &SystemMemory) {
        if let Some(pad) = self.setup.pages.pad {
            pad.set_masks(masks, system);
        }
    }

    /// What the program has had its pad block, if it can.
    pub fn mask(&self, system: &SystemMemory) -> Option<u64> {
        self.setup.pages.pad.map(|pad| pad.mask(system))
    }

    /// Where calls by a jump arrive on its pad (GVA).
    pub(super) fn jump_target(&self) -> Option<u64> {
        self.setup.pages.pad?.jump_target()
    }

    /// What calls that are answered inside the guest return from now on.
    pub(super) fn tell(&self, ids: Ids, system: &SystemMemory) {
        if let Some(pad) = self.setup.pages.pad {
            pad.tell(ids, system);
        }
    }

    /// User and group ids are no longer answered inside the guest.
    pub(super) fn forget_user_ids(&self, system: &SystemMemory) {
        if let Some(pad) = self.setup.pages.pad {
            pad.forget_user_ids(system);
        }
    }

    /// Runs user code until something needs the runner.
    pub fn run(&mut self, system: &SystemMemory) -> Result<Trap, VmError> {
        loop {
            if let Some(trap) = self.load(system) {
                return Ok(trap);
            }
            if let Some(door) = &self.door {
                door.open();
            }
            let result = self.fd.run();
            if let Some(door) = &self.door {
                door.shut();
            }
            let exit = match result {
                Ok(VcpuExit::IoOut(port, _)) => Exit::Port(port),
                Ok(VcpuExit::MmioWrite(at, _)) if at.wrapping_sub(DOORBELL_GPA) < PAGE_SIZE => Exit::Store(at),
                Ok(VcpuExit::MmioRead(at, _)) if at.wrapping_sub(DOORBELL_GPA) < PAGE_SIZE => Exit::Load(at),
                Ok(VcpuExit::MemoryFault { .. }) => Exit::NoPage,
                Ok(VcpuExit::Intr) => Exit::Kicked,
                Ok(other) => Exit::Other(detail_of(&other)),
                Err(error) => match error.errno() {
                    libc::EINTR => Exit::Kicked,
                    libc::EAGAIN => continue,
                    libc::EFAULT | libc::EHWPOISON => Exit::NoPage,
                    _ => return Err(VmError::ioctl("KVM_RUN")(error)),
                },
            };
            self.fd.set_kvm_immediate_exit(0);
            let trap = match exit {
                Exit::Port(port) => self.on_port(port, system),
                Exit::Store(at) => self.on_doorbell(at, PageFaultCode::WRITE, system),
                Exit::Load(at) => {
                    self.finish_load();
                    self.on_doorbell(at, PageFaultCode::empty(), system)
                }
                Exit::Kicked => match self.on_kick(system) {
                    Some(trap) => trap,
                    None => continue,
                },
                Exit::NoPage => self.on_no_page(system),
                Exit::Other(detail) => self.bad(detail),
            };
            return Ok(trap);
        }
    }

    fn on_port(&mut self, port: u16, system: &SystemMemory) -> Trap {
        match port {
            stubs::PORT_SYSCALL => self.on_syscall_stub(),
            stubs::PORT_PAGE_FAULT => match self.read_frame(system, 2) {
                Some([cr2, code, ..]) => self.on_page_fault(cr2, code),
                None => self.bad(port.into()),
            },
            stubs::PORT_REFUSED => {
                self.on_syscall_stub();
                Trap::Exception { vector: Vector::GP, code: 0 }
            }
            _ => match stubs::vector_of_port(port) {
                Some(vector) => self.on_exception(vector, system),
                None => self.bad(port.into()),
            },
        }
    }

    /// A call that came by the pad. Other code that finds the doorbell finds nothing there.
    fn on_doorbell(&mut self, at: u64, access: PageFaultCode, system: &SystemMemory) -> Trap {
        self.regs = user_regs(&self.fd.sync_regs_mut().regs);
        self.resume = Resume::User;
        match self.leave_pad(system) {
            Some(OnPad::Call) => Trap::Syscall,
            // Another thread's answer came when this one was no longer waiting.
            Some(OnPad::Answered) => Trap::Kicked,
            None => Trap::PageFault { addr: DOORBELL + at % PAGE_SIZE, code: PageFaultCode::USER | access },
        }
    }

    /// Lets KVM put the value into its register, which it does before anything else.
    fn finish_load(&mut self) {
        self.fd.set_kvm_immediate_exit(1);
        // It is interrupted at once; what the register gets does not matter.
        let _ = self.fd.run();
        self.fd.set_kvm_immediate_exit(0);
    }

    fn on_syscall_stub(&mut self) -> Trap {
        self.regs = user_regs(&self.fd.sync_regs_mut().regs);
        self.enter_syscall();
        self.resume = Resume::Syscall;
        Trap::Syscall
    }

    /// `syscall` has put the way back into rcx and r11.
    fn enter_syscall(&mut self) {
        self.regs.rip = self.regs.rcx;
        self.regs.rflags = RFlags::sanitised(self.regs.r11);
    }

    fn on_exception(&mut self, vector: Vector, system: &SystemMemory) -> Trap {
        let words = usize::from(vector.has_error_code());
        let Some(head) = self.read_frame(system, words) else { return self.bad(vector.0.into()) };
        let code = if words == 1 { head[0] } else { 0 };
        if self.leave_pad(system) == Some(OnPad::Call) {
            if vector == Vector::DB {
                // Of a step onto the pad, which the call that follows makes unseen.
                self.take_single_step();
            }
            return Trap::Syscall;
        }
        if is_software(vector) {
            self.forget_last_exception();
        }
        if vector != Vector::PF {
            return Trap::Exception { vector, code };
        }
        let cr2 = self.cr2();
        self.on_page_fault(cr2, code)
    }

    fn on_page_fault(&mut self, addr: u64, code: u64) -> Trap {
        let lstar = self.setup.stubs.syscall;
        if self.landing == Landing::Ring3 && addr == lstar && self.regs.rip == lstar {
            self.enter_syscall();
            return Trap::Syscall;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the error code has 32 bits")]
        Trap::PageFault { addr, code: PageFaultCode::from_bits_truncate(code as u32) }
    }

    /// If the vCPU stopped on its pad, takes the user's state from there.
    fn leave_pad(&mut self, system: &SystemMemory) -> Option<OnPad> {
        let on_pad = self.setup.pages.pad?.leave(&mut self.regs, system)?;
        // A software KVM lands in ring 0, too, when rsp is not canonical.
        let is_in_ring_0 = match self.landing {
            Landing::Ring0 => true,
            Landing::Ring3 => self.fd.sync_regs_mut().sregs.cs.selector & 3 == 0,
        };
        if is_in_ring_0 {
            self.resume = Resume::Exception;
        }
        Some(on_pad)
    }

    fn on_kick(&mut self, system: &SystemMemory) -> Option<Trap> {
        let rip = self.fd.sync_regs_mut().regs.rip;
        if self.resume == Resume::Loaded && self.setup.stubs.contains(rip) {
            if rip == self.setup.stubs.iret || rip == self.setup.stubs.sysret {
                // Nothing of the user's ran: what was loaded is still what there is. The vCPU is in ring 0, though.
                self.resume = Resume::Exception;
                return Some(Trap::Kicked);
            }
            // On the way out already: the trap comes first.
            return None;
        }
        if self.has_exception() {
            // It belongs to the instruction at rip, not to what rip may become.
            return None;
        }
        self.regs = user_regs(&self.fd.sync_regs_mut().regs);
        self.resume = Resume::User;
        self.awaited = self.setup.pages.pad.and_then(|pad| pad.awaited(rip, system));
        Some(if self.leave_pad(system) == Some(OnPad::Call) { Trap::Syscall } else { Trap::Kicked })
    }

    /// Has KVM begun to deliver an exception to the user code at rip?
    ///
    /// Of those that `int` makes it says the number alone (`kvm_vcpu_ioctl_x86_get_vcpu_events` in
    /// `arch/x86/kvm/x86.c`), though a software KVM has rip behind the instruction already.
    fn has_exception(&mut self) -> bool {
        let events = if self.syncs_events { Ok(self.fd.sync_regs_mut().events) } else { self.fd.get_vcpu_events() };
        events.is_ok_and(|events| {
            let exception = events.exception;
            exception.injected != 0 || exception.pending != 0 || is_software(Vector(exception.nr))
        })
    }

    /// So that [`Self::has_exception`] does not find one that was delivered.
    fn forget_last_exception(&mut self) {
        let events = self.fd.get_vcpu_events().map(|mut events| {
            events.exception.nr = 0;
            events
        });
        // If it is found, a kick waits for the exit after it.
        let _ = events.and_then(|events| self.fd.set_vcpu_events(&events));
    }

    /// It will be kicked often: makes kicks cheaper, and other exits dearer by a few nanoseconds.
    pub fn expect_kicks(&mut self) {
        self.fd.set_sync_valid_reg(SyncReg::VcpuEvents);
        self.syncs_events = true;
    }

    fn on_no_page(&mut self, system: &SystemMemory) -> Trap {
        let regs = self.fd.sync_regs_mut().regs;
        if self.setup.stubs.contains(regs.rip) {
            return self.bad(libc::EFAULT.unsigned_abs().into());
        }
        self.regs = user_regs(&regs);
        self.resume = Resume::User;
        match self.leave_pad(system) {
            // The host finds out for itself that there is no page.
            Some(OnPad::Call) => Trap::Syscall,
            Some(OnPad::Answered) => Trap::Kicked,
            None => Trap::BusError,
        }
    }

    fn bad(&mut self, detail: u64) -> Trap {
        let run = self.fd.get_kvm_run();
        let reason = run.exit_reason;
        let rip = self.fd.sync_regs_mut().regs.rip;
        Trap::Bad(BadExit { reason, detail, rip })
    }

    /// Takes the user's state from the stack of an exception stub, which holds `words` words (at most 2) below the
    /// frame that the CPU pushes; those are returned. `None` if the exception came from ring 0.
    fn read_frame(&mut self, system: &SystemMemory, words: usize) -> Option<[u64; 2]> {
        let mut regs = user_regs(&self.fd.sync_regs_mut().regs);
        let head_len = 8 * words as u64;
        let stack = KERNEL_BASE + self.setup.pages.tables + page::STACK_END;
        if regs.rsp.checked_add(head_len + page::FRAME) != Some(stack) {
            return None;
        }
        let at = |offset: u64| system.word(regs.rsp - KERNEL_BASE + offset).load(Ordering::Relaxed);
        let head = [at(0), at(8)];
        let (rip, cs, rflags, rsp) = (at(head_len), at(head_len + 8), at(head_len + 16), at(head_len + 24));
        if cs & 3 != 3 {
            return None;
        }
        (regs.rip, regs.rflags, regs.rsp) = (rip, rflags, rsp);
        self.regs = regs;
        self.resume = Resume::Exception;
        Some(head)
    }

    fn cr2(&mut self) -> u64 {
        match self.landing {
            Landing::Ring3 => self.fd.sync_regs_mut().sregs.cr2,
            Landing::Ring0 => self.fd.get_sregs().map_or(0, |sregs| sregs.cr2),
        }
    }

    /// Puts `regs` where the next KVM_RUN finds them. A trap comes back at once if the CPU could not run them.
    fn load(&mut self, system: &SystemMemory) -> Option<Trap> {
        if self.resume == Resume::Loaded {
            return None;
        }
        if self.regs.rip >= 1 << 47 {
            return Some(Trap::Exception { vector: Vector::GP, code: 0 });
        }
        self.regs.rflags = RFlags::sanitised(self.regs.rflags);
        let mut regs = kvm_regs_of(&self.regs);
        match (self.resume, self.landing) {
            (Resume::User, _) | (Resume::Loaded, _) => {}
            (_, Landing::Ring3) => self.leave_ring_0(),
            (Resume::Syscall, Landing::Ring0) if self.regs.rcx == self.regs.rip && self.r11_is_rflags() => {
                regs.rip = self.setup.stubs.sysret;
            }
            (Resume::Syscall | Resume::Exception, Landing::Ring0) => {
                regs.rip = self.setup.stubs.iret;
                regs.rsp = self.write_frame(system);
                regs.rflags = RFlags::FIXED.bits();
            }
        }
        self.fd.sync_regs_mut().regs = regs;
        self.fd.set_sync_dirty_reg(SyncReg::Register);
        self.resume = Resume::Loaded;
        None
    }

    /// `sysretq` puts r11 into rflags. It clears RF though, and with TF it traps before the first instruction (see
    /// `do_syscall_64` in `arch/x86/entry/syscall_64.c`).
    fn r11_is_rflags(&self) -> bool {
        const NOT_BY_SYSRET: RFlags = RFlags::TF.union(RFlags::RF);
        RFlags::sanitised(self.regs.r11) == self.regs.rflags && self.regs.rflags & NOT_BY_SYSRET.bits() == 0
    }

    fn leave_ring_0(&mut self) {
        let sregs = &mut self.fd.sync_regs_mut().sregs;
        sregs.cs = user_code();
        sregs.ss = user_data();
        self.fd.set_sync_dirty_reg(SyncReg::SystemRegister);
    }

    /// An iret frame at the end of the vCPU's stack; returns its address (GVA).
    fn write_frame(&self, system: &SystemMemory) -> u64 {
        let frame = self.setup.pages.tables + page::STACK_END - page::FRAME;
        let regs = &self.regs;
        let words = [regs.rip, USER_CS.into(), regs.rflags, regs.rsp, USER_DS.into()];
        for (word, offset) in words.into_iter().zip((0..).step_by(8)) {
            system.word(frame + offset).store(word, Ordering::Relaxed);
        }
        KERNEL_BASE + frame
    }

    /// Bases of FS and GS.
    pub fn segment_bases(&mut self) -> Result<(u64, u64), VmError> {
        let sregs = self.special_registers()?;
        Ok((sregs.fs.base, sregs.gs.base))
    }

    /// Sets the bases of FS and GS, which must be user addresses.
    pub fn set_segment_bases(&mut self, fs: u64, gs: u64) -> Result<(), VmError> {
        const MSR_FS_BASE: u32 = 0xc000_0100;
        const MSR_GS_BASE: u32 = 0xc000_0101;
        let is_current = self.has_special_registers();
        // Also where the copy is not what counts: it would be written back over the registers.
        let sregs = &mut self.fd.sync_regs_mut().sregs;
        (sregs.fs.base, sregs.gs.base) = (fs, gs);
        if is_current {
            self.fd.set_sync_dirty_reg(SyncReg::SystemRegister);
            return Ok(());
        }
        self.set_msrs(&[(MSR_FS_BASE, fs), (MSR_GS_BASE, gs)])
    }

    /// The user's x87, SSE and AVX state.
    pub fn extended_state(&self) -> Result<XsaveImage, VmError> {
        let state = self.fd.get_xsave().map_err(VmError::ioctl("KVM_GET_XSAVE"))?;
        Ok(zerocopy::transmute!(state.region))
    }

    /// Sets the user's x87, SSE and AVX state; fails for an image that the CPU would not take.
    pub fn set_extended_state(&mut self, image: XsaveImage) -> Result<(), VmError> {
        let state = kvm_xsave { region: zerocopy::transmute!(image), ..Default::default() };
        // SAFETY: the kernel reads 4096 bytes and no more, for no component that needs permission is enabled (AMX).
        unsafe { self.fd.set_xsave(&state) }.map_err(VmError::ioctl("KVM_SET_XSAVE"))
    }

    /// Did single-stepping bring the last debug exception about? Forgets it.
    pub fn take_single_step(&mut self) -> bool {
        const BS: u64 = 1 << 14;
        const NOTHING: u64 = 0xffff_0ff0;
        let Ok(mut debug) = self.fd.get_debug_regs() else { return false };
        let is_step = debug.dr6 & BS != 0;
        debug.dr6 = NOTHING;
        // If it cannot be forgotten, the next `int1` is taken for a step.
        let _ = self.fd.set_debug_regs(&debug);
        is_step
    }

    pub(super) fn set_msrs(&mut self, values: &[(u32, u64)]) -> Result<(), VmError> {
        let entries: Vec<kvm_msr_entry> =
            values.iter().map(|&(index, data)| kvm_msr_entry { index, data, ..Default::default() }).collect();
        let msrs = Msrs::from_entries(&entries).map_err(|_| VmError::Full("model-specific registers"))?;
        let written = self.fd.set_msrs(&msrs).map_err(VmError::ioctl("KVM_SET_MSRS"))?;
        if written == entries.len() { Ok(()) } else { Err(VmError::Capability("a model-specific register it needs")) }
    }

    /// Makes `rdtsc` and `cpuid` exceptions of user code, as far as this KVM can. To be called before anything runs.
    pub(super) fn trap_telling(&mut self) -> Result<(), VmError> {
        const TSD: u64 = 1 << 2;
        self.setup.cr4 |= TSD;
        self.load_special_registers()?;
        // Where KVM does not offer it, the instruction stays what it is.
        let _ = self.set_msrs(&CPUID_FAULTING);
        Ok(())
    }

    /// Everything that a kernel would set up at boot. KVM gets it when the vCPU first runs.
    fn load_special_registers(&mut self) -> Result<(), VmError> {
        const CR0: u64 = 0x8005_0033; // PG AM WP NE ET MP PE
        const EFER: u64 = 0xd01; // NXE LMA LME SCE
        let mut sregs = self.fd.get_sregs().map_err(VmError::ioctl("KVM_GET_SREGS"))?;
        (sregs.ds, sregs.es, sregs.fs, sregs.gs) = (null_data(), null_data(), null_data(), null_data());
        let page = KERNEL_BASE + self.setup.pages.tables;
        sregs.gdt.base = page + page::GDT;
        sregs.gdt.limit = GDT_LIMIT;
        sregs.idt.base = self.setup.idt;
        sregs.idt.limit = 32 * 16 - 1;
        sregs.tr = task_state(page + page::TSS);
        sregs.ldt = kvm_segment { unusable: 1, ..Default::default() };
        (sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer) = (CR0, self.setup.root, self.setup.cr4, EFER);
        self.put_special_registers(sregs);
        self.load_syscall_msrs()
    }

    /// Puts them, with user mode, where the next KVM_RUN finds them.
    fn put_special_registers(&mut self, sregs: kvm_sregs) {
        self.fd.sync_regs_mut().sregs = kvm_sregs { cs: user_code(), ss: user_data(), ..sregs };
        self.fd.set_sync_dirty_reg(SyncReg::SystemRegister);
    }

    /// Is the copy that is shared with KVM what the vCPU has, or will have?
    fn has_special_registers(&mut self) -> bool {
        let sregs_bit = SyncReg::SystemRegister as u64;
        self.landing == Landing::Ring3 || self.fd.get_kvm_run().kvm_dirty_regs & sregs_bit != 0
    }

    fn special_registers(&mut self) -> Result<kvm_sregs, VmError> {
        if self.has_special_registers() {
            return Ok(self.fd.sync_regs_mut().sregs);
        }
        self.fd.get_sregs().map_err(VmError::ioctl("KVM_GET_SREGS"))
    }

    fn load_syscall_msrs(&mut self) -> Result<(), VmError> {
        use crate::x86::descriptor::{KERNEL_CS, SYSRET_BASE};
        const MSR_STAR: u32 = 0xc000_0081;
        const MSR_CSTAR: u32 = 0xc000_0083;
        let star = u64::from(SYSRET_BASE) << 48 | u64::from(KERNEL_CS) << 32;
        let (entry, flag_mask) = match self.setup.pages.pad {
            Some(pad) => (pad.entry(), pad.flag_mask()),
            None => (self.setup.stubs.syscall, RFlags::SYSCALL_MASK.bits()),
        };
        self.set_msrs(&[
            (MSR_STAR, star),
            (MSR_LSTAR, entry),
            (MSR_CSTAR, self.setup.stubs.refuse),
            (MSR_SFMASK, flag_mask),
        ])
    }

    /// KVM's own view, for the probe.
    pub(super) fn fd(&mut self) -> &mut VcpuFd {
        &mut self.fd
    }

    /// Starts over at `rip` in user mode, whatever the vCPU was doing.
    pub(super) fn restart(&mut self, regs: UserRegs) -> Result<(), VmError> {
        let sregs = self.special_registers()?;
        self.put_special_registers(sregs);
        self.start(regs);
        Ok(())
    }

    fn start(&mut self, regs: UserRegs) {
        self.regs = regs;
        self.resume = Resume::User;
    }

    /// What this vCPU has in system memory.
    pub(super) fn pages(&self) -> VcpuPages {
        self.setup.pages
    }
}

/// An exit of KVM_RUN, free of borrows.
enum Exit {
    Port(u16),
    Store(u64),
    Load(u64),
    Kicked,
    NoPage,
    Other(u64),
}

/// The one number that says most about an unexpected exit.
fn detail_of(exit: &VcpuExit<'_>) -> u64 {
    match exit {
        VcpuExit::MmioRead(addr, _) | VcpuExit::MmioWrite(addr, _) => *addr,
        VcpuExit::FailEntry(reason, _) => *reason,
        VcpuExit::IoIn(port, _) => (*port).into(),
        _ => 0,
    }
}

fn user_code() -> kvm_segment {
    kvm_segment { selector: USER_CS, type_: 11, l: 1, ..flat(3) }
}

fn user_data() -> kvm_segment {
    kvm_segment { selector: USER_DS, type_: 3, db: 1, ..flat(3) }
}

/// A usable segment behind a null selector, as Linux programs find in ds, es, fs and gs.
fn null_data() -> kvm_segment {
    kvm_segment { selector: 0, type_: 3, db: 1, ..flat(3) }
}

fn flat(dpl: u8) -> kvm_segment {
    kvm_segment { limit: u32::MAX, present: 1, dpl, s: 1, g: 1, ..Default::default() }
}

fn task_state(base: u64) -> kvm_segment {
    kvm_segment { selector: TSS, base, limit: TSS_LIMIT.into(), type_: 11, present: 1, ..Default::default() }
}

macro_rules! same_fields {
    ($from:expr, $to:ident { $($field:ident)* }) => { $to { $($field: $from.$field),* } };
}

fn user_regs(regs: &kvm_regs) -> UserRegs {
    same_fields!(regs, UserRegs { rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags })
}

/// Exceptions of `int3` and `into`.
fn is_software(vector: Vector) -> bool {
    [Vector::BP, Vector::OF].contains(&vector)
}

fn kvm_regs_of(regs: &UserRegs) -> kvm_regs {
    same_fields!(regs, kvm_regs { rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags })
}
