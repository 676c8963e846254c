//! Segment and gate descriptors (Intel SDM volume 3, sections 3.4.5, 6.14 and 7.2).
//!
//! The GDT is laid out as Linux lays it out, so that a program that reads its selectors sees what it would natively,
//! but without 32-bit user code: with it, a compatibility-mode `syscall` ran user code at CPL 0 on SVM.

/// Selector of kernel code.
pub const KERNEL_CS: u16 = 0x10;
/// Selector of kernel data.
pub const KERNEL_DS: u16 = 0x18;
/// Selector of user data and stack, with RPL 3.
pub const USER_DS: u16 = 0x2b;
/// Selector of 64-bit user code, with RPL 3.
pub const USER_CS: u16 = 0x33;
/// Selector of the task state segment.
pub const TSS: u16 = 0x40;
/// What `sysretq` adds 8 and 16 to: the place of the 32-bit user code segment.
pub const SYSRET_BASE: u16 = 0x23;

/// Entries of the GDT.
pub const GDT_ENTRIES: usize = 10;
/// Limit of the GDT.
pub const GDT_LIMIT: u16 = 8 * 10 - 1;
/// Limit of a 64-bit TSS without an I/O bitmap: every port is refused at CPL 3.
pub const TSS_LIMIT: u16 = 0x67;

const CODE_64: u64 = 0x00af_9b00_0000_ffff;
const DATA: u64 = 0x00cf_9300_0000_ffff;
const DPL_3: u64 = 3 << 45;

/// The GDT, for a TSS at `tss` (GVA).
pub const fn gdt(tss: u64) -> [u64; GDT_ENTRIES] {
    let mut gdt = [0; GDT_ENTRIES];
    gdt[index(KERNEL_CS)] = CODE_64;
    gdt[index(KERNEL_DS)] = DATA;
    gdt[index(USER_DS)] = DATA | DPL_3;
    gdt[index(USER_CS)] = CODE_64 | DPL_3;
    let [low, high] = tss_descriptor(tss);
    gdt[index(TSS)] = low;
    gdt[index(TSS) + 1] = high;
    gdt
}

const fn index(selector: u16) -> usize {
    (selector >> 3) as usize
}

/// Present, available-or-busy 64-bit TSS; the busy bit is set because no `ltr` ever runs.
const fn tss_descriptor(base: u64) -> [u64; 2] {
    let low = TSS_LIMIT as u64 | (base & 0xff_ffff) << 16 | 0x8b << 40 | (base >> 24 & 0xff) << 56;
    [low, base >> 32]
}

/// A 64-bit TSS whose ring-0 stack starts at `rsp0` (GVA).
pub fn tss(rsp0: u64) -> [u8; TSS_LIMIT as usize + 1] {
    let mut tss = [0; TSS_LIMIT as usize + 1];
    tss[4..12].copy_from_slice(&rsp0.to_le_bytes());
    tss[0x66..0x68].copy_from_slice(&(TSS_LIMIT + 1).to_le_bytes());
    tss
}

/// An interrupt gate to `handler` (GVA) in kernel code.
pub const fn interrupt_gate(handler: u64, dpl: u64) -> [u64; 2] {
    let low = handler & 0xffff | (KERNEL_CS as u64) << 16 | (0x8e | dpl << 5) << 40 | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_match_the_manual() {
        let gdt = gdt(0xffff_ffff_8012_3400);
        assert_eq!(gdt[5], 0x00cf_f300_0000_ffff);
        assert_eq!(gdt[6], 0x00af_fb00_0000_ffff);
        assert_eq!(gdt[4], 0, "no 32-bit user code");
        assert_eq!(gdt[8], 0x8000_8b12_3400_0067);
        assert_eq!(gdt[9], 0xffff_ffff);
        assert_eq!(interrupt_gate(0x1122_3344_5566_7788, 3), [0x5566_ee00_0010_7788, 0x1122_3344]);
    }
}
