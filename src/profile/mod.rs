//! Profiles of guest programs: `kvm-se record` and `kvm-se report`.
//!
//! | module | what |
//! |---|---|
//! | `recorder` | a process of its own, which samples all threads of a run through the board (`proc::sampling`) |
//! | `frequency` | how often that is, unless the user says |
//! | `unwind` | call stacks from registers and stack memory |
//! | `module` | the ELF files that code comes from |
//! | `samples` | what was recorded: addresses |
//! | `symbols` | what addresses are called; after the run |
//! | [`memory`] | how memory was used |
//! | [`model`] | the profile that all formats are made of: names |
//! | [`mod@format`] | one file for each format |
//! | [`report`] | what `kvm-se report` prints |
//! | [`stat`] | `kvm-se stat`, and timelines |

pub mod format;
mod frequency;
mod jit;
pub mod memory;
pub mod model;
mod module;
pub(crate) mod recorder;
pub mod report;
mod samples;
pub mod stat;
mod symbols;
mod unwind;

pub use format::Format;
pub use frequency::usual_frequency;
pub use memory::Memory;
pub use model::Profile;
pub use recorder::{Options, Recorder, Recording};
