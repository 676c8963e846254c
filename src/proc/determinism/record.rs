//! What a run did, for a comparison with another one: each system call, and how each process ended. It follows the board
//! in the same file.

use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::xxh3_64;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::Board;
use super::board::{BOARD_LEN, Head};
use crate::abi::{PAGE_SIZE, UserAddr};
use crate::mm::AddressSpace;
use crate::x86::UserRegs;
use crate::x86::xstate::{self, XsaveImage};

/// One thing that a run did, as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Event {
    kind: u32,
    /// The guest's number of the thread.
    pub thread: u32,
    /// Number of a call, place of a register in [`register_name`], or an address.
    pub what: u64,
    /// The result of a call, the value of a register, or the digest of a page.
    pub value: u64,
    /// Digest of a call's arguments and of where it was made.
    pub digest: u64,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A system call.
    Call,
    /// A register of the thread that ended its process, or the digest of one of vectors or x87.
    Register,
    /// A page of memory of a process that ended.
    Page,
    /// Code that may tell and was left as it is; the value is 1 if ordinary code may execute it.
    LeftCode,
}

impl Event {
    /// What it is.
    pub fn kind(&self) -> Kind {
        [Kind::Call, Kind::Register, Kind::Page]
            .into_iter()
            .find(|kind| *kind as u32 == self.kind)
            .unwrap_or(Kind::LeftCode)
    }
}

/// Names of the registers that are recorded, in order.
const REGISTERS: [&str; 18] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "rip", "rflags",
];

/// The register that is recorded at this place.
pub fn register_name(place: u64) -> Option<&'static str> {
    let place = usize::try_from(place).ok()?;
    REGISTERS.iter().chain(&xstate::REGISTERS).nth(place).copied()
}

pub(in crate::proc) fn values(regs: &UserRegs) -> [u64; 18] {
    let UserRegs { rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags } = *regs;
    [rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags]
}

impl Board {
    /// Records what happens from now on.
    pub fn start_recording(&self) {
        self.set(Head::IsRecorded, 1);
    }

    /// Is it recorded what happens?
    pub fn is_recorded(&self) -> bool {
        self.get(Head::IsRecorded) != 0
    }

    /// Records a system call of `thread` that was made at `rip`.
    pub fn record_call(&self, thread: i32, nr: u64, (args, rip): (&[u64; 6], u64), result: u64) {
        let digest = xxh3_64([args.as_slice(), &[rip]].concat().as_bytes());
        self.append(&[Event {
            kind: Kind::Call as u32,
            thread: thread.unsigned_abs(),
            what: nr,
            value: result,
            digest,
        }]);
    }

    /// Records the end of a process: by which registers, and what is in its memory.
    pub fn record_end(&self, thread: i32, (regs, extended): (&UserRegs, &XsaveImage), mm: &AddressSpace) {
        let event = |kind: Kind, what, value| Event {
            kind: kind as u32,
            thread: thread.unsigned_abs(),
            what,
            value,
            digest: 0,
        };
        let extended = xstate::register_values(extended).into_iter().map(|value| xxh3_64(&value));
        let registers = (0u64..)
            .zip(values(regs).into_iter().chain(extended))
            .map(|(place, value)| event(Kind::Register, place, value));
        let mut events: Vec<Event> = registers.collect();
        let mut page = vec![0; usize::try_from(PAGE_SIZE).unwrap_or(4096)];
        for range in mm.own_memory() {
            for addr in (range.start()..range.end()).step_by(page.len()) {
                // Past the end of a file there is nothing; nor does a page of zeros tell whether it was ever used.
                let is_there = mm.copy_in(UserAddr::new(addr), &mut page).is_ok();
                if is_there && page.iter().any(|&byte| byte != 0) {
                    events.push(event(Kind::Page, addr, xxh3_64(&page)));
                }
            }
        }
        let left = mm.unreplaced_code();
        events.extend(left.into_iter().map(|(addr, is_likely)| event(Kind::LeftCode, addr, is_likely.into())));
        self.append(&events);
    }

    /// If the file cannot grow, the record ends there, for all runs alike: it is compared as it is.
    fn append(&self, events: &[Event]) {
        let recorded = self.get(Head::Recorded);
        let place = BOARD_LEN as u64 + recorded * size_of::<Event>() as u64;
        if self.memory().file().write_all_at(events.as_bytes(), place).is_ok() {
            self.set(Head::Recorded, recorded + events.len() as u64);
        } else {
            self.set(Head::IsCutOff, 1);
        }
    }

    /// All that was recorded.
    ///
    /// # Errors
    /// `StorageFull` if there was no room for all of it.
    pub fn recorded(&self) -> io::Result<Vec<Event>> {
        if self.get(Head::IsCutOff) != 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = usize::try_from(self.get(Head::Recorded)).map_err(io::Error::other)?;
        let mut events = Event::new_vec_zeroed(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.memory().file().read_exact_at(events.as_mut_slice().as_mut_bytes(), BOARD_LEN as u64)?;
        Ok(events)
    }
}
