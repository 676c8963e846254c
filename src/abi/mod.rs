//! Facts of Linux on x86-64 that need no host: addresses, error numbers, flags, wire structures.

pub mod addr;
pub mod auxv;
pub mod clone;
pub mod errno;
pub mod mman;

pub use addr::{PAGE_SIZE, PageRange, TASK_SIZE, UserAddr, UserPtr};
pub use errno::Errno;
