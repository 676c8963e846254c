//! Packets of gdb's protocol on a connection (gdb's manual, "Remote Protocol: Overview").

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use super::{Connection, Stream};

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// What is between `$` and `#`, as it came.
    Packet(Vec<u8>),
    /// gdb wants the program to stop.
    Interrupt,
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Wire {
    connection: Connection,
    received: Vec<u8>,
    /// Are packets acknowledged?
    pub(super) has_acks: bool,
    sent: Vec<u8>,
}

/// gdb's key for an interrupt.
pub(super) const INTERRUPT: u8 = 3;

impl Wire {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, received: Vec::new(), has_acks: true, sent: Vec::new() }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.connection.reader().as_fd()
    }

    /// Reads what there is; `false` at the end.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 8192];
        let len = match &mut self.connection.0 {
            Stream::Tcp(stream) => stream.read(&mut bytes),
            Stream::Unix(stream) => stream.read(&mut bytes),
        };
        match len {
            Ok(len) => {
                self.received.extend_from_slice(&bytes[..len]);
                Ok(len > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next one of those that were read.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        loop {
            match self.received.first() {
                None => return Ok(None),
                Some(b'$') => {}
                Some(&first) => {
                    self.received.remove(0);
                    match first {
                        INTERRUPT => return Ok(Some(Item::Interrupt)),
                        b'-' if self.has_acks => self.write(&self.sent.clone())?,
                        _ => {}
                    }
                    continue;
                }
            }
            let Some(end) = self.received.iter().position(|&byte| byte == b'#') else { return Ok(None) };
            let Some(sum) = self.received.get(end + 1..end + 3) else { return Ok(None) };
            let sum = std::str::from_utf8(sum).ok().and_then(|sum| u8::from_str_radix(sum, 16).ok());
            let packet: Vec<u8> = self.received.drain(..end + 3).skip(1).take(end - 1).collect();
            let is_good = sum == Some(checksum(&packet));
            if self.has_acks {
                // A peer that has gone is noticed by reading.
                let _ = self.write(if is_good { b"+" } else { b"-" });
            }
            if is_good {
                return Ok(Some(Item::Packet(packet)));
            }
        }
    }

    pub(super) fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.sent = framed(packet);
        self.write(&self.sent.clone())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.connection.0 {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }
}

/// A packet as it goes over the wire.
pub(super) fn framed(packet: &[u8]) -> Vec<u8> {
    [b"$", packet, format!("#{:02x}", checksum(packet)).as_bytes()].concat()
}

fn checksum(packet: &[u8]) -> u8 {
    packet.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// A packet without its runs: `*` and a character say how often the one before comes again.
pub(super) fn expanded(packet: &[u8]) -> Vec<u8> {
    const LEAST: u8 = 29;
    let mut all: Vec<u8> = Vec::with_capacity(packet.len());
    let mut bytes = packet.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, all.last().copied()) {
            (b'*', Some(last)) => {
                let times = bytes.next().unwrap_or(LEAST).saturating_sub(LEAST);
                all.extend(std::iter::repeat_n(last, times.into()));
            }
            _ => all.push(byte),
        }
    }
    all
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits, up to the first that is none.
pub(super) fn bytes(hex: &[u8]) -> Vec<u8> {
    let digits = hex.as_chunks::<2>().0.iter();
    digits.map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn wires() -> (Wire, Wire) {
        let (one, other) = UnixStream::pair().unwrap();
        (Wire::new(Connection(Stream::Unix(one))), Wire::new(Connection(Stream::Unix(other))))
    }

    #[test]
    fn packets_arrive_whole() {
        let (mut one, mut other) = wires();
        one.write(b"+\x03").unwrap();
        one.send(b"m10,4").unwrap();
        other.fill().unwrap();
        assert_eq!(other.next().unwrap(), Some(Item::Interrupt));
        assert_eq!(other.next().unwrap(), Some(Item::Packet(b"m10,4".to_vec())));
        assert_eq!(other.next().unwrap(), None);
        one.write(b"$ab#00$OK").unwrap();
        other.fill().unwrap();
        assert_eq!(other.next().unwrap(), None, "of which one is wrong, and one not there yet");
        one.write(b"#9a").unwrap();
        other.fill().unwrap();
        assert_eq!(other.next().unwrap(), Some(Item::Packet(b"OK".to_vec())));
    }

    #[test]
    fn runs_are_expanded() {
        assert_eq!(expanded(b"0* "), b"0000");
        assert_eq!(expanded(b"T05"), b"T05");
        assert_eq!(bytes(hex(b"step").as_bytes()), b"step");
        assert_eq!(bytes(b"zz"), b"");
    }
}
