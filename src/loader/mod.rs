//! From a program file to an address space that is ready to run.

pub mod eh_frame;
pub mod elf;
pub mod exec;
pub mod functions;
pub mod layout;
pub mod script;
pub mod stack;
mod vdso;
