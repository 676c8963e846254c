//! Where a debugged deterministic run is, and how another run of the same program comes to the same place.
//!
//! A place is an event ([`super::determinism::events`]), and what the one thread did since then that goes on: so often it came to
//! an address, so many instructions it executed after that. Coming to an address is to be there after an instruction elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use zerocopy::IntoBytes;

use super::breakpoint::Stop;
use super::debugger::Parked;
use super::determinism::record;
use super::step::{Step, is_behind};
use super::{Debugger, Task};
use crate::abi::{TASK_SIZE, UserAddr};
use crate::mm::AddressSpace;
use crate::vm::{Trap, VmError};
use crate::x86::RFlags;

/// Most bytes of one watched variable.
const MOST_WATCHED: usize = 4096;

/// A part of the way from an event to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To run until it comes to the address for the so-manieth time.
    Visit(u64, u64),
    /// To execute so many instructions; of a repeated one each iteration counts.
    Steps(u64),
    /// To run until the so-manieth signal is about to be delivered.
    Signal(u64),
    /// To step until it comes to the address for the so-manieth time, if it takes no more steps than that.
    StepsTo(u64, u64, u64),
    /// To where the debugger interrupted it, which could be anywhere.
    Unknown,
}

/// A place in a deterministic run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// So many events came before.
    pub event: u64,
    /// From there on.
    pub moves: Vec<Move>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.event)?;
        self.moves.iter().try_for_each(|step| match step {
            Move::Visit(addr, count) => write!(f, " v{addr}:{count}"),
            Move::Steps(count) => write!(f, " s{count}"),
            Move::Signal(count) => write!(f, " f{count}"),
            Move::StepsTo(addr, count, most) => write!(f, " t{addr}:{count}:{most}"),
            Move::Unknown => write!(f, " u"),
        })
    }
}

/// The text is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPosition;

impl FromStr for Position {
    type Err = NotPosition;

    fn from_str(text: &str) -> Result<Self, NotPosition> {
        let mut words = text.split_whitespace();
        let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).ok_or(NotPosition);
        let event = number(words.next())?;
        let moves = words.map(|word| {
            let (kind, rest) = word.split_at_checked(1).ok_or(NotPosition)?;
            let mut numbers = rest.split(':');
            let mut next = || number(numbers.next());
            Ok(match kind {
                "v" => Move::Visit(next()?, next()?),
                "s" => Move::Steps(next()?),
                "f" => Move::Signal(next()?),
                "t" => Move::StepsTo(next()?, next()?, next()?),
                "u" => Move::Unknown,
                _ => return Err(NotPosition),
            })
        });
        Ok(Self { event, moves: moves.collect::<Result<_, _>>()? })
    }
}

/// The breakpoint that was met last on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Where.
    pub at: Position,
    addr: u64,
    /// The instruction behind it, once that was known.
    pub next: Option<u64>,
    /// After how many steps, if steps were made.
    pub steps: u64,
    /// How often the thread came to the counted address since.
    pub arrivals: u64,
}

/// How far a run has come on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// It goes nowhere in particular.
    #[default]
    None,
    /// It is on its way.
    Underway,
    /// It is there.
    Arrived,
    /// It went elsewhere.
    Missed,
}

/// Where a run is to go.
#[derive(Clone, Debug, Default)]
pub struct Goal {
    /// There.
    pub at: Position,
    /// Breakpoints on the way that are met and passed by.
    pub breaks: BTreeSet<u64>,
    /// They are met from this event on.
    pub from: u64,
    /// An address behind the last event that comings to are counted of.
    pub counted: Option<u64>,
    /// Memory, as addresses and lengths, whose last change is looked for.
    pub watched: Vec<(u64, u64)>,
}

/// When watched memory was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Behind this event.
    pub from: Position,
    /// Where the thread was that made the next one, if that was made.
    pub end: Option<Position>,
    /// By this step, if steps were made; 0 if by none of them.
    pub steps: u64,
}

