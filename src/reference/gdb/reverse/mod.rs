//! Going back in a deterministic run: a front between gdb and the runner, which is begun anew to come to a place before.
//!
//! What the runner understands goes through unchanged. `bs` and `bc` are answered here: another runner goes to the place, and
//! takes the first one's.

mod child;
mod search;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use child::{Child, Trip};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use search::Found;

use super::control::COMMANDS;
use super::wire::{INTERRUPT, Item, Wire, bytes, expanded, hex};
use super::{Connection, Stream};
use crate::proc::ExitStatus;
use crate::profile::recorder::{pass_on, take_over_signals};

/// Begins a run: the runner speaks gdb's protocol on the socket, and writes nothing that one before it wrote, up to this
/// event. The descriptors are not for it.
pub type Begin<'a> = dyn FnMut(UnixStream, u64, &[RawFd]) -> io::Result<Pid> + 'a;

/// Why the run does not go back.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the debugger has changed registers, memory or signals of the program")]
    Altered,
    #[error("the program has children")]
    Children,
    #[error(
        "the program was interrupted between two system calls; go on to a breakpoint and the next system call first"
    )]
    Unknown,
    #[error("nothing is known of what this thread did before")]
    NoCall,
    #[error("the instruction before was not found")]
    NoWay,
    #[error("the instruction before is too many steps away from a known one")]
    TooFar,
    #[error("a breakpoint is not in the code of a file")]
    Breakpoint,
    #[error("of watchpoints, only those for writing can be met backwards")]
    Watchpoint,
    #[error("system calls cannot be caught backwards")]
    Catch,
    #[error("another run of the program was different")]
    Differs,
    #[error("interrupted")]
    Interrupted,
    #[error("gdb is gone")]
    GdbGone,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Breakpoints and watched memory of gdb's.
#[derive(Debug, Default)]
struct Points {
    breaks: Vec<u64>,
    watched: Vec<(u64, u64)>,
}

struct Front<'a> {
    gdb: Wire,
    child: Child,
    begin: &'a mut Begin<'a>,
    /// What gdb said that it understands.
    supported: Vec<u8>,
    /// Is the next answer the runner's to that?
    is_introduced: bool,
    /// Packets `Z` that are in force.
    points: BTreeSet<Vec<u8>>,
    catch: Option<Vec<u8>>,
    /// The thread that gdb speaks of, and the one that it wants to go on.
    general: Option<Vec<u8>>,
    goes_on: Option<u64>,
    /// The last event that a runner has come to.
    furthest: u64,
    signals: SignalFd,
}

/// Serves gdb until the program has ended; returns how.
///
/// # Errors
/// Of the first runner's beginning, and what the kernel says of waiting for it.
pub fn serve<'a>(gdb: Connection, begin: &'a mut Begin<'a>) -> io::Result<ExitStatus> {
    let mut child = started(begin, 0, &[gdb.reader().as_fd().as_raw_fd()])?;
    // If it has ended already, that is seen next.
    let _ = child.greet();
    let signals = take_over_signals()?;
    let mut front = Front {
        gdb: Wire::new(gdb),
        child,
        begin,
        supported: Vec::new(),
        is_introduced: false,
        points: BTreeSet::new(),
        catch: None,
        general: None,
        goes_on: None,
        furthest: 0,
        signals,
    };
    if let Err(error) = front.speak() {
        tracing::warn!("gdb is gone, the program goes on without it: {error}");
    }
    let Front { gdb, child: Child { pid, wire }, signals, .. } = front;
    // The runner sees that gdb is gone.
    drop((gdb, wire));
    wait(pid, &signals)
}

fn started(begin: &mut Begin<'_>, quiet_until: u64, not_its: &[RawFd]) -> io::Result<Child> {
    let (own, others) = UnixStream::pair()?;
    let pid = begin(others, quiet_until, &[not_its, &[own.as_raw_fd()]].concat())?;
    Ok(Child { pid, wire: Wire::new(Connection(Stream::Unix(own))) })
}

