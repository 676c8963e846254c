//! Takes the records of a traced process as they come.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, socketpair};
use nix::unistd::Pid;

use super::Sink;
use crate::proc::ExitStatus;
use crate::proc::trace::record::{Malformed, Record};
use crate::profile::recorder::{ended, pass_on, take_over_signals};

/// How long the process may be dead before that is noticed, in ms, if others keep the socket open.
const INTERVAL: u16 = 50;
const PIECE: usize = 256 << 10;

/// The end of the socket to which records come.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
    bytes: Vec<u8>,
    last: u64,
}

/// How a traced run went.
#[derive(Debug)]
pub struct Traced {
    /// How the process ended.
    pub status: ExitStatus,
    /// How many instructions there are on the trace.
    pub instructions: u64,
    /// Why it is not whole, if it is not.
    pub failed: Option<io::Error>,
}

impl Receiver {
    /// A receiver, and the socket for the process that is traced.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (socket, other) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self { socket, bytes: Vec::new(), last: 0 }, other))
    }

    /// Takes records until the process `child`, which the calling one has made, ends, or there are `limit` instructions. Signals
    /// that are sent to the caller go to the child. If the trace goes on no more, the process does without.
    ///
    /// # Errors
    /// When the child cannot be waited for.
    pub fn run(mut self, child: Pid, mut sink: Box<dyn Sink>, limit: Option<u64>) -> io::Result<Traced> {
        let signals = take_over_signals()?;
        let (mut instructions, mut status, mut failed) = (0, None, None);
        let is_enough = |instructions| limit.is_some_and(|limit| instructions >= limit);
        while failed.is_none() && !is_enough(instructions) {
            pass_on(&signals, child);
            let mut ready = [self.socket.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let _ = poll(&mut ready, if status.is_some() { 0 } else { INTERVAL });
            match self.receive() {
                Ok(0) if status.is_some() => break,
                Ok(0) => status = ended(child)?,
                Ok(_) => failed = self.pass(&mut *sink, &mut instructions, &is_enough).err(),
                Err(error) => failed = Some(error),
            }
        }
        drop(self.socket);
        failed = sink.finish().err().map_or(failed, Some);
        let status = loop {
            if let Some(status) = status {
                break status;
            }
            pass_on(&signals, child);
            let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], INTERVAL);
            status = ended(child)?;
        };
        Ok(Traced { status, instructions, failed })
    }

    /// Returns how many bytes have come, without waiting.
    fn receive(&mut self) -> io::Result<usize> {
        let len = self.bytes.len();
        self.bytes.resize(len + PIECE, 0);
        let got = match recv(self.socket.as_raw_fd(), &mut self.bytes[len..], MsgFlags::MSG_DONTWAIT) {
            Ok(got) => got,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNRESET) => 0,
            Err(errno) => return Err(errno.into()),
        };
        self.bytes.truncate(len + got);
        Ok(got)
    }

    /// Passes on the records that are whole.
    fn pass(&mut self, sink: &mut dyn Sink, instructions: &mut u64, is_enough: &dyn Fn(u64) -> bool) -> io::Result<()> {
        let mut rest = &self.bytes[..];
        let malformed = |_: Malformed| io::Error::from(io::ErrorKind::InvalidData);
        while let Some((record, len)) = Record::read(&mut self.last, rest).map_err(malformed)? {
            sink.record(&record)?;
            if matches!(&record, Record::Executed(executed) if !executed.is_partial) {
                *instructions += 1;
                if is_enough(*instructions) {
                    return Ok(());
                }
            }
            rest = &rest[len..];
        }
        let done = self.bytes.len() - rest.len();
        self.bytes.drain(..done);
        Ok(())
    }
}
