//! Between gdb and the stub (gdbstub's), which knows one process, always number 1: here processes have their own numbers, and gdb
//! decides about children.
//!
//! gdb's manual, "Remote Protocol": "Packets" (`D`, `H`, `T`, `vKill`), "Stop Reply Packets" (`fork`), "General Query Packets".

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use gdbstub::conn::{Connection, ConnectionExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wire::{INTERRUPT, Item, Wire, expanded, framed};
use crate::proc::Debugger;

/// The stub's number of its process.
const STUBS: i32 = 1;

/// gdb, as the stub sees it.
#[derive(Debug)]
pub(super) struct Link {
    gdb: Wire,
    debugger: Arc<Debugger>,
    /// gdb's number of the process.
    pid: i32,
    to_stub: VecDeque<u8>,
    /// What it has written of a packet.
    from_stub: Vec<u8>,
    /// So many answers of the stub's are not for gdb.
    unasked: usize,
    /// gdb's packet `qSupported`.
    supported: Vec<u8>,
    /// Does gdb speak of the child that waits?
    is_of_child: bool,
}

impl Link {
    pub(super) fn new(gdb: super::Connection, debugger: Arc<Debugger>) -> Self {
        Self {
            gdb: Wire::new(gdb),
            debugger,
            pid: STUBS,
            to_stub: VecDeque::new(),
            from_stub: Vec::new(),
            unasked: 0,
            supported: Vec::new(),
            is_of_child: false,
        }
    }

    /// In the child `pid`, with what [`Self::said`] said in the parent.
    pub(super) fn in_child(gdb: super::Connection, debugger: Arc<Debugger>, pid: i32, said: &[u8]) -> Self {
        let mut link = Self::new(gdb, debugger);
        link.pid = pid;
        if let Some((has_acks, supported)) = said.split_first() {
            link.gdb.has_acks = *has_acks != 0;
            link.supported = supported.to_vec();
            link.unasked = 1;
            link.to_stub.extend(framed(supported));
        }
        link
    }

    /// What a link in a child is to know of this one.
    fn said(&self) -> Vec<u8> {
        [&[u8::from(self.gdb.has_acks)], self.supported.as_slice()].concat()
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.gdb.fd()
    }

    /// What is there for the stub already.
    pub(super) fn ready(&mut self) -> Option<u8> {
        self.to_stub.pop_front()
    }

    /// Reads what gdb says, which there is something of.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if !self.gdb.fill()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some(item) = self.gdb.next()? {
            match item {
                Item::Interrupt => self.to_stub.push_back(INTERRUPT),
                Item::Packet(packet) if packet == b"QStartNoAckMode" => {
                    self.gdb.send(b"OK")?;
                    self.gdb.has_acks = false;
                }
                Item::Packet(packet) => match self.answer(&packet) {
                    Some(answer) => self.gdb.send(answer)?,
                    None => self.to_stub.extend(framed(&self.stubs_words(packet))),
                },
            }
        }
        Ok(())
    }

    /// What the stub is not asked.
    fn answer(&mut self, packet: &[u8]) -> Option<&'static [u8]> {
        if packet.starts_with(b"qSupported") {
            self.supported = packet.to_vec();
        }
        let child = self.debugger.child()?;
        let is_childs = names(packet, child);
        match packet {
            [b'H', b'g', ..] => self.is_of_child = is_childs,
            [b'D', b';', ..] if is_childs => self.leave_child(),
            _ if packet.starts_with(b"vKill;") && is_childs => {
                let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
                self.leave_child();
            }
            [b'D', ..] => self.debugger.tell_successor(self.said()),
            [b'H' | b'T', ..] | [b'z', ..] => {}
            _ if self.is_of_child => return Some(b"E.only one process is debugged at a time"),
            _ => {}
        }
        let is_answered = is_childs || self.is_of_child && packet.starts_with(b"z");
        is_answered.then_some(b"OK")
    }

    fn leave_child(&mut self) {
        self.debugger.leave_child();
        self.is_of_child = false;
    }

    fn stubs_words(&self, packet: Vec<u8>) -> Vec<u8> {
        match packet.first() {
            Some(b'H' | b'T' | b'v' | b'q') if self.pid != STUBS => {
                replaced(&packet, format!("p{:x}.", self.pid).as_bytes(), b"p1.")
            }
            _ => packet,
        }
    }

    fn gdbs_words(&self, packet: &[u8]) -> Vec<u8> {
        let is_of_threads = matches!(packet, [b'T', ..] | [b'Q', b'C', ..]) || packet.starts_with(b"mp01.");
        if !is_of_threads {
            return packet.to_vec();
        }
        let mut words = expanded(packet);
        if let Some(child) = self.debugger.child() {
            words = replaced(&words, b"fork:p01.", format!("fork:p{child:x}.").as_bytes());
            if words.starts_with(b"m") {
                words.extend(format!(",p{child:x}.{child:x}").bytes());
            }
        }
        replaced(&words, b"p01.", format!("p{:x}.", self.pid).as_bytes())
    }
}

/// Does it name a process, by its number alone or before that of a thread?
fn names(packet: &[u8], pid: i32) -> bool {
    let text = String::from_utf8_lossy(packet);
    let named = match text.strip_prefix("D;").or_else(|| text.strip_prefix("vKill;")) {
        Some(named) => Some(named),
        None if text.starts_with(['H', 'T']) => text.split_once('p').and_then(|(_, rest)| rest.split('.').next()),
        None => None,
    };
    named.and_then(|named| i32::from_str_radix(named, 16).ok()) == Some(pid)
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
        all.extend_from_slice(&rest[..at]);
        all.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    all.extend_from_slice(rest);
    all
}

impl Connection for Link {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        if self.from_stub.is_empty() && byte != b'$' {
            // An acknowledgement: gdb has got its own.
            return Ok(());
        }
        self.from_stub.push(byte);
        let [b'$', packet @ .., b'#', _, _] = self.from_stub.as_slice() else { return Ok(()) };
        let words = self.gdbs_words(packet);
        self.from_stub.clear();
        self.to_stub.push_back(b'+');
        if self.unasked > 0 {
            self.unasked -= 1;
            return Ok(());
        }
        self.gdb.send(&words)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ConnectionExt for Link {
    fn read(&mut self) -> io::Result<u8> {
        loop {
            if let Some(byte) = self.ready() {
                return Ok(byte);
            }
            self.fill()?;
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.to_stub.front().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_named_in_packets() {
        for packet in ["D;1f", "vKill;1f", "Hgp1f.1f", "Hcp1f.-1", "Tp1f.20"] {
            assert!(names(packet.as_bytes(), 0x1f), "{packet}");
            assert!(!names(packet.as_bytes(), 1), "{packet}");
        }
        assert!(!names(b"m1f,4", 0x1f));
    }

    #[test]
    fn all_of_them_are_replaced() {
        assert_eq!(replaced(b"mp01.2,p01.3", b"p01.", b"p7."), b"mp7.2,p7.3");
        assert_eq!(replaced(b"OK", b"p01.", b"p7."), b"OK");
    }
}