/// Waits for the end of the program, to which signals are passed on.
fn wait(pid: Pid, signals: &SignalFd) -> io::Result<ExitStatus> {
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(ExitStatus::code(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(ExitStatus::Signal(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::NONE);
        pass_on(signals, pid);
    }
}

impl Front<'_> {
    /// Passes on what is said, until one side has gone.
    fn speak(&mut self) -> io::Result<()> {
        loop {
            let mut fds = [
                PollFd::new(self.gdb.fd(), PollFlags::POLLIN),
                PollFd::new(self.child.wire.fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let [has_gdb, has_child, has_signal] = [0, 1, 2].map(|index: usize| fds[index].any() == Some(true));
            if has_signal {
                pass_on(&self.signals, self.child.pid);
            }
            if has_child {
                let is_open = self.child.wire.fill()?;
                while let Some(item) = self.child.wire.next()? {
                    self.pass_to_gdb(item)?;
                }
                if !is_open {
                    return Ok(());
                }
            }
            if has_gdb {
                let is_open = self.gdb.fill()?;
                while let Some(item) = self.gdb.next()? {
                    self.pass_to_runner(item)?;
                }
                if !is_open {
                    return Ok(());
                }
            }
        }
    }

    fn pass_to_gdb(&mut self, item: Item) -> io::Result<()> {
        let Item::Packet(mut packet) = item else { return Ok(()) };
        if std::mem::take(&mut self.is_introduced) {
            packet.extend_from_slice(b";ReverseStep+;ReverseContinue+");
        }
        self.note_thread(&expanded(&packet));
        self.gdb.send(&packet)
    }

    /// Of the thread that stops gdb speaks next, and does not say so.
    fn note_thread(&mut self, stopped: &[u8]) {
        if stopped.first() == Some(&b'T')
            && let Some(thread) = thread_part(stopped).strip_prefix("thread:")
        {
            self.general = Some(format!("Hg{}", thread.trim_end_matches(';')).into_bytes());
        }
    }

    fn pass_to_runner(&mut self, item: Item) -> io::Result<()> {
        let Item::Packet(packet) = item else { return self.child.wire.write(&[INTERRUPT]) };
        match packet.as_slice() {
            b"bs" => return self.go_back(|front| front.step_back(front.goes_on)),
            b"bc" => return self.go_back(Self::run_back),
            b"QStartNoAckMode" => {
                self.gdb.send(b"OK")?;
                self.gdb.has_acks = false;
                return Ok(());
            }
            // The other commands are this front's own.
            [b'q', b'R', b'c', b'm', b'd', b',', command @ ..] if bytes(command) != b"maps" => {
                return self.gdb.send(hex(COMMANDS.as_bytes()).as_bytes());
            }
            [b'Z', ..] => drop(self.points.insert(packet.clone())),
            [b'z', rest @ ..] => drop(self.points.remove(&[b"Z", rest].concat())),
            [b'H', b'g', ..] => self.general = Some(packet.clone()),
            [b'H', b'c', thread @ ..] => self.goes_on = thread_in(thread),
            _ if packet.starts_with(b"QCatchSyscalls:") => self.catch = Some(packet.clone()),
            _ if packet.starts_with(b"qSupported") => {
                self.supported.clone_from(&packet);
                self.is_introduced = true;
            }
            _ => {}
        }
        self.child.wire.send(&packet)
    }

    /// Answers `bs` or `bc`.
    fn go_back(&mut self, find: impl FnOnce(&mut Self) -> Result<Found, Refusal>) -> io::Result<()> {
        let began = Instant::now();
        let answer = find(self).and_then(|found| self.take_to(&found));
        tracing::debug!("gone back in {:?}: {answer:?}", began.elapsed());
        match answer {
            Ok(answer) => self.gdb.send(answer.as_bytes()),
            // As the program does that is interrupted.
            Err(Refusal::Interrupted) => self.gdb.send(b"T02"),
            Err(Refusal::GdbGone) => Err(io::ErrorKind::ConnectionReset.into()),
            Err(refusal) => {
                if matches!(refusal, Refusal::Differs) {
                    tracing::warn!("reverse execution: {refusal}");
                }
                self.gdb.send(format!("E.reverse execution: {refusal}").as_bytes())
            }
        }
    }

    /// Puts a runner that is there in the place of this one.
    fn take_to(&mut self, found: &Found) -> Result<String, Refusal> {
        let at = found.position();
        let mut other = self.another()?;
        match self.arrive(&mut other, Trip { to: at, ..Trip::default() }) {
            Ok(stopped) => {
                std::mem::replace(&mut self.child, other).end();
                Ok(format!("T05{}{}", thread_part(&stopped), found.reason()))
            }
            Err(refusal) => {
                other.end();
                Err(refusal)
            }
        }
    }

    fn arrive(&mut self, other: &mut Child, trip: Trip) -> Result<Vec<u8>, Refusal> {
        let event = trip.to.event;
        let stopped = other.travel(&trip, &mut self.gdb)?;
        let question = format!("digest {event}");
        let is_alike = other.command(&question)? == self.child.command(&question)?;
        if !is_alike || other.state()?.number("arrived") == 0 {
            return Err(Refusal::Differs);
        }
        for packet in self.points.iter().chain(&self.catch) {
            other.ask(packet)?;
        }
        self.note_thread(&stopped);
        Ok(stopped)
    }

    /// A new runner, at the start.
    fn another(&mut self) -> Result<Child, Refusal> {
        self.furthest = self.furthest.max(self.child.state()?.number("events"));
        let own = [self.gdb.fd(), self.child.wire.fd(), self.signals.as_fd()].map(|fd| fd.as_raw_fd());
        let mut other = started(self.begin, self.furthest, &own)?;
        match other.greet().and_then(|()| other.ask(&self.supported)) {
            Ok(_) => Ok(other),
            Err(error) => {
                other.end();
                Err(error.into())
            }
        }
    }

    /// gdb's breakpoints and watchpoints.
    fn points(&self) -> Result<Points, Refusal> {
        if self.catch.as_ref().is_some_and(|packet| packet.starts_with(b"QCatchSyscalls:1")) {
            return Err(Refusal::Catch);
        }
        let mut points = Points::default();
        for packet in &self.points {
            let text = String::from_utf8_lossy(packet);
            let mut fields = text.split([',', ';']);
            let kind = fields.next().unwrap_or_default();
            let mut number = || fields.next().and_then(|field| u64::from_str_radix(field, 16).ok());
            let (Some(addr), Some(len)) = (number(), number()) else { continue };
            match kind {
                "Z0" | "Z1" => points.breaks.push(addr),
                "Z2" => points.watched.push((addr, len)),
                _ => return Err(Refusal::Watchpoint),
            }
        }
        Ok(points)
    }
}

/// The thread of a packet `H`, if it names one.
fn thread_in(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let thread = text.rsplit('.').next()?;
    u64::from_str_radix(thread, 16).ok().filter(|thread| *thread != 0)
}

/// `thread:…;` of a packet that says why the program stopped.
fn thread_part(stopped: &[u8]) -> String {
    let text = String::from_utf8_lossy(stopped);
    let fields = text.get(3..).unwrap_or_default().split(';');
    fields.filter(|field| field.starts_with("thread:")).map(|field| format!("{field};")).collect()
}