/// What is known of a way.
#[derive(Clone, Debug, Default)]
pub struct Way {
    goal: Goal,
    /// How far it has come.
    pub progress: Progress,
    /// Moves that are made, and how far the next one is.
    done: usize,
    made: u64,
    steps: u64,
    set: BTreeSet<u64>,
    /// Breakpoints that could not be set up to the end.
    pub missing: usize,
    /// The breakpoint that was met last, but for one at the end.
    pub last: Option<Hit>,
    /// The last change of watched memory.
    pub change: Option<Change>,
    /// What was in watched memory, and behind which event.
    values: Option<(u64, Vec<u8>)>,
    /// Comings to the counted address since the last event.
    pub arrivals: u64,
}

/// A system call or trapped instruction of a thread.
#[derive(Clone, Debug)]
struct Call {
    event: u64,
    at: Option<Position>,
}

/// Where a run is.
#[derive(Debug, Default)]
pub(super) struct Track {
    at: Position,
    /// rip and rsp there. `None` before the first event is known of.
    place: Option<(u64, u64)>,
    /// rip at the event.
    start: u64,
    /// The thread (the host's number) that goes on since then.
    owner: i32,
    /// Comings to breakpoints since then.
    counts: BTreeMap<u64, u64>,
    way: Way,
    /// The last one of each thread.
    calls: BTreeMap<i32, Call>,
    /// Digests by event.
    digests: Vec<(u64, u64)>,
    /// Has the debugger changed what the program does?
    pub(super) is_altered: bool,
}

/// What the debugger sees of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    Signal,
    /// The end of a way, where it goes on as if there were none.
    Arrival,
}

/// What is next on a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Run,
    Step,
    Stop(Progress),
}

impl Track {
    /// The thread is about to execute user code; there were so many events. Returns whether that is news.
    fn enter(&mut self, event: u64, place: (u64, u64)) -> bool {
        if self.place.is_some() && self.at.event == event {
            return false;
        }
        (self.at, self.place, self.start) = (Position { event, moves: Vec::new() }, Some(place), place.0);
        self.counts.clear();
        let way = &mut self.way;
        way.arrivals = 0;
        if way.goal.breaks.contains(&place.0) && event >= way.goal.from && way.goal.at != self.at {
            way.last = Some(Hit { at: self.at.clone(), addr: place.0, next: None, steps: 0, arrivals: 0 });
        }
        true
    }

    /// It ran to the breakpoint where it is.
    pub(super) fn came(&mut self, place: (u64, u64)) {
        if self.place == Some(place) {
            return;
        }
        self.place = Some(place);
        let moves = &mut self.at.moves;
        match moves.as_mut_slice() {
            [.., Move::Visit(addr, count)] if *addr == place.0 => *count += 1,
            [.., Move::Visit(addr, count), Move::Steps(_)] if *addr == place.0 => {
                *count += 1;
                moves.pop();
            }
            _ => moves.push(Move::Visit(place.0, 1)),
        }
    }

    /// It executed one instruction.
    pub(super) fn stepped(&mut self, from: u64, place: (u64, u64)) {
        self.place = Some(place);
        let moves = &mut self.at.moves;
        match moves.last_mut() {
            Some(Move::Steps(count)) => *count += 1,
            _ => moves.push(Move::Steps(1)),
        }
        if let [.., Move::Visit(addr, count), Move::Steps(_)] = moves.as_mut_slice()
            && *addr == place.0
            && from != place.0
        {
            *count += 1;
            moves.pop();
        }
    }

    /// It stops somewhere.
    pub(super) fn stops(&mut self, place: (u64, u64)) {
        if self.place != Some(place) {
            self.lose(place);
        }
    }

    /// It stops where no other run can be stopped.
    pub(super) fn lose(&mut self, place: (u64, u64)) {
        self.place = Some(place);
        if self.at.moves.last() != Some(&Move::Unknown) {
            self.at.moves.push(Move::Unknown);
        }
    }

    /// A signal is about to be delivered. Returns whether that is of interest.
    fn signals(&mut self, place: (u64, u64)) -> bool {
        self.place = Some(place);
        if self.way.progress != Progress::Underway {
            match self.at.moves.last_mut() {
                Some(Move::Signal(count)) => *count += 1,
                _ => self.at.moves.push(Move::Signal(1)),
            }
            return true;
        }
        let way = &mut self.way;
        if way.goal.at.event == self.at.event
            && let Some(Move::Signal(count)) = way.goal.at.moves.get(way.done)
        {
            way.made += 1;
            if way.made == *count {
                way.advance();
                return way.is_there();
            }
        }
        false
    }

