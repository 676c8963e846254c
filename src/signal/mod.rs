//! Signals: which one an exception of user code is, what each does, which are blocked.

pub mod action;
pub mod alt_stack;
pub mod exception;
pub mod extended;
pub mod frame;
pub mod held;
pub mod mask;
