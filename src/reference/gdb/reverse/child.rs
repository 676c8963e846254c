//! A runner of the program, as its front speaks to it.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::super::wire::{Item, Wire, bytes, expanded, hex};
use super::Refusal;
use crate::proc::replay::Position;

/// A runner, and the way to it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pub(super) wire: Wire,
}

/// What a runner says of where it is.
#[derive(Debug)]
pub(super) struct State {
    words: BTreeMap<String, String>,
}

impl State {
    pub(super) fn number(&self, word: &str) -> u64 {
        self.text(word).parse().unwrap_or(0)
    }

    pub(super) fn position(&self, word: &str) -> Option<Position> {
        self.text(word).parse().ok()
    }

    fn text(&self, word: &str) -> &str {
        self.words.get(word).map_or("", String::as_str)
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.text("next").parse().ok()
    }
}

/// Where a runner is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Trip {
    pub(super) to: Position,
    /// Breakpoints that are passed by.
    pub(super) breaks: Vec<u64>,
    /// From this event on.
    pub(super) from: u64,
    /// What comings to are counted of.
    pub(super) counted: Option<u64>,
    /// Memory whose changes are looked for: addresses and lengths.
    pub(super) watched: Vec<(u64, u64)>,
}

impl Child {
    /// Begins to speak with a runner: packets are not acknowledged.
    pub(super) fn greet(&mut self) -> io::Result<()> {
        self.ask(b"QStartNoAckMode")?;
        self.wire.has_acks = false;
        Ok(())
    }

    /// The answer to a packet.
    pub(super) fn ask(&mut self, packet: &[u8]) -> io::Result<Vec<u8>> {
        self.wire.send(packet)?;
        self.receive()
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(Item::Packet(packet)) = self.wire.next()? {
                return Ok(expanded(&packet));
            }
            if !self.wire.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// What it says to one of the commands in `control`.
    pub(super) fn command(&mut self, command: &str) -> io::Result<String> {
        self.wire.send(format!("qRcmd,{}", hex(command.as_bytes())).as_bytes())?;
        let mut said = Vec::new();
        loop {
            match self.receive()?.as_slice() {
                [b'O', hex @ ..] if hex != b"K" => said.extend(bytes(hex)),
                _ => return Ok(String::from_utf8_lossy(&said).into_owned()),
            }
        }
    }

    pub(super) fn state(&mut self) -> io::Result<State> {
        let said = self.command("state")?;
        let words = said.lines().filter_map(|line| line.split_once(' '));
        Ok(State { words: words.map(|(word, value)| (word.to_owned(), value.to_owned())).collect() })
    }

    /// The registers of the thread, as gdb numbers them.
    pub(super) fn registers(&mut self, thread: &str) -> io::Result<Vec<u8>> {
        self.ask(format!("Hg{thread}").as_bytes())?;
        Ok(bytes(&self.ask(b"g")?))
    }

    /// Sends it off, and returns what it says when it stops, which is for gdb to see.
    pub(super) fn travel(&mut self, trip: &Trip, gdb: &mut Wire) -> Result<Vec<u8>, Refusal> {
        for addr in &trip.breaks {
            self.command(&format!("break {addr}"))?;
        }
        for (addr, len) in &trip.watched {
            self.command(&format!("watch {addr} {len}"))?;
        }
        if let Some(addr) = trip.counted {
            self.command(&format!("count {addr}"))?;
        }
        self.command(&format!("from {}", trip.from))?;
        self.command(&format!("go {}", trip.to))?;
        let began = Instant::now();
        self.wire.send(b"vCont;c")?;
        loop {
            match self.wire.next()? {
                Some(Item::Packet(packet)) => {
                    tracing::debug!("{} in {:?}", trip.to, began.elapsed());
                    return Ok(expanded(&packet));
                }
                Some(Item::Interrupt) => {}
                None => self.wait(gdb)?,
            }
        }
    }

    /// Waits for something from it; gdb may lose patience.
    fn wait(&mut self, gdb: &mut Wire) -> Result<(), Refusal> {
        let mut fds = [PollFd::new(self.wire.fd(), PollFlags::POLLIN), PollFd::new(gdb.fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(Refusal::Io(errno.into())),
        }
        let [has_come, has_gdb] = [0, 1].map(|index: usize| fds[index].any() == Some(true));
        if has_gdb {
            if !gdb.fill()? {
                return Err(Refusal::GdbGone);
            }
            if gdb.next()? == Some(Item::Interrupt) {
                return Err(Refusal::Interrupted);
            }
        }
        if has_come && !self.wire.fill()? {
            return Err(Refusal::Differs);
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn end(self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        while waitpid(self.pid, None) == Err(nix::errno::Errno::EINTR) {}
    }
}
