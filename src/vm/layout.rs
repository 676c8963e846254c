//! Guest-physical and kernel-half addresses.
//!
//! | GPA | what |
//! |---|---|
//! | 0 to 1 GiB | system memory: stubs, IDT, pages of each vCPU, page tables; grows from the bottom |
//! | 2 GiB | no memory: the doorbell |
//! | 3 GiB | for a moment, a page that nothing maps (`Memslots::forget_translations`) |
//! | 4 GiB and up | chunks of the arena, dealt out as they are first used |
//!
//! | GVA | what |
//! |---|---|
//! | 0 to 0x7fff_ffff_f000 | the guest's; on a ring-3 landing pads from 0x7fff_ff00_0000 on, trampolines and the doorbell |
//! | 0xffff_ffff_8000_0000 | system memory pages that ring 0 needs, supervisor only |
//! | 0xffff_ffff_c000_0000 | pads of a ring-0 landing, supervisor only |

use crate::abi::{PAGE_SIZE, TASK_SIZE};
use crate::x86::paging::PDE_SPAN;

/// Most bytes of system memory; room for a quarter of a million tables.
pub const SYSTEM_LEN: usize = 1 << 30;
/// Bytes by which system memory grows: one memslot.
pub const SYSTEM_STEP: usize = 16 << 20;
/// First GPA of arena chunks.
pub const ARENA_GPA: u64 = 4 << 30;
/// Where ring 0 sees system memory (GVA of GPA 0).
pub const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;
/// Pads of a ring-0 landing (GVA).
pub const KERNEL_PADS: u64 = 0xffff_ffff_c000_0000;
/// Pads of a ring-3 landing (GVA), from here to [`TASK_SIZE`]: the guest may map nothing there. They share no page table
/// with what it maps, for that is edited at the same time.
pub const USER_PADS: u64 = 0x7fff_ff00_0000;
/// A page that code in ring 3 stores to when it wants the runner (GVA): the last one of the guest's half.
pub const DOORBELL: u64 = TASK_SIZE - PAGE_SIZE;
/// What it is mapped to (GPA): nothing, so that a store is an exit.
pub const DOORBELL_GPA: u64 = 2 << 30;
/// A page that no entry points to (GPA).
pub const UNUSED_GPA: u64 = 3 << 30;
/// Trampolines of a ring-3 landing (GVA), behind the last pad.
pub const TRAMPOLINES: u64 = DOORBELL - PAGE_SIZE;
/// Three pages that KVM on VMX needs for itself (`KVM_SET_TSS_ADDR`), between the two.
pub const VMX_TSS: usize = 0xfffb_d000;
/// One page that KVM on VMX needs for itself (`KVM_SET_IDENTITY_MAP_ADDR`).
pub const VMX_IDENTITY_MAP: u64 = 0xfffb_c000;

const _: () = assert!(USER_PADS.is_multiple_of(PDE_SPAN) && USER_PADS < TASK_SIZE);
const _: () = assert!(SYSTEM_LEN as u64 <= DOORBELL_GPA && DOORBELL_GPA < VMX_IDENTITY_MAP);
const _: () = assert!(DOORBELL_GPA + PAGE_SIZE <= UNUSED_GPA && UNUSED_GPA + PAGE_SIZE <= VMX_IDENTITY_MAP);
const _: () = assert!(SYSTEM_LEN as u64 <= VMX_IDENTITY_MAP && (VMX_TSS as u64) < ARENA_GPA);
