//! Processes and threads of the guest, each of which is one of the host's.

pub mod aio;
mod answerers;
pub mod clone;
pub mod counting;
pub mod exit;
pub mod exitless;
pub mod fork;
pub mod handover;
mod inherited;
pub mod limits;
mod missing;
mod patch;
mod process;
mod robust_list;
pub mod sampling;
mod settings;
mod shared_memory;
mod signals;
pub mod stop;
mod task;
mod threads;
pub mod view;

pub use answerers::Answerers;
pub use exit::{End, ExitStatus};
pub use handover::Handover;
pub use inherited::Inherited;
pub use limits::{HardLimits, HardLimitsGuard};
pub use missing::Missing;
pub use process::{Process, RunLoop};
pub use robust_list::RobustList;
pub use sampling::Sampling;
pub use settings::Settings;
pub use signals::{BadFrame, ThreadSignals};
pub use task::Task;
pub use threads::Threads;
