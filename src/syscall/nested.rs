//! Memory that a structure of the guest's points to, for a host call that gets a translated copy of the structure.

use super::host::HostArg;
use crate::abi::{Errno, TASK_SIZE, UserAddr, UserPtr};
use crate::mm::AddressSpace;
use crate::proc::Task;
use crate::signal::mask::SigSet;
use crate::sys::descriptor::guest_limit;

/// A pointer that is bad for the host kernel too, to stand for one of the guest's that could not be read.
pub(super) const BAD: u64 = TASK_SIZE;

/// Bytes of a signal set.
const SIGNAL_SET_LEN: u64 = 8;

/// Memory of the guest's that the host reads or writes: in place, or by way of a copy where host addresses are not in
/// one piece.
#[derive(Debug)]
pub(super) struct HostBuffer {
    addr: UserAddr,
    hva: u64,
    copy: Vec<u8>,
}

impl HostBuffer {
    /// `len` bytes at `addr`; null stays null.
    pub(super) fn new(mm: &AddressSpace, addr: UserAddr, len: usize) -> Self {
        if addr.is_null() {
            return Self { addr, hva: 0, copy: Vec::new() };
        }
        mm.before_write(addr, len as u64);
        if mm.arena().is_contiguous(addr.raw(), len as u64) || !addr.is_user_range(len as u64) {
            return Self { addr, hva: mm.hva(addr.raw()), copy: Vec::new() };
        }
        let mut copy = vec![0; len];
        mm.copy_in_partly(addr, &mut copy);
        Self { addr, hva: copy.as_mut_ptr().addr() as u64, copy }
    }

    /// What the host's structure points to.
    pub(super) fn hva(&self) -> u64 {
        self.hva
    }

    /// Hands the first `len` bytes that the host has written to the guest.
    pub(super) fn finish(&self, mm: &AddressSpace, len: usize) -> Result<(), Errno> {
        mm.copy_out(self.addr, &self.copy[..len.min(self.copy.len())])
    }
}

/// The number of a descriptor as the host may see it: one of the runner's is one that nobody has.
pub(super) fn hide_runner_fd(fd: i32) -> i32 {
    if fd >= guest_limit() { -1 } else { fd }
}

/// A signal mask for a host call, without what the host never blocks.
///
/// A wrong size or address makes the host call fail as it does on Linux, at the place among its other checks.
#[derive(Debug)]
pub(super) struct MaskArg {
    set: Option<SigSet>,
    bytes: [u8; 8],
    is_null: bool,
}

impl MaskArg {
    /// Reads the mask.
    pub(super) fn read(task: &Task, from: UserPtr<u64>, size: u64) -> Self {
        let is_null = from.is_null();
        let set = if is_null || size != SIGNAL_SET_LEN { None } else { task.process.mm.read(from).ok() };
        let set = set.map(|bits| SigSet::from_bits(bits).minus(SigSet::UNBLOCKABLE));
        Self { set, bytes: set.map_or(0, |set| set.host_mask().bits()).to_ne_bytes(), is_null }
    }

    /// As the guest means it.
    pub(super) fn set(&self) -> Option<SigSet> {
        self.set
    }

    /// As the host gets it.
    pub(super) fn arg(&self) -> HostArg<'_> {
        match self.set {
            Some(_) => HostArg::In(&self.bytes),
            None => HostArg::Int(if self.is_null { 0 } else { BAD }),
        }
    }

    /// As the host gets it in a structure.
    pub(super) fn addr(&self) -> u64 {
        match self.arg() {
            HostArg::In(bytes) => bytes.as_ptr().addr() as u64,
            _ if self.is_null => 0,
            _ => BAD,
        }
    }
}
