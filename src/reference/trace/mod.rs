//! Instruction traces as others read them: one stream of records, and a file for each format that is made of it.

pub mod binary;
mod champsim;
mod gem5;
mod native_trace;
pub mod receiver;
mod tenet;
mod text;
mod threads;

use std::io::{self, Write};

pub use receiver::Receiver;

use crate::proc::trace::record::Record;

/// Makes a format of records.
pub trait Sink {
    /// The next record.
    ///
    /// # Errors
    /// Those of writing.
    fn record(&mut self, record: &Record) -> io::Result<()>;

    /// There are no more.
    ///
    /// # Errors
    /// Those of writing.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// What a trace is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line an instruction.
    Text,
    /// The records, compressed.
    Binary,
    /// ChampSim's.
    ChampSim,
    /// Tenet's.
    Tenet,
    /// gem5's instruction trace.
    Gem5,
}

/// All formats and their names.
const FORMATS: [(&str, Format); 5] = [
    ("text", Format::Text),
    ("binary", Format::Binary),
    ("champsim", Format::ChampSim),
    ("tenet", Format::Tenet),
    ("gem5", Format::Gem5),
];

impl Format {
    /// The names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|(name, _)| *name)
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(other, _)| *other == name).map(|(_, format)| *format)
    }

    /// Can a person read it?
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Tenet)
    }

    /// Writes it to `to`.
    ///
    /// # Errors
    /// Those of writing.
    pub fn sink(self, to: Box<dyn Write>) -> io::Result<Box<dyn Sink>> {
        Ok(match self {
            Self::Text => Box::new(text::Text::begin(to)?),
            Self::Binary => Box::new(binary::Binary::begin(to)?),
            Self::ChampSim => Box::new(champsim::ChampSim::new(to)),
            Self::Tenet => Box::new(tenet::Tenet::new(to)),
            Self::Gem5 => Box::new(gem5::Gem5::begin(to)?),
        })
    }
}

/// Sends registers to gem5 by `to`, as its native trace wants them.
pub fn native_trace(to: Box<dyn Write>) -> Box<dyn Sink> {
    Box::new(native_trace::NativeTrace::new(to))
}
