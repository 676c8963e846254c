//! What one thread rings and another waits for, beside other descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::sys::duplicate_above_guest;

/// Readable when it has been rung. Its descriptors are above the guest's.
#[derive(Debug)]
pub struct Bell {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Bell {
    /// # Errors
    /// Those of pipe(2) and fcntl(2).
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self {
            reader: duplicate_above_guest(reader.as_raw_fd())?,
            writer: duplicate_above_guest(writer.as_raw_fd())?,
        })
    }

    /// There is never more than one ring in it.
    pub(super) fn ring(&self) {
        let _ = nix::unistd::write(&self.writer, &[0]);
    }

    /// It has been heard.
    pub(super) fn take(&self) {
        let _ = nix::unistd::read(&self.reader, &mut [0]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
