//! The guest stubs: their bytes, entry points and ports.

#![expect(unsafe_code, reason = "reads the assembled stubs through linker symbols")]

use std::arch::global_asm;

use super::layout::KERNEL_BASE;
use crate::x86::Vector;
use crate::x86::exception::NR_VECTORS;

/// Exit of the ring-0 system call stub.
pub const PORT_SYSCALL: u16 = 0x10;
/// Exit of the page-fault stub that pushes cr2.
pub const PORT_PAGE_FAULT: u16 = 0x12;
/// Exit of the stub behind CSTAR.
pub const PORT_REFUSED: u16 = 0x13;
/// Exit of the stub of vector 0; the others follow.
pub const PORT_VECTOR: u16 = 0x20;

global_asm!(
    include_str!("../../guest-stubs/stubs.S"),
    PORT_SYSCALL = const PORT_SYSCALL,
    PORT_PAGE_FAULT = const PORT_PAGE_FAULT,
    PORT_REFUSED = const PORT_REFUSED,
    PORT_VECTOR = const PORT_VECTOR,
    options(att_syntax)
);

unsafe extern "C" {
    static kvm_se_stubs_start: u8;
    static kvm_se_stubs_end: u8;
    static kvm_se_stub_syscall: u8;
    static kvm_se_stub_sysret: u8;
    static kvm_se_stub_refuse: u8;
    static kvm_se_stub_page_fault: u8;
    static kvm_se_stub_iret: u8;
    static kvm_se_stub_vectors: u8;
}

/// Where the stubs are in the guest (GVA), given the GPA of their page.
#[derive(Clone, Copy, Debug)]
pub struct StubAddrs {
    base: u64,
    /// LSTAR of a ring-0 landing.
    pub syscall: u64,
    /// `sysretq`.
    pub sysret: u64,
    /// CSTAR.
    pub refuse: u64,
    /// Page faults, with cr2 pushed.
    pub page_fault: u64,
    /// `iretq`.
    pub iret: u64,
    vectors: u64,
}

impl StubAddrs {
    /// Addresses for stubs copied to `gpa` in system memory.
    pub fn new(gpa: u64) -> Self {
        let base = KERNEL_BASE + gpa;
        let start = &raw const kvm_se_stubs_start;
        let at = |label: *const u8| base + (label.addr() - start.addr()) as u64;
        Self {
            base,
            syscall: at(&raw const kvm_se_stub_syscall),
            sysret: at(&raw const kvm_se_stub_sysret),
            refuse: at(&raw const kvm_se_stub_refuse),
            page_fault: at(&raw const kvm_se_stub_page_fault),
            iret: at(&raw const kvm_se_stub_iret),
            vectors: at(&raw const kvm_se_stub_vectors),
        }
    }

    /// Handler of `vector`.
    pub fn vector(&self, vector: Vector) -> u64 {
        self.vectors + 16 * u64::from(vector.0)
    }

    /// Does ring 0 run stub code at `rip`?
    pub fn contains(&self, rip: u64) -> bool {
        (self.base..self.base + code().len() as u64).contains(&rip)
    }
}

/// The bytes of all stubs.
pub fn code() -> &'static [u8] {
    // SAFETY: both labels delimit one read-only section of this executable.
    unsafe { bytes_between(&raw const kvm_se_stubs_start, &raw const kvm_se_stubs_end) }
}

/// What was assembled between two labels.
///
/// # Safety
/// `start` and `end` must delimit bytes of one read-only section of this executable.
pub(super) unsafe fn bytes_between(start: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: as the caller promises, they are there for as long as it runs, and nobody writes them.
    unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// The vector whose stub leaves through `port`.
pub fn vector_of_port(port: u16) -> Option<Vector> {
    let number = u8::try_from(port.checked_sub(PORT_VECTOR)?).ok()?;
    (usize::from(number) < NR_VECTORS).then_some(Vector(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stubs_fit_a_page_and_start_with_the_syscall_exit() {
        let stubs = StubAddrs::new(0x1000);
        assert!(code().len() <= 4096);
        assert_eq!(stubs.syscall, KERNEL_BASE + 0x1000);
        assert_eq!(code()[..2], [0xe6, 0x10], "out %al, $0x10");
        assert_eq!(code()[2..5], [0x48, 0x0f, 0x07], "sysretq");
        let gp = usize::try_from(stubs.vector(Vector::GP) - stubs.syscall).unwrap();
        assert_eq!(code()[gp..gp + 2], [0xe6, 0x2d]);
        assert_eq!(vector_of_port(0x2d), Some(Vector::GP));
        assert_eq!(vector_of_port(0x40), None);
    }
}
