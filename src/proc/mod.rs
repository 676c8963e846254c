//! Processes and threads of the guest, each of which is one of the host's.

pub mod fork;
pub mod handover;
mod inherited;
pub mod limits;
mod missing;
mod process;
mod settings;
mod signals;
mod task;

pub use handover::Handover;
pub use inherited::Inherited;
pub use limits::HardLimits;
pub use missing::Missing;
pub use process::{Process, RunLoop};
pub use settings::Settings;
pub use signals::{BadFrame, ThreadSignals};
pub use task::{RobustList, Task};

/// How the guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By exit(2), with the low eight bits of its argument.
    Code(u8),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    /// The status that a parent sees of `exit(status)`.
    pub fn code(status: i32) -> Self {
        let [low, ..] = status.to_le_bytes();
        Self::Code(low)
    }
}
