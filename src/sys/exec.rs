//! Files that are executed, and the execution of the runner itself.

#![expect(unsafe_code, reason = "execveat(2) and prctl(2)")]

use std::ffi::CStr;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::copy::Hva;
use crate::abi::{Errno, TASK_SIZE};

/// Opens a file for execution: the one that execveat(2) would execute for the same arguments, with its errors. `dir` is
/// the working directory if there is none.
///
/// A file that may be executed and not read is the exception: it is refused with `EACCES`.
pub fn open(dir: Option<RawFd>, path: &CStr, flags: i32) -> Result<File, Errno> {
    let dir = dir.unwrap_or(libc::AT_FDCWD);
    check(dir, path, flags)?;
    let file = File::from(open_to_read(dir, path, flags)?);
    // Another file may have this name by now.
    if SFlag::from_bits_truncate(fstat(&file)?.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFREG {
        return Err(Errno::EACCES);
    }
    Ok(file)
}

/// Lets the kernel look for all that is wrong with the file: path, rights, a writer that has it open. It opens the file
/// before it reads the arguments, whose address is a bad one, so that it goes no further (`do_execveat_common`).
fn check(dir: RawFd, path: &CStr, flags: i32) -> Result<(), Errno> {
    let environment = [ptr::null::<libc::c_char>()];
    // SAFETY: never succeeds; the kernel reads the path.
    unsafe { libc::syscall(libc::SYS_execveat, dir, path.as_ptr(), TASK_SIZE, environment.as_ptr(), flags) };
    match Errno::last_os_error() {
        Errno::EFAULT => Ok(()),
        errno => Err(errno),
    }
}

fn open_to_read(dir: RawFd, path: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    // Neither waits for the other end of a pipe nor becomes the terminal of a session.
    let mut how = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    // SAFETY: a closed descriptor makes the call fail with EBADF.
    let dir = unsafe { BorrowedFd::borrow_raw(dir) };
    if path.is_empty() && flags & libc::AT_EMPTY_PATH != 0 {
        let own = format!("/proc/self/fd/{}", dir.as_raw_fd());
        return Ok(openat(dir, own.as_str(), how, Mode::empty())?);
    }
    if flags & libc::AT_SYMLINK_NOFOLLOW != 0 {
        how |= OFlag::O_NOFOLLOW;
    }
    Ok(openat(dir, path, how, Mode::empty())?)
}

/// This program's file, above the guest's descriptors; none without /proc.
pub fn own_executable() -> Option<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let low = nix::fcntl::open("/proc/self/exe", flags, Mode::empty()).ok()?;
    super::duplicate_above_guest(low.as_raw_fd()).ok()
}

/// Replaces this process by the program behind `file`, with an empty environment. Returns only if that fails.
pub fn execute(file: RawFd, args: [&CStr; 2]) -> Errno {
    let args = [args[0].as_ptr(), args[1].as_ptr(), ptr::null()];
    let environment = [ptr::null::<libc::c_char>()];
    // SAFETY: the kernel reads strings and lists that end with a null pointer.
    unsafe {
        libc::syscall(libc::SYS_execveat, file, c"".as_ptr(), args.as_ptr(), environment.as_ptr(), libc::AT_EMPTY_PATH);
    }
    Errno::last_os_error()
}

/// Where the arguments, the environment and the auxiliary vector of the guest lie: arena addresses.
#[derive(Clone, Debug)]
pub struct Strings {
    /// Arguments.
    pub args: Range<Hva>,
    /// Environment.
    pub env: Range<Hva>,
    /// Auxiliary vector.
    pub auxv: Range<Hva>,
}

/// The kernel's `struct prctl_mm_map`.
#[derive(Debug)]
#[repr(C)]
struct MmMap {
    /// From `start_code` to `start_stack`, in the order of the kernel's fields.
    own: [u64; 7],
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Makes `/proc/PID/cmdline`, `environ` and `auxv` of this process show the guest's, as prctl(2) says under
/// `PR_SET_MM_MAP`. What a kernel without checkpoint and restore refuses stays as it is.
pub fn show_strings(strings: &Strings) {
    const NO_FILE: u32 = u32::MAX;
    let Some(own) = own_layout() else { return };
    let Ok(auxv_size) = u32::try_from(strings.auxv.end - strings.auxv.start) else { return };
    let map = MmMap {
        own,
        arg_start: strings.args.start,
        arg_end: strings.args.end,
        env_start: strings.env.start,
        env_end: strings.env.end,
        auxv: strings.auxv.start,
        auxv_size,
        exe_fd: NO_FILE,
    };
    // SAFETY: the kernel reads the structure and the auxiliary vector, and notes numbers that /proc shows; those that
    // brk(2) goes by stay as they are.
    let _ = unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, &raw const map, size_of::<MmMap>(), 0) };
}

/// Start and end of code, of data and of the break, and the start of the stack, from `/proc/self/stat` (proc_pid_stat(5)).
fn own_layout() -> Option<[u64; 7]> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    // SAFETY: asks for the break and changes nothing.
    let brk = unsafe { libc::syscall(libc::SYS_brk, 0) };
    Some([field(26)?, field(27)?, field(45)?, field(46)?, field(47)?, brk.cast_unsigned(), field(28)?])
}
