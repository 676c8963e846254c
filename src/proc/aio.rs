//! Contexts of asynchronous I/O, and the requests under way in them (the kernel's `fs/aio.c`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::unistd::{Pid, getpid};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::abi::UserAddr;

/// `struct iocb` of the kernel's `include/uapi/linux/aio_abi.h`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Iocb {
    /// The guest's own number of it.
    pub user: u64,
    /// Set by the kernel.
    pub key: u32,
    /// `RWF_*`
    pub rw_flags: u32,
    /// `IOCB_CMD_*`
    pub operation: u16,
    /// Priority.
    pub priority: i16,
    /// The file.
    pub descriptor: i32,
    /// Address of the bytes, or of an array of buffers.
    pub buffer: u64,
    /// Bytes, or buffers.
    pub len: u64,
    /// Place in the file.
    pub offset: u64,
    /// 0
    pub reserved: u64,
    /// `IOCB_FLAG_*`
    pub flags: u32,
    /// Where completion is told as well.
    pub event_fd: i32,
}

/// A request under way.
#[derive(Debug)]
struct Request {
    /// What the host was given: its place names the request.
    copy: Box<Iocb>,
    /// Where the guest has it.
    guest: UserAddr,
    /// In which context, by the host's name.
    context: u64,
}

/// The contexts of a process.
#[derive(Debug)]
pub struct AsyncIo(Mutex<State>);

#[derive(Debug)]
struct State {
    /// A child has none of its parent's.
    process: Pid,
    /// The host's name of each context, by the guest's.
    contexts: BTreeMap<u64, u64>,
    /// By the place of the copy.
    requests: BTreeMap<u64, Request>,
}

impl State {
    fn empty() -> Self {
        Self { process: getpid(), contexts: BTreeMap::new(), requests: BTreeMap::new() }
    }
}

impl Default for AsyncIo {
    fn default() -> Self {
        Self(Mutex::new(State::empty()))
    }
}

impl AsyncIo {
    /// Adds the context `host`, which the guest knows as `guest`.
    pub fn add_context(&self, guest: u64, host: u64) {
        self.lock().contexts.insert(guest, host);
    }

    /// The host's name of a context; 0, which is none, if the guest has no such context.
    pub fn context(&self, guest: u64) -> u64 {
        self.lock().contexts.get(&guest).copied().unwrap_or(0)
    }

    /// Forgets a context that has ended, and its requests.
    pub fn remove_context(&self, guest: u64) {
        let mut state = self.lock();
        if let Some(host) = state.contexts.remove(&guest) {
            state.requests.retain(|_, request| request.context != host);
        }
    }

    /// Keeps a request that is about to be submitted, and returns the address that names it.
    pub fn add_request(&self, context: u64, guest: UserAddr, iocb: Iocb) -> u64 {
        let copy = Box::new(iocb);
        let name = (&raw const *copy).addr() as u64;
        self.lock().requests.insert(name, Request { copy, guest, context });
        name
    }

    /// Forgets a request that has ended, and returns where the guest has it.
    pub fn remove_request(&self, name: u64) -> Option<UserAddr> {
        self.lock().requests.remove(&name).map(|request| request.guest)
    }

    /// The address that names a request under way; 0 if there is none.
    pub fn request(&self, context: u64, guest: UserAddr) -> u64 {
        let state = self.lock();
        let found = state.requests.values().find(|request| request.context == context && request.guest == guest);
        found.map_or(0, |request| (&raw const *request.copy).addr() as u64)
    }

    /// Keeps others from adding or taking requests while what it returns lives.
    pub(super) fn hold(&self) -> impl Sized {
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.process != getpid() {
            *state = State::empty();
        }
        state
    }
}
