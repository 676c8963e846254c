//! Strings that the guest names: paths, names of attributes, types of file systems.

use std::ffi::CString;

use super::arg::{Fd, PathPtr};
use super::host::HostArg;
use super::procfs;
use crate::abi::{Errno, TASK_SIZE, UserAddr};
use crate::proc::Task;

/// Longest path with its NUL (`PATH_MAX` in the kernel's `include/uapi/linux/limits.h`).
pub(super) const PATH_MAX: usize = 4096;

/// A string of the guest's, read once.
///
/// A host call gets the copy. Where there is none it gets a pointer as bad as the guest's, and where the string is
/// too long one that is as much too long: so the host kernel reports what is wrong, at the place among its other
/// checks that it has on Linux.
#[derive(Debug)]
pub(super) enum HostString {
    /// The copy.
    Copied(CString),
    /// The null pointer, which some calls allow.
    Null,
    /// Memory that cannot be read.
    Unreadable,
}

impl<'a> From<&'a HostString> for HostArg<'a> {
    fn from(string: &'a HostString) -> Self {
        match string {
            HostString::Copied(string) => string.as_c_str().into(),
            HostString::Null => Self::Int(0),
            HostString::Unreadable => Self::Int(TASK_SIZE),
        }
    }
}

impl Task {
    /// The path at `path`, for the host (`getname` in the kernel's `fs/namei.c`).
    ///
    /// A name of the runner's executable becomes one of the program's, and what the guest does not have one of nothing.
    pub(super) fn path(&self, path: PathPtr) -> HostString {
        self.path_from(None, path)
    }

    /// [`Task::path`], where a relative path starts from the directory `dir`.
    pub(super) fn path_at(&self, dir: Fd, path: PathPtr) -> HostString {
        self.path_from(Some(dir), path)
    }

    fn path_from(&self, dir: Option<Fd>, path: PathPtr) -> HostString {
        match self.string(path.0, PATH_MAX) {
            HostString::Copied(name) => {
                let name = procfs::with_host_id(self, name);
                HostString::Copied(procfs::redirected(self, dir, name.to_bytes()).unwrap_or(name))
            }
            other => other,
        }
    }

    /// The string at `from`, of which the host kernel looks at no more than `max` bytes, the NUL included.
    pub(super) fn string(&self, from: UserAddr, max: usize) -> HostString {
        if from.is_null() {
            return HostString::Null;
        }
        let bytes = match self.process.mm.read_string(from, max, Errno::ENAMETOOLONG) {
            Ok(bytes) => bytes,
            Err(Errno::ENAMETOOLONG) => vec![b'/'; max],
            Err(_) => return HostString::Unreadable,
        };
        CString::new(bytes).map_or(HostString::Unreadable, HostString::Copied)
    }
}