    /// What is next; `None` where it goes nowhere in particular.
    fn next(&mut self, rip: u64) -> Option<Next> {
        let way = &mut self.way;
        if way.progress != Progress::Underway {
            return None;
        }
        if let Some(last) = way.last.as_mut().filter(|last| last.next.is_none() && last.addr != rip) {
            last.next = Some(rip);
        }
        Some(match way.goal.at.event.cmp(&self.at.event) {
            std::cmp::Ordering::Greater => Next::Run,
            std::cmp::Ordering::Less => Next::Stop(Progress::Missed),
            std::cmp::Ordering::Equal => match way.goal.at.moves.get(way.done) {
                None => Next::Stop(Progress::Arrived),
                Some(Move::Unknown) => Next::Stop(Progress::Missed),
                Some(Move::StepsTo(.., most)) if way.steps > *most => Next::Stop(Progress::Missed),
                Some(Move::Steps(_) | Move::StepsTo(..)) => Next::Step,
                Some(Move::Visit(..) | Move::Signal(_)) => Next::Run,
            },
        })
    }

    /// On its way it came to `place`, by a step or running.
    fn passes(&mut self, from: Option<u64>, place: (u64, u64)) {
        let addr = place.0;
        self.place = Some(place);
        let (event, way) = (self.at.event, &mut self.way);
        let comes = from != Some(addr);
        let mut is_made = false;
        if way.goal.at.event == event {
            way.steps += u64::from(from.is_some());
            let (counts, enough) = match way.goal.at.moves.get(way.done) {
                Some(Move::Steps(count)) => (from.is_some(), *count),
                Some(Move::Visit(wanted, count)) => (from.is_none() && *wanted == addr, *count),
                Some(Move::StepsTo(wanted, count, _)) => (comes && *wanted == addr, *count),
                _ => (false, 0),
            };
            way.made += u64::from(counts);
            is_made = counts && way.made == enough;
        }
        if comes && way.goal.counted == Some(addr) {
            way.arrivals += 1;
            way.last.iter_mut().for_each(|last| last.arrivals += 1);
        }
        if is_made {
            way.advance();
        }
        if comes && way.set.contains(&addr) {
            let count = self.counts.entry(addr).or_default();
            *count += 1;
            if way.goal.breaks.contains(&addr) && event >= way.goal.from && !way.is_there() {
                let at = Position { event, moves: vec![Move::Visit(addr, *count)] };
                way.last = Some(Hit { at, addr, next: None, steps: way.steps, arrivals: 0 });
            }
        }
    }

    /// It goes no further.
    fn end_way(&mut self, progress: Progress) -> BTreeSet<u64> {
        let way = &mut self.way;
        way.progress = progress;
        way.missing = way.goal.breaks.difference(&way.set).count();
        if progress == Progress::Arrived {
            self.at = way.goal.at.clone();
            if let Some(last) = self.at.moves.last_mut().filter(|last| matches!(last, Move::StepsTo(..))) {
                *last = Move::Steps(way.steps);
            }
        }
        std::mem::take(&mut way.set)
    }
}

impl Way {
    fn advance(&mut self) {
        (self.done, self.made) = (self.done + 1, 0);
        if !self.is_there() {
            self.steps = 0;
        }
    }

    fn is_there(&self) -> bool {
        self.done == self.goal.at.moves.len()
    }

    /// Breakpoints that are needed from this event on.
    fn wanted(&self, event: u64) -> Vec<u64> {
        let mut wanted: BTreeSet<u64> = BTreeSet::new();
        if event >= self.goal.from {
            wanted.extend(&self.goal.breaks);
        }
        if event == self.goal.at.event {
            wanted.extend(self.goal.counted);
            wanted.extend(self.goal.at.moves.iter().filter_map(|step| match step {
                Move::Visit(addr, _) => Some(addr),
                _ => None,
            }));
        }
        wanted.difference(&self.set).copied().collect()
    }
}

impl Debugger {
    /// Has the run go there, when it goes on, and stop.
    pub fn send_to(&self, goal: Goal) {
        let mut track = self.track();
        track.place = None;
        track.way = Way { goal, progress: Progress::Underway, ..Way::default() };
    }

    /// Where the run is, if that can be found again.
    pub fn position(&self) -> Option<Position> {
        let track = self.track();
        (!track.at.moves.contains(&Move::Unknown)).then(|| track.at.clone())
    }

