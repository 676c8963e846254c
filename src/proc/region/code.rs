//! Regions that begin or end in code: where that is, and what happens there.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Change, Point, Region};
use crate::abi::mman::Prot;
use crate::abi::{PageRange, UserAddr};
use crate::loader::functions;
use crate::mm::vma::Backing;
use crate::proc::breakpoint::{Breakpoints, Stop};
use crate::proc::{Process, Task};
use crate::vm::{Trap, VmError};

/// The ends of a region in the code of one memory.
#[derive(Debug, Default)]
pub struct Ends {
    pub(in crate::proc) breakpoints: Breakpoints,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By address (GVA): does the region begin there, does it end there?
    at: BTreeMap<u64, (bool, bool)>,
    /// The call that is the region.
    call: Option<Call>,
}

/// A call that has not returned: by whom, where to, and the stack pointer when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    tid: i32,
    rip: u64,
    rsp: u64,
}

impl Ends {
    /// For `region`, if one of its ends is in code.
    pub fn of(region: &Region) -> Option<Self> {
        region.span().any(Point::is_in_code).then(Self::default)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others from changing it while what it returns lives.
    pub(in crate::proc) fn hold(&self) -> impl Sized + '_ {
        (self.lock(), self.breakpoints.hold())
    }
}

impl Process {
    /// Code was mapped: `range`, of `file` from `offset` on. The region may begin or end there.
    pub fn stop_in_code(&self, range: PageRange, file: BorrowedFd<'_>, offset: u64) {
        let (Some(ends), Some(region)) = (&self.ends, &self.settings.region) else { return };
        let span = region.span();
        let Ok(copy) = file.try_clone_to_owned() else { return };
        let file = File::from(copy);
        for (point, is_from) in [(&span.from, true), (&span.to, false)] {
            let places = match point {
                Point::Function(name, _) => functions::offsets(&file, name),
                Point::Address(addr, _) => vec![addr.wrapping_sub(range.start()).wrapping_add(offset)],
                _ => Vec::new(),
            };
            for place in places {
                let addr = place.wrapping_sub(offset).wrapping_add(range.start());
                if place >= offset && (range.start()..range.end()).contains(&addr) {
                    self.stop_at(ends, addr, is_from);
                }
            }
        }
    }

    fn stop_at(&self, ends: &Ends, addr: u64, is_from: bool) {
        match ends.breakpoints.set(&self.mm, addr) {
            Ok(()) => {
                let mut state = ends.lock();
                let end = state.at.entry(addr).or_default();
                *end = (end.0 | is_from, end.1 | !is_from);
                tracing::debug!(addr = format_args!("{addr:#x}"), is_from, "an end of the region");
            }
            Err(errno) => self.settings.say(format_args!("cannot stop at {addr:#x}: {errno}")),
        }
    }

    /// The same, for all code that is there when a program starts.
    pub fn stop_in_program(&self) {
        if self.ends.is_none() {
            return;
        }
        for (range, vma) in self.mm.vmas().into_iter().filter(|(_, vma)| vma.prot.contains(Prot::EXEC)) {
            let Backing::File { offset, .. } = &vma.backing else { continue };
            if let Some(found) = self.file_mapped_at(range, &vma) {
                use std::os::fd::AsFd;
                self.stop_in_code(range, found.as_fd(), *offset);
            }
        }
    }
}

impl Task {
    /// Runs user code where a region begins or ends in it.
    #[cold]
    pub(in crate::proc) fn run_in_region(&mut self, ends: &Ends) -> Result<Trap, VmError> {
        match self.run_to_breakpoint(&ends.breakpoints)? {
            Stop::Trap(trap) => Ok(trap),
            Stop::Breakpoint(addr) => {
                self.reached = Some(addr);
                Ok(Trap::Kicked)
            }
        }
    }

    /// After [`Trap::Kicked`]: if it came of a breakpoint, the region may begin or end there.
    pub fn pass_code(&mut self) {
        let Some(addr) = self.reached.take() else { return };
        let (Some(ends), Some(region)) = (&self.process.ends, &self.process.settings.region) else { return };
        let mut state = ends.lock();
        let here = Call { tid: self.tid().as_raw(), rip: addr, rsp: self.vcpu.regs().rsp };
        let has_returned = state.call == Some(here);
        let (is_from, is_to) = state.at.get(&addr).copied().unwrap_or_default();
        let is_it = |point: &Point| match point {
            Point::Return => has_returned,
            point if std::ptr::eq(point, &raw const region.span().from) => is_from,
            _ => is_to,
        };
        let change = region.pass(|point| point.is_in_code() && is_it(point));
        if has_returned {
            state.call = None;
            if !state.at.contains_key(&addr) {
                ends.breakpoints.clear(&self.process.mm, addr);
            }
        }
        if change == Some(Change::Begin) && region.span().to == Point::Return {
            state.call = self.stop_at_return(ends);
        }
        drop(state);
        change.into_iter().for_each(|change| self.announce(change));
    }

    /// Has the thread, which is at the first instruction of a function, stop when that returns.
    fn stop_at_return(&self, ends: &Ends) -> Option<Call> {
        let rsp = self.vcpu.regs().rsp;
        let mut rip = [0; 8];
        let read = self.process.mm.copy_in(UserAddr::new(rsp), &mut rip);
        let rip = u64::from_ne_bytes(rip);
        match read.and_then(|()| ends.breakpoints.set(&self.process.mm, rip)) {
            Ok(()) => Some(Call { tid: self.tid().as_raw(), rip, rsp: rsp.wrapping_add(8) }),
            Err(errno) => {
                self.process.settings.say(format_args!("cannot stop where the call returns to, {rip:#x}: {errno}"));
                None
            }
        }
    }
}
