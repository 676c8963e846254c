//! The virtual machine: the only layer that knows KVM.

pub mod doctor;
pub mod door;
mod dump;
pub mod kick;
pub mod landing;
pub mod layout;
pub mod machine;
pub mod memslots;
pub mod platform;
mod pool;
mod remedy;
pub mod retired;
pub mod startup;
pub mod stubs;
pub mod system;
mod trampoline;
pub mod trap;
pub mod vcpu;

pub use door::Door;
pub use landing::{Clocks, Ids, Masks, Posted};
pub use machine::Machine;
pub use platform::Platform;
pub use trampoline::Site;
pub use trap::{BadExit, Trap};
pub use vcpu::{Vcpu, VcpuState};

use std::io;

/// Why the virtual machine could not be made or driven: the host's fault, never the guest's.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// /dev/kvm could not be opened.
    #[error("cannot open /dev/kvm: {}", plain(.0))]
    Open(io::Error),
    /// The kernel speaks another version of the interface.
    #[error("/dev/kvm speaks API version {0}, 12 is needed")]
    ApiVersion(i32),
    /// A capability is missing.
    #[error("this kernel's KVM lacks {0}")]
    Capability(&'static str),
    /// An ioctl failed.
    #[error("{call} failed: {}", plain(.source))]
    Ioctl {
        /// Name of the ioctl.
        call: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Memory for the runner's own pages could not be had.
    #[error("cannot reserve {len} bytes of address space for {what}: {}", plain(.source))]
    Reserve {
        /// What it was for.
        what: &'static str,
        /// Bytes.
        len: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The VM has no room for more guest memory, page tables or vCPUs.
    #[error("the virtual machine has no room for more {0}")]
    Full(&'static str),
    /// The start-up probe saw a `syscall` go where it should not.
    #[error("this KVM cannot run user code: {0}")]
    Unusable(String),
    /// A run went past the instruction at which it was to stop.
    #[error(transparent)]
    Overshot(#[from] retired::Overshot),
    /// A counter of the processor failed in the middle of a run.
    #[error("the processor's counter failed: {}", plain(.0))]
    Counter(io::Error),
}

/// The system's words for an error without Rust's "(os error 13)".
fn plain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

impl VmError {
    /// What the user can do about it, in one line.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Open(error) => Some(remedy::of_open(error)),
            Self::ApiVersion(..0) => Some("it is not the KVM device: see ls -l /dev/kvm".to_owned()),
            Self::ApiVersion(_) | Self::Capability(_) => Some("Linux 5.13 or newer on x86-64 is needed".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn ioctl(call: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> Self {
        move |error| Self::Ioctl { call, source: io::Error::from_raw_os_error(error.errno()) }
    }
}