    /// How far it has come on its way.
    pub fn way(&self) -> Way {
        self.track().way.clone()
    }

    /// The thread (the host's number) that made the way from the last event on.
    pub fn owner(&self) -> i32 {
        self.track().owner
    }

    /// Where the thread `tid` was about to make its last call, or the one that made this event.
    pub fn call_before(&self, tid: i32) -> Option<Position> {
        let track = self.track();
        let event = track.at.event;
        let own = track.calls.get(&tid);
        own.or_else(|| track.calls.values().find(|call| call.event == event)).and_then(|call| call.at.clone())
    }

    /// A digest of what happened before the event, and of its beginning.
    pub fn digest_before(&self, event: u64) -> u64 {
        let track = self.track();
        let behind = track.digests.partition_point(|(of, _)| *of <= event);
        behind.checked_sub(1).and_then(|index| track.digests.get(index)).map_or(0, |(_, digest)| *digest)
    }

    /// Has the debugger changed what the program does?
    pub fn is_altered(&self) -> bool {
        self.track().is_altered
    }

    /// It has changed something.
    pub fn note_altered(&self) {
        self.track().is_altered = true;
    }

    /// Has watched memory changed since the last look?
    fn look_at_watched(&self, mm: &AddressSpace) {
        let mut track = self.track();
        if track.way.progress != Progress::Underway || track.way.goal.watched.is_empty() {
            return;
        }
        let mut values = Vec::new();
        for &(addr, len) in &track.way.goal.watched {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0).min(MOST_WATCHED)];
            mm.copy_in_partly(UserAddr::new(addr), &mut bytes);
            values.extend(bytes);
        }
        let event = track.at.event;
        let (since, before) =
            track.way.values.replace((event, values.clone())).unwrap_or_else(|| (event, values.clone()));
        if before != values {
            let end = track.calls.values().find(|call| call.event == since + 1).and_then(|call| call.at.clone());
            let steps = if since == event { track.way.steps } else { 0 };
            let end = end.filter(|_| since != event);
            track.way.change = Some(Change { from: Position { event: since, moves: Vec::new() }, end, steps });
        }
    }

    fn set_wanted(&self, mm: &AddressSpace) {
        let wanted = {
            let track = self.track();
            track.way.wanted(track.at.event)
        };
        let set: Vec<u64> = wanted.into_iter().filter(|&addr| self.set_in_code(mm, addr)).collect();
        self.track().way.set.extend(set);
    }

    fn end_way(&self, mm: &AddressSpace, progress: Progress) {
        let set = self.track().end_way(progress);
        set.into_iter().for_each(|addr| self.clear_breakpoint(mm, addr));
    }
}

/// What a thread did on the way of its run.
pub(super) enum Went {
    /// It is on no way.
    Nowhere,
    /// The runner is to answer this.
    Trap(Trap),
    /// On.
    On,
    /// It stops here.
    Stops,
}

impl Task {
    /// Is it a thread of a run that a debugger may go back in?
    pub(super) fn is_tracked(&self) -> bool {
        self.on_board().is_some_and(|(board, _)| board.is_reversible())
    }

    pub(super) fn place(&self) -> (u64, u64) {
        (self.vcpu.regs().rip, self.vcpu.regs().rsp)
    }

    /// Goes on, if the run is on its way to a place.
    pub(super) fn go_on(&mut self, debugger: &Debugger) -> Result<Went, VmError> {
        if !self.is_tracked() {
            return Ok(Went::Nowhere);
        }
        let is_new = self.note_place(debugger);
        let next = debugger.track().next(self.vcpu.regs().rip);
        if !is_new && matches!(next, Some(Next::Stop(_) | Next::Step)) {
            debugger.look_at_watched(&self.process.mm);
        }
        match next {
            None => Ok(Went::Nowhere),
            Some(Next::Stop(progress)) => {
                debugger.end_way(&self.process.mm, progress);
                Ok(Went::Stops)
            }
            Some(Next::Step) => self.step_on(debugger),
            Some(Next::Run) => self.run_on(debugger),
        }
    }

