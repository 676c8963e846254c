//! Up to the instruction at which a run stops: at full speed while the processor counts, and then by steps.

use std::sync::atomic::Ordering;

use super::{Traced, Tracing};
use crate::proc::Task;
use crate::sys::capture::{self, OVERFLOW_SIGNAL};
use crate::sys::perf::OverflowCounter;
use crate::vm::retired::{ExactCounter, Ran, Retiring, advance, counted};
use crate::vm::{Trap, VmError};

/// A thread that is the only one of its process.
struct Alone<'a> {
    task: &'a mut Task,
    counter: ExactCounter,
    tracing: &'a Tracing,
    traced: &'a mut Traced,
}

impl Task {
    pub(super) fn run_to_count(
        &mut self,
        counter: ExactCounter,
        tracing: &Tracing,
        traced: &mut Traced,
    ) -> Result<Trap, VmError> {
        let ran = advance(&mut Alone { task: self, counter, tracing, traced }, tracing.to_skip())?;
        Ok(ran.stop.unwrap_or(Trap::Kicked))
    }
}

impl Retiring for Alone<'_> {
    type Error = VmError;

    fn run_about(&mut self, instructions: u64) -> Result<Ran, VmError> {
        let traced = &mut *self.traced;
        // It is another state that the next step begins with.
        (traced.known, traced.open) = (None, None);
        let overflow = match &mut traced.overflow {
            Some(overflow) => overflow,
            none => none.insert(OverflowCounter::open(OVERFLOW_SIGNAL).map_err(VmError::Counter)?),
        };
        self.task.vcpu.take_single_step();
        let (trap, count) = counted(overflow, instructions, || self.task.run_freely()).map_err(VmError::Counter)?;
        let trap = trap?;
        let retired = self.counter.retired(count, &trap);
        let left = self.tracing.to_skip().saturating_sub(retired);
        self.tracing.to_skip.store(left, Ordering::Relaxed);
        // The counter's own signal needs nobody.
        let is_counter = trap == Trap::Kicked && !capture::needs_attention();
        Ok(Ran { retired, stop: (!is_counter).then_some(trap) })
    }

    fn step(&mut self) -> Result<Ran, VmError> {
        let before = self.tracing.to_skip();
        let stop = self.task.step_traced(self.tracing, self.traced, None)?;
        Ok(Ran { retired: before - self.tracing.to_skip(), stop })
    }
}
