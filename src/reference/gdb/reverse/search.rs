//! Where a run was before: each question is answered by another run from the start.

use super::child::{Child, State, Trip};
use super::{Front, Refusal};
use crate::proc::replay::{Move, Position};
use crate::signal::frame::Frame;

/// Most instructions that are stepped through for one that comes before another.
const MOST_STEPS: u64 = 2_000_000;
/// Place of rdx, rsp, rip and rflags among the registers that gdb's packet `g` has.
const RDX: usize = 3 * 8;
const RSP: usize = 7 * 8;
const RIP: usize = 16 * 8;
const RFLAGS: usize = 17 * 8;

/// Where gdb is told that the run is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// After a step back.
    Step(Position),
    /// At a breakpoint.
    Breakpoint(Position),
    /// Where this memory (the GVA) is about to be changed.
    Watchpoint(Position, u64),
    /// At the start: there is nothing before.
    Start,
}

impl Found {
    pub(super) fn position(&self) -> Position {
        match self {
            Self::Step(at) | Self::Breakpoint(at) | Self::Watchpoint(at, _) => at.clone(),
            Self::Start => Position::default(),
        }
    }

    /// gdb's packet for it, but for its beginning and the thread.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Step(_) => String::new(),
            Self::Breakpoint(_) => "swbreak:;".to_owned(),
            Self::Watchpoint(_, addr) => format!("watch:{addr:x};"),
            Self::Start => "replaylog:begin;".to_owned(),
        }
    }
}

/// Where the run is.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) at: Position,
    thread: u64,
    registers: Vec<u8>,
}

