//! execve(2), execveat(2) (the kernel's `fs/exec.c`).
//!
//! All that can be wrong with a program is found before the runner executes itself with it, for from there on there is
//! no way back.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::RawFd;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit};

use super::SysResult;
use super::arg::{AtFlags, Fd, PathPtr};
use super::procfs;
use super::string::PATH_MAX;
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::loader::exec::{self, Aslr, ExecError, Program};
use crate::loader::script;
use crate::loader::stack::{MAX_ARG_STRLEN, args_limit};
use crate::proc::exit::leave_memory;
use crate::proc::handover::Ready;
use crate::proc::{HardLimitsGuard, Task};
use crate::sys::descriptor::with_soft_limit_up;

/// Bytes of a pointer.
const WORD: u64 = 8;

pub(super) fn sys_execve(task: &mut Task, path: PathPtr, argv: UserPtr<u64>, envp: UserPtr<u64>) -> SysResult {
    execute(task, &Request { dir: None, path, argv, envp, flags: 0 })
}

pub(super) fn sys_execveat(
    task: &mut Task,
    dir: Fd,
    path: PathPtr,
    argv: UserPtr<u64>,
    envp: UserPtr<u64>,
    flags: AtFlags,
) -> SysResult {
    if flags.0 & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) != 0 {
        task.missing(format_args!("execveat with flags {:#x}", flags.0));
        return Err(Errno::EINVAL);
    }
    execute(task, &Request { dir: Some(dir), path, argv, envp, flags: flags.0 })
}

/// What is to be executed.
struct Request {
    /// From where a relative path starts; the working directory if there is none.
    dir: Option<Fd>,
    path: PathPtr,
    argv: UserPtr<u64>,
    envp: UserPtr<u64>,
    flags: i32,
}

/// Returns only if the program cannot be executed. A vfork child leaves nothing allocated in its parent's memory.
fn execute(task: &mut Task, request: &Request) -> SysResult {
    let process = task.process.clone();
    let limits = process.limits.hold();
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let errno = with_soft_limit_up(|| -> Result<Errno, Errno> {
        let ready = prepare(task, request, &limits, soft)?;
        // A signal that is caught and not delivered would be lost with this image.
        task.signals.hold_off()?;
        // The others end with the execution.
        process.threads.hand_on_all(&process);
        task.end_sampling_of_process();
        task.note_peak_memory();
        leave_memory(task);
        task.become_first();
        task.leave_trace();
        task.leave_debugger();
        let errno = ready.execute(&task.process.settings);
        task.signals.let_in();
        task.resume_sampling();
        Ok(errno)
    });
    Err(errno??)
}

fn prepare(
    task: &Task,
    request: &Request,
    limits: &HardLimitsGuard<'_>,
    soft_descriptors: u64,
) -> Result<Ready, Errno> {
    let path = read_path(task, request)?;
    let file = open(task, request, &path)?;
    let (argv, envp) = Room::new(task).lists(request)?;
    let mut program = Program {
        execfn: name_of(request, &path)?,
        argv,
        envp,
        random: [0; 16],
        aslr: Aslr::default(),
        layout: task.process.settings.layout,
        is_hidden: is_hidden(request, &path),
    };
    let file = interpreted(task, file, &mut program).map_err(|error| error.errno())?;
    Ready::prepare(task, &program, &file, limits, soft_descriptors)
}

fn interpreted(task: &Task, file: File, program: &mut Program) -> Result<File, ExecError> {
    let file = script::follow(file, program, exec::open_interp)?;
    exec::check(&file, program, task.process.mm.limits().stack)?;
    Ok(file)
}

fn read_path(task: &Task, request: &Request) -> Result<CString, Errno> {
    let path = task.process.mm.read_string(request.path.0, PATH_MAX, Errno::ENAMETOOLONG)?;
    if path.is_empty() && request.flags & libc::AT_EMPTY_PATH == 0 {
        return Err(Errno::ENOENT);
    }
    CString::new(path).map_err(|_| Errno::EFAULT)
}

