//! Runs as a reference for others.

pub mod compare;
