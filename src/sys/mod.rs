//! Safe wrappers for host calls that nix lacks.

pub mod call;
pub mod capture;
pub mod clone;
pub mod copy;
pub mod descriptor;
mod environ;
pub mod exec;
pub mod map;
pub mod perf;
pub mod signal;
pub mod thread;
pub mod vdso;

pub use descriptor::duplicate_above_guest;
pub use environ::{environment, random_bytes, random_words};
pub use map::discard;
pub use signal::{install_handler, tgkill};

/// The effective capabilities of this thread (capget(2)), one bit each.
pub fn effective_capabilities() -> u64 {
    call::effective_capabilities()
}

/// An entry of the runner's own auxiliary vector, 0 if there is none.
pub fn auxval(key: u64) -> u64 {
    call::auxval(key)
}
