//! Memory that processes of a run share, through fork(2) and execve(2): a memfd that each of them maps.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit};
use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

use crate::sys::descriptor::{duplicate_above_guest, duplicate_for_exec};

/// A file without a name, and where it is mapped. Pages take memory when they are first used.
#[derive(Debug)]
pub(super) struct SharedMemory {
    file: Arc<File>,
    region: MmapRegion,
}

impl SharedMemory {
    /// `len` bytes of zero.
    ///
    /// # Errors
    /// `EFBIG` if the caller may not make files of that size (RLIMIT_FSIZE), and those of memfd_create(2) and mmap(2).
    pub(super) fn new(name: &std::ffi::CStr, len: usize) -> io::Result<Self> {
        // To try it would send SIGXFSZ.
        if getrlimit(Resource::RLIMIT_FSIZE)?.0 < len as u64 {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let low = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
        let file = File::from(duplicate_above_guest(low.as_raw_fd())?);
        file.set_len(len as u64)?;
        Self::open(file, len)
    }

    /// What is behind `file`, which must have `len` bytes.
    pub(super) fn open(file: File, len: usize) -> io::Result<Self> {
        if file.metadata()?.len() < len as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let file = Arc::new(file);
        let place = FileOffset::from_arc(file.clone(), 0);
        let region = MmapRegion::from_file(place, len).map_err(io::Error::other)?;
        Ok(Self { file, region })
    }

    /// A descriptor of the file, for the next program of the process.
    pub(super) fn duplicate_for_exec(&self) -> io::Result<OwnedFd> {
        duplicate_for_exec(self.file.as_raw_fd())
    }

    /// The file, which may be longer.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where the byte at `offset` is mapped (HVA).
    pub(super) fn hva(&self, offset: usize) -> u64 {
        (self.region.as_ptr().addr() + offset) as u64
    }

    /// The word at `offset`, which is a multiple of 8 inside.
    #[inline]
    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        match self.region.get_atomic_ref(offset) {
            Ok(word) => word,
            Err(_) => unreachable!("{offset:#x} is not in the shared memory"),
        }
    }

    /// Copies `bytes` to `offset`, if they fit.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        if let Ok(slice) = self.region.get_slice(offset, bytes.len()) {
            slice.copy_from(bytes);
        }
    }

    /// Fills `bytes` from `offset`.
    pub(super) fn read(&self, offset: usize, bytes: &mut [u8]) {
        if let Ok(slice) = self.region.get_slice(offset, bytes.len()) {
            slice.copy_to(bytes);
        }
    }

    /// Makes whole pages zero again, and gives their memory back.
    pub(super) fn clear(&self, offset: usize, len: usize) -> io::Result<()> {
        let number = |value: usize| libc::off_t::try_from(value).map_err(io::Error::other);
        let how = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        Ok(fallocate(&*self.file, how, number(offset)?, number(len)?)?)
    }
}

/// Which pid namespace the calling process is in; 0 without /proc. From another one, numbers mean other processes.
pub(super) fn pid_namespace() -> u64 {
    nix::sys::stat::stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino)
}
