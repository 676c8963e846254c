//! Signals: which one an exception of user code is.

pub mod exception;
