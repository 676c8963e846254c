//! kvm-se runs an unmodified Linux x86-64 program as the only thing inside a KVM virtual machine.
//!
//! There is no guest kernel: user code runs natively at CPL 3, and each `syscall` and each page fault that the page
//! tables do not cover leaves the guest and is answered on the host. ARCHITECTURE.md walks through one run.

pub mod abi;
pub mod error;
pub mod loader;
pub mod mm;
pub mod proc;
pub mod profile;
pub mod reference;
pub mod runner;
pub mod signal;
pub mod sys;
pub mod syscall;
pub mod vm;
pub mod x86;

pub use error::Error;