    /// If there was an event since the thread was seen last, it is where its way begins now. Returns whether there was.
    pub(super) fn note_place(&self, debugger: &Debugger) -> bool {
        let Some((board, _)) = self.on_board() else { return false };
        let mut track = debugger.track();
        let is_new = track.enter(board.events_counted(), self.place());
        if !is_new {
            return false;
        }
        track.owner = self.tid().as_raw();
        let is_underway = track.way.progress == Progress::Underway;
        drop(track);
        if is_underway {
            debugger.set_wanted(&self.process.mm);
            debugger.look_at_watched(&self.process.mm);
        }
        true
    }

    fn run_on(&mut self, debugger: &Debugger) -> Result<Went, VmError> {
        let place = self.place();
        if self.visit != Some(place) && debugger.breakpoints.byte(place.0).is_some() {
            self.visit = Some(place);
            let mut track = debugger.track();
            if track.place != Some(place) {
                track.passes(None, place);
                return Ok(Went::On);
            }
        }
        Ok(match self.run_to_breakpoint(&debugger.breakpoints)? {
            Stop::Trap(trap) => Went::Trap(trap),
            Stop::Breakpoint(_) => {
                let place = self.place();
                debugger.track().passes(None, place);
                Went::On
            }
        })
    }

    fn step_on(&mut self, debugger: &Debugger) -> Result<Went, VmError> {
        let from = self.vcpu.regs().rip;
        let step = self.step_by_breakpoints(&debugger.breakpoints)?;
        let is_made = match &step {
            Step::Done => true,
            Step::Trap(trap) => is_behind(trap) && *trap != Trap::Syscall,
        };
        if is_made {
            let place = self.place();
            // What it came to by steps it does not come to again by running.
            self.visit = Some(place);
            debugger.track().passes(Some(from), place);
        }
        Ok(match step {
            Step::Done => Went::On,
            Step::Trap(trap) => Went::Trap(trap),
        })
    }

    /// A signal is about to be delivered, or an instruction makes one.
    pub(super) fn track_signal(&mut self, debugger: &Debugger) -> Seen {
        if !self.is_tracked() || !debugger.is_of_caller() {
            return Seen::Signal;
        }
        self.note_place(debugger);
        let place = self.place();
        if !debugger.track().signals(place) {
            return Seen::Nothing;
        }
        if debugger.track().way.progress != Progress::Underway {
            return Seen::Signal;
        }
        debugger.look_at_watched(&self.process.mm);
        debugger.end_way(&self.process.mm, Progress::Arrived);
        Seen::Arrival
    }

    /// A call or a trapped instruction begins, which was at `at`; others may go on before it ends. To be followed by
    /// [`Self::end_event`].
    pub fn begin_event(&mut self, at: u64, nr: Option<u64>) {
        let Some((board, seat)) = self.on_board().filter(|(board, _)| board.is_reversible()) else { return };
        let mut regs = *self.vcpu.regs();
        regs.rflags &= !RFlags::RF.bits();
        let event = board.count_event(seat, record::values(&regs).as_bytes());
        let digest = board.digest_of_events();
        if let Some(debugger) = self.process.debugger.clone().filter(|debugger| debugger.is_of_caller()) {
            let mut track = debugger.track();
            track.digests.push((event, digest));
            let moves = if track.start == at { Vec::new() } else { vec![Move::Visit(at, 1)] };
            let before = Position { event: event - 1, moves };
            track.calls.insert(self.tid().as_raw(), Call { event, at: (at < TASK_SIZE).then_some(before) });
            drop(track);
            self.show_waiting(nr);
        }
    }

    /// It has ended.
    pub fn end_event(&self) {
        self.hide_waiting();
    }

    /// Lets the debugger see its registers although it does not stop: it waits for the others, which have.
    pub(super) fn show_waiting(&mut self, call: Option<u64>) {
        if !self.is_tracked() {
            return;
        }
        if let Some(debugger) = self.process.debugger.clone().filter(|debugger| debugger.is_of_caller())
            && let Ok(state) = self.state()
        {
            debugger.show_waiting(self.tid().as_raw(), Some(Parked::new(state, call, true)));
        }
    }

    pub(super) fn hide_waiting(&self) {
        if let Some(debugger) = self.process.debugger.as_ref().filter(|debugger| debugger.is_of_caller()) {
            debugger.show_waiting(self.tid().as_raw(), None);
        }
    }
}
