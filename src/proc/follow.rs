//! Going over to a child: a process that a debugged one makes by fork(2) waits until the debugger has said whether it comes along.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Task;
use super::debugger::{Debugger, Event};
use crate::abi::Errno;
use crate::signal::action::Disposition;
use crate::signal::mask::{MAX_SIGNAL, SigSet};
use crate::sys::{capture, duplicate_above_guest};
use crate::vm::VmError;

/// What serves the debugger in a child that it goes over to.
#[derive(Clone, Copy, Debug)]
pub struct Successor {
    /// The debugger's connection, which the child inherits.
    pub connection: RawFd,
    /// Serves it from now on, as is said. The guest of the task has not gone on.
    pub serve: fn(&Task, Arc<Debugger>, OwnedFd, &[u8]) -> io::Result<()>,
}

/// Of a debugger that can go over to children.
#[derive(Debug, Default)]
pub(super) struct Followed {
    successor: Option<Successor>,
    child: Option<Child>,
}

/// A child that waits.
#[derive(Debug)]
struct Child {
    pid: i32,
    tell: UnixStream,
    /// What is written there, for the successor; nothing if the debugger stays.
    said: Vec<u8>,
}

/// The two ends of what a child is told by, above the guest's descriptors.
#[derive(Debug)]
pub(super) struct Way {
    parents: UnixStream,
    childs: UnixStream,
}

impl Debugger {
    /// Has processes that the program makes wait, so that the debugger may go over to them.
    pub fn follow_by(&self, successor: Successor) {
        if !self.is_deterministic {
            self.followed().successor = Some(successor);
        }
    }

    /// The pid of the child that waits.
    pub fn child(&self) -> Option<i32> {
        self.followed().child.as_ref().map(|child| child.pid)
    }

    /// What the successor in the child that waits is told when the debugger has left this process.
    pub fn tell_successor(&self, said: Vec<u8>) {
        self.followed().child.iter_mut().for_each(|child| child.said.clone_from(&said));
    }

    /// Lets the child that waits go on: without the debugger, if there is nothing to tell its successor.
    pub fn leave_child(&self) {
        if let Some(mut child) = self.followed().child.take() {
            // It may have been killed.
            let _ = child.tell.write_all(&child.said);
        }
    }

    pub(super) fn followed(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// Is there a debugger that sees what this process does?
    pub fn is_debugged(&self) -> bool {
        self.process.debugger.as_ref().is_some_and(|debugger| debugger.is_of_caller())
    }

    /// Catches a signal that would end the process on the host, so that the debugger sees it first. Whoever is not ended after
    /// all goes on with the call that it was at.
    ///
    /// # Errors
    /// `ERESTARTNOINTR` if there is a signal to deliver first.
    pub fn catch_for_debugger(&self, signal: i32) -> Result<(), Errno> {
        if SigSet::SYNCHRONOUS.union(SigSet::UNBLOCKABLE).contains(signal) {
            return Ok(());
        }
        capture::catch(signal, u64::from(libc::SA_RESTART.unsigned_abs()))
    }

    /// The same for all such signals.
    ///
    /// # Errors
    /// As above.
    pub fn catch_all_for_debugger(&self) -> Result<(), Errno> {
        let fatal = |signal: &i32| {
            let action = self.process.actions.action(*signal);
            action.is_ok_and(|action| action.disposition(*signal) == Disposition::Fatal)
        };
        (1..=MAX_SIGNAL).filter(fatal).try_for_each(|signal| self.catch_for_debugger(signal))
    }

    /// Before it makes a process by fork(2), if a debugger may go over to that. To be followed by [`Self::show_fork`] and, in the
    /// child, [`Self::wait_for_debugger`].
    pub(super) fn way_for_debugger(&self) -> Option<Way> {
        let debugger = self.process.debugger.as_ref().filter(|debugger| debugger.is_of_caller())?;
        debugger.followed().successor?;
        let (parents, childs) = UnixStream::pair().ok()?;
        let above = |socket: UnixStream| duplicate_above_guest(socket.as_raw_fd()).map(UnixStream::from).ok();
        Some(Way { parents: above(parents)?, childs: above(childs)? })
    }

    /// Has the debugger decide about the child.
    pub(super) fn show_fork(&mut self, way: Way, pid: i32) -> Result<(), VmError> {
        drop(way.childs);
        if let Some(debugger) = &self.process.debugger {
            // One that waited already goes on.
            debugger.followed().child = Some(Child { pid, tell: way.parents, said: Vec::new() });
        }
        self.stop_with(Event::Fork(pid))?;
        if let Some(debugger) = self.process.debugger.as_ref().filter(|debugger| !debugger.is_of_caller()) {
            debugger.leave_child();
        }
        Ok(())
    }

    /// Waits, in a child, for the debugger, and has it served here if it comes.
    pub(super) fn wait_for_debugger(&self, way: Way) -> io::Result<()> {
        let Way { parents, mut childs } = way;
        drop(parents);
        let mut said = Vec::new();
        childs.read_to_end(&mut said)?;
        let Some(debugger) = self.process.debugger.clone() else { return Ok(()) };
        // Of another child, maybe.
        debugger.leave_child();
        let successor = debugger.followed().successor.take();
        let Some(Successor { connection, serve }) = successor else { return Ok(()) };
        let own = duplicate_above_guest(connection)?;
        nix::unistd::close(connection)?;
        if said.is_empty() {
            return Ok(());
        }
        debugger.adopt()?;
        serve(self, debugger, own, &said)
    }
}
