//! What a run that a debugger has begun anew writes to the standard files, as long as one before it wrote the same: nothing.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::fstat;

use super::super::Outcome;
use super::super::SysResult;
use super::super::arg::{Arg, Fd};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;

/// Most buffers of one call (`UIO_MAXIOV`).
const MOST_BUFFERS: u64 = 1024;
/// Read at a time, to see whether it can be.
const PIECE: usize = 1 << 16;

/// What the call would return, if it is one that is not to be made. A call that fails at once is made.
pub(super) fn answer(task: &Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    let is_write =
        matches!(nr, libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 | libc::SYS_pwritev | libc::SYS_pwritev2);
    let (board, _) = task.on_board()?;
    if !is_write || !board.has_quiet() {
        return None;
    }
    let fd = Fd::decode(args[0]).ok()?;
    let file = fd.borrow().ok()?;
    let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL).ok()?);
    let is_open = flags.contains(OFlag::O_WRONLY) || flags.contains(OFlag::O_RDWR);
    if !is_open || !board.is_quiet(&fstat(file).ok()?) {
        return None;
    }
    let buffers = match nr {
        libc::SYS_write | libc::SYS_pwrite64 => vec![[args[1], args[2]]],
        _ => buffers(task, args)?,
    };
    let mut written = 0;
    for [addr, len] in buffers {
        let readable = readable(task, addr, len);
        written += readable;
        if readable < len {
            break;
        }
    }
    let is_bad = written == 0 && args[2] > 0 && readable(task, args[1], 1) == 0;
    Some(if is_bad { Err(Errno::EFAULT) } else { Ok(Outcome::Value(written)) })
}

fn buffers(task: &Task, args: &[u64; 6]) -> Option<Vec<[u64; 2]>> {
    let count = args[2] & u64::from(u32::MAX);
    if count > MOST_BUFFERS {
        return None;
    }
    (0..count).map(|index| task.process.mm.read(UserPtr::new(UserAddr::new(args[1] + index * 16))).ok()).collect()
}

/// How many of these bytes can be read.
fn readable(task: &Task, addr: u64, len: u64) -> u64 {
    let mut piece = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE))];
    let mut done = 0;
    while done < len {
        let wanted = piece.len().min(usize::try_from(len - done).unwrap_or(PIECE));
        let read = task.process.mm.copy_in_partly(UserAddr::new(addr.wrapping_add(done)), &mut piece[..wanted]);
        done += read as u64;
        if read < wanted {
            break;
        }
    }
    done
}