fn open(task: &Task, request: &Request, path: &CStr) -> Result<File, Errno> {
    match procfs::redirected(task, request.dir, path.to_bytes()) {
        Some(own) => crate::sys::exec::open(None, &own, 0),
        None => crate::sys::exec::open(request.dir.map(Fd::raw), path, request.flags),
    }
}

/// `bprm->filename`: the path, or one through /dev/fd where it starts at a descriptor (`alloc_bprm`).
fn name_of(request: &Request, path: &CStr) -> Result<CString, Errno> {
    let Some(dir) = start(request, path) else { return Ok(path.to_owned()) };
    let mut name = format!("/dev/fd/{dir}").into_bytes();
    if !path.is_empty() {
        name.push(b'/');
        name.extend(path.to_bytes());
    }
    CString::new(name).map_err(|_| Errno::EFAULT)
}

/// The descriptor that a path starts at.
fn start(request: &Request, path: &CStr) -> Option<RawFd> {
    let is_absolute = path.to_bytes().starts_with(b"/");
    request.dir.map(Fd::raw).filter(|&dir| dir != libc::AT_FDCWD && !is_absolute)
}

/// Is the descriptor that the path starts at closed by the time an interpreter would use it?
fn is_hidden(request: &Request, path: &CStr) -> bool {
    start(request, path).is_some() && request.dir.is_some_and(|dir| is_closed_on_exec(dir).unwrap_or(false))
}

fn is_closed_on_exec(fd: Fd) -> Result<bool, Errno> {
    let flags = fcntl(fd.borrow()?, FcntlArg::F_GETFD)?;
    Ok(FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC))
}

/// Reads arguments and environment, and gives up where they are more than any program can get.
struct Room<'a> {
    task: &'a Task,
    /// Bytes that are left for strings and pointers.
    left: u64,
}

impl<'a> Room<'a> {
    fn new(task: &'a Task) -> Self {
        Self { task, left: args_limit(task.process.mm.limits().stack) }
    }

    /// Arguments and environment, read in the kernel's order: all pointers, then the strings of the environment.
    fn lists(mut self, request: &Request) -> Result<(Vec<CString>, Vec<CString>), Errno> {
        let argv = self.pointers(request.argv)?;
        let envp = self.pointers(request.envp)?;
        let envp = self.strings(&envp)?;
        let mut argv = self.strings(&argv)?;
        if argv.is_empty() {
            argv.push(CString::default());
        }
        Ok((argv, envp))
    }

    /// A list that ends with a null pointer; a null list is an empty one.
    fn pointers(&mut self, list: UserPtr<u64>) -> Result<Vec<u64>, Errno> {
        let mut pointers = Vec::new();
        if list.is_null() {
            return Ok(pointers);
        }
        loop {
            match self.task.process.mm.read(list.at(pointers.len() as u64))? {
                0 => return Ok(pointers),
                pointer => pointers.push(pointer),
            }
            self.take(WORD)?;
        }
    }

    fn strings(&mut self, pointers: &[u64]) -> Result<Vec<CString>, Errno> {
        let most = usize::try_from(MAX_ARG_STRLEN).unwrap_or(usize::MAX);
        let mut strings = Vec::with_capacity(pointers.len());
        for &pointer in pointers {
            let bytes = self.task.process.mm.read_string(UserAddr::new(pointer), most, Errno::E2BIG)?;
            self.take(bytes.len() as u64 + 1)?;
            strings.push(CString::new(bytes).map_err(|_| Errno::EFAULT)?);
        }
        Ok(strings)
    }

    fn take(&mut self, len: u64) -> Result<(), Errno> {
        self.left = self.left.checked_sub(len).ok_or(Errno::E2BIG)?;
        Ok(())
    }
}
