//! gdb's remote protocol: a thread of the runner serves a gdb that connects to a port or a socket.

mod control;
mod link;
mod registers;
pub mod reverse;
mod target;
mod wire;

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gdbstub::common::Signal;
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event as Happened, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub, MultiThreadStopReason};
use gdbstub::target::ext::breakpoints::WatchKind;
use gdbstub::target::ext::catch_syscalls::CatchSyscallPosition;
use link::Link;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use target::Guest;

use crate::proc::debugger::{Event, Report};
use crate::proc::follow::Successor;
use crate::proc::{Debugger, ExitStatus, Task};
use crate::sys::{capture, thread};

/// Where gdb connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A port of the loopback device.
    Port(u16),
    /// A socket in the file system.
    Path(PathBuf),
}

impl Place {
    /// What an option says, which is a port if it has digits alone. `None` if there is no such port.
    pub fn parse(place: &str) -> Option<Self> {
        let port = place.strip_prefix(':').unwrap_or(place);
        if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
            port.parse().ok().map(Self::Port)
        } else {
            Some(Self::Path(place.into()))
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A socket that nobody listens at any more is replaced.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
            let refused =
                UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if !is_socket || !refused {
                return Err(error);
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

/// A gdb that has connected.
#[derive(Debug)]
pub struct Connection(Stream);

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// Waits for a gdb. `tell` is called with what its command `target remote` is to be told.
    ///
    /// # Errors
    /// Those of socket(2), bind(2) and accept(2).
    pub fn accept(place: &Place, tell: impl FnOnce(&str)) -> io::Result<Self> {
        match place {
            Place::Port(port) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port))?;
                tell(&format!("{}", listener.local_addr()?));
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Self::above_guest(stream.as_fd()).map(|fd| Self(Stream::Tcp(fd.into())))
            }
            Place::Path(path) => {
                let listener = bind(path)?;
                tell(&path.display().to_string());
                let accepted = listener.accept();
                // Nobody else can connect to it.
                let _ = fs::remove_file(Path::new(path));
                let (stream, _) = accepted?;
                Self::above_guest(stream.as_fd()).map(|fd| Self(Stream::Unix(fd.into())))
            }
        }
    }

    /// To a front, which speaks for gdb.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn of_front(socket: UnixStream) -> io::Result<Self> {
        Self::above_guest(socket.as_fd()).map(|fd| Self(Stream::Unix(fd.into())))
    }

    fn above_guest(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        crate::sys::duplicate_above_guest(fd.as_raw_fd())
    }

    fn reader(&self) -> &dyn AsFd {
        match &self.0 {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => stream,
        }
    }
}

/// Serves `connection` from now on, in a thread that ends with it. The guest of `task` has not begun.
///
/// # Errors
/// Those of clone(2).
pub fn serve(task: &Task, debugger: Arc<Debugger>, connection: Connection) -> io::Result<()> {
    let fd = connection.reader().as_fd().as_raw_fd();
    debugger.follow_by(Successor { connection: fd, serve: serve_in_child });
    task.catch_all_for_debugger().map_err(|_| io::ErrorKind::Interrupted)?;
    serve_by(task, debugger.clone(), Link::new(connection, debugger))
}

/// The same in a child, with a gdb that has come along.
fn serve_in_child(task: &Task, debugger: Arc<Debugger>, connection: OwnedFd, said: &[u8]) -> io::Result<()> {
    debugger.follow_by(Successor { connection: connection.as_raw_fd(), serve: serve_in_child });
    let connection = Connection(Stream::Unix(connection.into()));
    serve_by(task, debugger.clone(), Link::in_child(connection, debugger, task.tid().as_raw(), said))
}

