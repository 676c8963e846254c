//! Facts of the x86-64 CPU that need no KVM: registers, descriptors, page tables, extended state.

pub mod code;
pub mod descriptor;
pub mod effects;
pub mod exception;
pub mod load;
pub mod model;
pub mod operand;
pub mod paging;
pub mod regs;
pub mod state;
pub mod sweep;
pub mod telling;
pub mod tsc;
pub mod xstate;

pub use exception::{PageFaultCode, Vector};
pub use model::CpuModel;
pub use regs::{RFlags, UserRegs};
