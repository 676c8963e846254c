//! What was recorded, as addresses: small enough to be kept until the run is over.

use std::collections::HashMap;
use std::hash::Hash;

use super::module::Module;
use crate::proc::sampling::Cause;

/// A frame as the unwinder found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Frame {
    /// Code of a module, by the address that the module's file gives it. A return address is one less than it was.
    Code {
        /// Index of the module.
        module: usize,
        /// Address as the file states it.
        address: u64,
    },
    /// Code that belongs to no file.
    Nameless {
        /// The process.
        pid: u32,
        /// GVA.
        address: u64,
    },
    /// What the runner did for the thread.
    Runner(Cause),
    /// The stack was longer than what a sample holds.
    Truncated,
}

/// Values that are told apart by a number each.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    numbers: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of `value`.
    pub(super) fn number(&mut self, value: &T) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.numbers.insert(value.clone(), number);
        number
    }

    /// All values, by number.
    pub(super) fn into_values(self) -> Vec<T> {
        self.values
    }

    /// All values, by number.
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }
}

/// A call stack: the number of its caller's, and the number of its innermost frame.
pub(super) type Stack = (Option<u32>, u32);

/// One sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When (CLOCK_MONOTONIC, ns).
    pub(super) time: u64,
    /// Number of the stack.
    pub(super) stack: u32,
    /// What it stands for, in ns.
    pub(super) weight: u64,
}

/// A thread.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    /// Index of its process.
    pub(super) process: usize,
    pub(super) tid: u32,
    pub(super) name: Vec<u8>,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) samples: Vec<Sample>,
}

/// A process, from one execve(2) to the next.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// The path of its program.
    pub(super) name: Vec<u8>,
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

/// All that was recorded.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) modules: Vec<Module>,
    pub(super) frames: Numbered<Frame>,
    pub(super) stacks: Numbered<Stack>,
    pub(super) processes: Vec<Process>,
    pub(super) threads: Vec<Thread>,
}

impl Samples {
    /// The number of the stack with these frames, the outermost first.
    pub(super) fn stack(&mut self, frames: impl Iterator<Item = Frame>) -> Option<u32> {
        let mut stack = None;
        for frame in frames {
            let frame = self.frames.number(&frame);
            stack = Some(self.stacks.number(&(stack, frame)));
        }
        stack
    }
}