fn serve_by(task: &Task, debugger: Arc<Debugger>, link: Link) -> io::Result<()> {
    let (process, first) = (task.process.clone(), task.tid());
    // It blocks all signals for good.
    task.signals.hold_off().map_err(|_| io::ErrorKind::Interrupted)?;
    let spawned = thread::spawn((process, debugger, link), move |(process, debugger, link)| {
        capture::send_on_to(first);
        let mut guest = Guest::new(process, debugger);
        guest.wait_for_start();
        let ended = GdbStub::new(link).run_blocking::<Loop>(&mut guest);
        match ended {
            Ok(DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_)) => guest.note_told(),
            Ok(DisconnectReason::Kill) => guest.kill(),
            Ok(DisconnectReason::Disconnect) => guest.detach(),
            Err(error) => {
                if !guest.is_gone() {
                    tracing::warn!("gdb is gone, the program goes on without it: {error}");
                }
                guest.detach();
            }
        }
    });
    task.signals.let_in();
    spawned.map_err(|_| io::ErrorKind::WouldBlock.into())
}

/// Waits for what comes first, from gdb or from the guest.
enum Loop {}

impl BlockingEventLoop for Loop {
    type Target = Guest;
    type Connection = Link;
    type StopReason = MultiThreadStopReason<u64>;

    fn wait_for_stop_reason(
        guest: &mut Guest,
        link: &mut Link,
    ) -> Result<Happened<Self::StopReason>, WaitForStopReasonError<io::Error, io::Error>> {
        loop {
            if let Some(byte) = link.ready() {
                return Ok(Happened::IncomingData(byte));
            }
            let bell = guest.debugger().bell();
            let mut fds = [PollFd::new(bell.as_fd(), PollFlags::POLLIN), PollFd::new(link.fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {}
                Err(nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Err(WaitForStopReasonError::Target(errno.into())),
            }
            let has_report = fds[0].any() == Some(true);
            if !has_report {
                link.fill().map_err(WaitForStopReasonError::Connection)?;
                continue;
            }
            if let Some(report) = guest.take_report() {
                return match stop_reason(guest, report) {
                    Some(reason) => Ok(Happened::TargetStopped(reason)),
                    None => Err(WaitForStopReasonError::Connection(io::ErrorKind::ConnectionReset.into())),
                };
            }
        }
    }

    fn on_interrupt(guest: &mut Guest) -> Result<Option<Self::StopReason>, io::Error> {
        guest.interrupt();
        // It comes as a report.
        Ok(None)
    }
}

fn stop_reason(guest: &Guest, report: Report) -> Option<MultiThreadStopReason<u64>> {
    use MultiThreadStopReason as Reason;
    let (tid, event) = match report {
        Report::Stopped(tid, event) => (target::tid(guest.shown(tid)), event),
        Report::Ended(ExitStatus::Code(code)) => return Some(Reason::Exited(code)),
        Report::Ended(ExitStatus::Signal(signal)) => return Some(Reason::Terminated(target::to_gdb(signal))),
        Report::Gone => return None,
    };
    let called = |number, position| Reason::CatchSyscall { tid: Some(tid), number, position };
    Some(match event {
        Event::Interrupt => Reason::SignalWithThread { tid, signal: Signal::SIGINT },
        Event::Step => Reason::SignalWithThread { tid, signal: Signal::SIGTRAP },
        Event::Breakpoint => Reason::SwBreak(tid),
        Event::Watch(watchpoint) => {
            let kind = match (watchpoint.reads, watchpoint.writes) {
                (true, true) => WatchKind::ReadWrite,
                (true, false) => WatchKind::Read,
                _ => WatchKind::Write,
            };
            Reason::Watch { tid, kind, addr: watchpoint.addr }
        }
        Event::Signal(signal) => Reason::SignalWithThread { tid, signal: target::to_gdb(signal) },
        Event::Call(nr) => called(nr, CatchSyscallPosition::Entry),
        Event::Returned(nr) => called(nr, CatchSyscallPosition::Return),
        Event::Fork(pid) => Reason::Fork { cur_tid: tid, new_tid: target::tid(pid) },
    })
}
