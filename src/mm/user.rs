//! Copies between the runner and guest memory (`copy_from_user`, `copy_to_user`).
//!
//! No lock is taken and no VMA is looked up: translation is a fixed function, and the host's own mappings say what
//! is allowed. Each value is read once; what is checked is the copy.

#![expect(unsafe_code, reason = "writes into the arena")]

use std::sync::atomic::Ordering;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::AddressSpace;
use crate::abi::{Errno, PAGE_SIZE, UserAddr, UserPtr};
use crate::sys::copy;

impl AddressSpace {
    /// Fills `to` from guest memory; `EFAULT` unless all of it can be read.
    pub fn copy_in(&self, from: UserAddr, to: &mut [u8]) -> Result<(), Errno> {
        if self.copy_in_partly(from, to) == to.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Fills as much of `to` as can be read, and returns how much that is.
    pub fn copy_in_partly(&self, from: UserAddr, to: &mut [u8]) -> usize {
        if !from.is_user_range(to.len() as u64) {
            return 0;
        }
        self.before_access(from, to.len() as u64);
        self.peek(from, to)
    }

    /// The same within user space, where no stack has to grow: for callers that hold the address space.
    pub(super) fn peek(&self, from: UserAddr, to: &mut [u8]) -> usize {
        if self.arena.is_contiguous(from.raw(), to.len() as u64) {
            return copy::copy_from(self.arena.hva(from.raw()), to);
        }
        let mut done = 0;
        for run in self.arena.runs(from.raw(), to.len() as u64) {
            let part = &mut to[done..done + usize::try_from(run.len).unwrap_or(0)];
            let copied = copy::copy_from(run.hva, part);
            done += copied;
            if copied as u64 != run.len {
                break;
            }
        }
        done
    }

    /// Writes `from` to guest memory; `EFAULT` unless all of it can be written.
    pub fn copy_out(&self, to: UserAddr, from: &[u8]) -> Result<(), Errno> {
        if self.copy_out_partly(to, from) == from.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Writes as much of `from` as possible, and returns how much that is.
    pub fn copy_out_partly(&self, to: UserAddr, from: &[u8]) -> usize {
        if !to.is_user_range(from.len() as u64) {
            return 0;
        }
        self.before_write(to, from.len() as u64);
        self.poke(to, from)
    }

    /// The same within user space, where no stack has to grow and no code is that was looked at: for callers that hold the
    /// address space.
    pub(super) fn poke(&self, to: UserAddr, from: &[u8]) -> usize {
        if self.arena.is_contiguous(to.raw(), from.len() as u64) {
            // SAFETY: below TASK_SIZE, `hva` gives arena addresses only.
            return unsafe { copy::copy_to(self.arena.hva(to.raw()), from) };
        }
        let mut done = 0;
        for run in self.arena.runs(to.raw(), from.len() as u64) {
            let part = &from[done..done + usize::try_from(run.len).unwrap_or(0)];
            // SAFETY: runs are arena addresses.
            let copied = unsafe { copy::copy_to(run.hva, part) };
            done += copied;
            if copied as u64 != run.len {
                break;
            }
        }
        done
    }

    /// Writes `new` to the word at `addr`, a multiple of 4, if it holds `old`, as one step; returns what it held.
    pub fn compare_exchange(&self, addr: UserAddr, old: u32, new: u32) -> Result<u32, Errno> {
        if !addr.is_user_range(4) {
            return Err(Errno::EFAULT);
        }
        // SAFETY: below TASK_SIZE, `hva` gives arena addresses only.
        unsafe { copy::compare_exchange(self.arena.hva(addr.raw()), old, new) }.ok_or(Errno::EFAULT)
    }

    /// Reads a structure.
    pub fn read<T: FromBytes + IntoBytes>(&self, from: UserPtr<T>) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.copy_in(from.addr(), value.as_mut_bytes())?;
        Ok(value)
    }

    /// Writes a structure.
    pub fn write<T: IntoBytes + Immutable>(&self, to: UserPtr<T>, value: &T) -> Result<(), Errno> {
        self.copy_out(to.addr(), value.as_bytes())
    }

    /// Reads `count` structures that follow each other.
    pub fn read_array<T: FromBytes + IntoBytes + Immutable>(
        &self,
        from: UserPtr<T>,
        count: usize,
    ) -> Result<Vec<T>, Errno> {
        let mut values = T::new_vec_zeroed(count).map_err(|_| Errno::ENOMEM)?;
        self.copy_in(from.addr(), values.as_mut_slice().as_mut_bytes())?;
        Ok(values)
    }

    /// Reads a string up to and without its NUL. `EFAULT` if memory ends first, `too_long` if there is none within
    /// `max` bytes.
    pub fn read_string(&self, from: UserAddr, max: usize, too_long: Errno) -> Result<Vec<u8>, Errno> {
        let mut string = Vec::new();
        while string.len() < max {
            let at = from.wrapping_add(string.len() as u64);
            // Never past a page border that the string does not reach.
            let step = usize::try_from(PAGE_SIZE - at.page_offset()).unwrap_or(1).min(max - string.len()).min(256);
            let mut piece = [0; 256];
            let got = self.copy_in_partly(at, &mut piece[..step]);
            if let Some(end) = piece[..got].iter().position(|&byte| byte == 0) {
                string.extend_from_slice(&piece[..end]);
                return Ok(string);
            }
            if got < step {
                return Err(Errno::EFAULT);
            }
            string.extend_from_slice(&piece[..got]);
        }
        Err(too_long)
    }

    /// Grows a stack that an access by the host would grow on Linux.
    #[inline]
    pub fn before_access(&self, addr: UserAddr, len: u64) {
        let low = self.stack_gap[0].load(Ordering::Relaxed);
        let high = self.stack_gap[1].load(Ordering::Relaxed);
        let start = addr.raw();
        let end = start.saturating_add(len);
        if (start < high && end > low) || self.has_growsdown.load(Ordering::Relaxed) {
            self.grow_for(start, end);
        }
    }

    /// [`Self::before_access`] where the host may write: code that was looked at is looked at again.
    #[inline]
    pub fn before_write(&self, addr: UserAddr, len: u64) {
        self.before_access(addr, len);
        if self.has_writable_text.load(Ordering::Relaxed) {
            self.look_again(addr, len, false);
        }
    }

    /// The same where it does so whether the guest may or not.
    pub fn before_write_by_force(&self, addr: UserAddr, len: u64) {
        if self.text_scan.get().is_some() {
            self.look_again(addr, len, true);
        }
    }

    #[cold]
    fn grow_for(&self, start: u64, end: u64) {
        let mut inner = self.lock();
        let is_inside = |addr: u64| inner.vmas.find(addr).is_some();
        if !is_inside(start) && end > start {
            // Whether it grew or not, the access itself finds out.
            let _ = self.grow_stack(&mut inner, start);
        }
    }
}
