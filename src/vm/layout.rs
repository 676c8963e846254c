//! Guest-physical and kernel-half addresses.
//!
//! | GPA | what |
//! |---|---|
//! | 0 to 1 GiB | system memory: stubs, IDT, a page a vCPU, page tables; grows from the bottom |
//! | 4 GiB and up | chunks of the arena, dealt out as they are first used |
//!
//! | GVA | what |
//! |---|---|
//! | 0 to 0x7fff_ffff_f000 | the guest's |
//! | 0xffff_ffff_8000_0000 | system memory pages that ring 0 needs, supervisor only |

/// Most bytes of system memory; room for a quarter of a million tables.
pub const SYSTEM_LEN: usize = 1 << 30;
/// Bytes by which system memory grows: one memslot.
pub const SYSTEM_STEP: usize = 16 << 20;
/// First GPA of arena chunks.
pub const ARENA_GPA: u64 = 4 << 30;
/// Where ring 0 sees system memory (GVA of GPA 0).
pub const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;
/// Three pages that KVM on VMX needs for itself (`KVM_SET_TSS_ADDR`), between the two.
pub const VMX_TSS: usize = 0xfffb_d000;
/// One page that KVM on VMX needs for itself (`KVM_SET_IDENTITY_MAP_ADDR`).
pub const VMX_IDENTITY_MAP: u64 = 0xfffb_c000;

const _: () = assert!(SYSTEM_LEN as u64 <= VMX_IDENTITY_MAP && (VMX_TSS as u64) < ARENA_GPA);