impl Here {
    fn word(&self, place: usize) -> u64 {
        self.registers.get(place..place + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// Has the thread just been brought to a handler, whose third argument is then the context in the frame?
    fn is_in_handler(&self) -> bool {
        const CONTEXT: u64 = std::mem::offset_of!(Frame, context) as u64;
        self.word(RDX) == self.word(RSP) + CONTEXT
    }
}

impl Front<'_> {
    /// Where the run is, if another run can go there.
    pub(super) fn here(&mut self) -> Result<Here, Refusal> {
        let state = self.child.state()?;
        if state.number("altered") != 0 {
            return Err(Refusal::Altered);
        }
        if state.number("processes") > 1 {
            return Err(Refusal::Children);
        }
        let at = state.position("position").ok_or(Refusal::Unknown)?;
        let thread = state.number("thread");
        let registers = registers(&mut self.child, thread)?;
        if let Some(packet) = &self.general {
            self.child.ask(packet)?;
        }
        Ok(Here { at, thread, registers })
    }

    /// The instruction before, of the thread if one is named.
    pub(super) fn step_back(&mut self, thread: Option<u64>) -> Result<Found, Refusal> {
        let here = self.here()?;
        let thread = thread.unwrap_or(here.thread);
        let mut before = here.at.clone();
        match before.moves.pop().filter(|_| thread == here.thread) {
            None => {
                if here.at.event == 0 {
                    return Ok(Found::Start);
                }
                self.call_before(thread).map(Found::Step)
            }
            Some(Move::Steps(count)) => {
                if count > 1 {
                    before.moves.push(Move::Steps(count - 1));
                }
                Ok(Found::Step(before))
            }
            Some(Move::Visit(..)) if matches!(before.moves.last(), Some(Move::Signal(_))) && here.is_in_handler() => {
                Ok(Found::Step(before))
            }
            Some(_) => self.find_before(&here, thread).map(Found::Step),
        }
    }

    /// Where the thread made its last call.
    fn call_before(&mut self, thread: u64) -> Result<Position, Refusal> {
        self.child.command(&format!("call {thread}"))?.parse().map_err(|_| Refusal::NoCall)
    }

    /// What was executed before the thread came here by running.
    fn find_before(&mut self, here: &Here, thread: u64) -> Result<Position, Refusal> {
        let rip = here.word(RIP);
        let before = self.child.command(&format!("before {rip} {}", here.word(RSP)))?;
        let trip = Trip {
            to: here.at.clone(),
            breaks: before.split_whitespace().filter_map(|word| word.parse().ok()).collect(),
            from: here.at.event,
            counted: Some(rip),
            watched: Vec::new(),
        };
        let state = self.run_again(&trip, here)?;
        let last = state.position("last");
        let arrivals = state.number("arrivals");
        if let Some(last) = last.clone()
            && arrivals == 1
            && state.next() == Some(rip)
        {
            return Ok(last);
        }
        if arrivals == 0 {
            // It has not moved since the event: a signal came.
            return self.call_before(thread);
        }
        let mut to = last.unwrap_or(Position { event: here.at.event, moves: Vec::new() });
        to.moves.push(Move::StepsTo(rip, arrivals, MOST_STEPS));
        let state = self.run_again(&Trip { to, ..Trip::default() }, here)?;
        let mut found = state.position("position").ok_or(Refusal::NoWay)?;
        match found.moves.pop() {
            Some(Move::Steps(1)) => {}
            Some(Move::Steps(count)) => found.moves.push(Move::Steps(count - 1)),
            _ => return Err(Refusal::NoWay),
        }
        Ok(found)
    }

    /// The last time that a breakpoint was met, or that watched memory was changed.
    pub(super) fn run_back(&mut self) -> Result<Found, Refusal> {
        let here = self.here()?;
        let points = self.points()?;
        if here.at == Position::default() || points.breaks.is_empty() && points.watched.is_empty() {
            return Ok(Found::Start);
        }
        let trip = Trip {
            to: here.at.clone(),
            breaks: points.breaks.clone(),
            from: 0,
            counted: Some(here.word(RIP)).filter(|_| !points.watched.is_empty()),
            watched: points.watched.clone(),
        };
        let state = self.run_again(&trip, &here)?;
        if state.number("missing") > 0 {
            return Err(Refusal::Breakpoint);
        }
        let hit = state.position("last");
        let change = state.position("change");
        match change.filter(|change| hit.as_ref().is_none_or(|hit| change.event >= hit.event)) {
            Some(change) => self.find_change(&here, change.event, &state, (points.watched, trip.breaks)),
            None => Ok(hit.map_or(Found::Start, Found::Breakpoint)),
        }
    }

    /// The instruction behind the event that changed watched memory last, or a breakpoint that was met later.
    fn find_change(
        &mut self,
        here: &Here,
        event: u64,
        state: &State,
        (watched, breaks): (Vec<(u64, u64)>, Vec<u64>),
    ) -> Result<Found, Refusal> {
        let addr = watched.first().map_or(0, |(addr, _)| *addr);
        let is_last = event == here.at.event;
        let end = state.position("change-end");
        let to = match end.as_ref().map(|end| end.moves.as_slice()) {
            _ if is_last => Move::StepsTo(here.word(RIP), state.number("arrivals-of-event"), MOST_STEPS),
            Some([Move::Visit(at, 1)]) => Move::StepsTo(*at, 1, MOST_STEPS),
            Some([]) => return Ok(Found::Watchpoint(Position { event, moves: Vec::new() }, addr)),
            _ => return Err(Refusal::NoWay),
        };
        let to = Position { event, moves: vec![to] };
        let state = self.run_to(&Trip { to, breaks, from: event, counted: None, watched }, is_last.then_some(here))?;
        let is_stepped = state.position("change").is_some_and(|change| change.event == event);
        match (state.number("change-steps"), end) {
            (steps @ 1.., _) if is_stepped => match state.position("last") {
                Some(hit) if state.number("last-steps") >= steps => Ok(Found::Breakpoint(hit)),
                _ => {
                    let moves = if steps == 1 { Vec::new() } else { vec![Move::Steps(steps - 1)] };
                    Ok(Found::Watchpoint(Position { event, moves }, addr))
                }
            },
            // The call itself did it.
            (_, Some(end)) => Ok(Found::Watchpoint(end, addr)),
            _ => Err(Refusal::NoWay),
        }
    }

    /// Has another runner go to where this one is, by `trip`; returns what it says there. It is gone then.
    fn run_again(&mut self, trip: &Trip, here: &Here) -> Result<State, Refusal> {
        self.run_to(trip, Some(here))
    }

    fn run_to(&mut self, trip: &Trip, here: Option<&Here>) -> Result<State, Refusal> {
        let mut other = self.another()?;
        let result = self.compared(&mut other, trip, here);
        other.end();
        result
    }

    fn compared(&mut self, other: &mut Child, trip: &Trip, here: Option<&Here>) -> Result<State, Refusal> {
        other.travel(trip, &mut self.gdb)?;
        let state = other.state()?;
        if state.number("arrived") == 0 {
            let is_far = trip.to.moves.iter().any(|step| matches!(step, Move::StepsTo(..)));
            return Err(if is_far { Refusal::TooFar } else { Refusal::Differs });
        }
        if let Some(here) = here {
            let registers = registers(other, here.thread)?;
            if registers != here.registers {
                let place = registers.iter().zip(&here.registers).position(|(one, other)| one != other);
                tracing::debug!("other registers at {}, from byte {place:?} on", trip.to);
                return Err(Refusal::Differs);
            }
        }
        Ok(state)
    }
}

/// The thread's registers. Whether a debug exception is put off (RF) is left aside: that tells whether the runner had to help
/// with the last page, and the program cannot see it.
fn registers(child: &mut Child, thread: u64) -> Result<Vec<u8>, Refusal> {
    const RF: u8 = 1 << (16 % 8);
    let mut registers = child.registers(&format!("p1.{thread:x}"))?;
    if let Some(byte) = registers.get_mut(RFLAGS + 2) {
        *byte &= !RF;
    }
    Ok(registers)
}
