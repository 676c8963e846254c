//! Runs as a reference for others.

pub mod compare;
pub mod gdb;
pub mod state;
pub mod trace;
