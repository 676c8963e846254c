//! What tells of the machine: answered alike on every one.

use zerocopy::IntoBytes;

use super::super::host::args as host_args;
use super::super::{IntoSysResult, SysResult};
use super::on_board;
use super::time::{from_ns, int};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::clock::UPTIME;

/// Processors that programs see.
pub(super) const NR_PROCESSORS: u32 = 2;
/// Bytes of memory that programs see.
pub(super) const MEMORY: u64 = 8 << 30;
/// Of `struct utsname`.
pub(super) const RELEASE: &str = "6.12.0";
const TICKS: u64 = 100;
const NS_PER_TICK: u64 = 1_000_000_000 / TICKS;

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    let pointer = |index: usize| UserAddr::new(args[index]);
    Some(match nr {
        libc::SYS_getrandom => random(task, args).into_sys_result(),
        libc::SYS_uname if task.process.settings.layout.is_gem5() => return None,
        libc::SYS_uname => name(task, pointer(0)).into_sys_result(),
        libc::SYS_sysinfo => info(task, pointer(0)).into_sys_result(),
        libc::SYS_times => times(task, pointer(0)).into_sys_result(),
        libc::SYS_getrusage => usage(task, args).into_sys_result(),
        libc::SYS_getcpu => processor(task, [pointer(0), pointer(1)]).into_sys_result(),
        libc::SYS_sched_getaffinity => affinity(task, args).into_sys_result(),
        libc::SYS_sched_setaffinity => {
            task.missing(format_args!("sched_setaffinity in a deterministic run"));
            Err(Errno::EPERM)
        }
        // The order of threads is the run's.
        libc::SYS_sched_yield => Ok(super::super::Outcome::Value(0)),
        _ => return None,
    })
}

fn random(task: &Task, args: &[u64; 6]) -> Result<u64, Errno> {
    const KNOWN: u64 = 7;
    let [to, len, flags, ..] = *args;
    if flags & !KNOWN != 0 || flags & 6 == 6 {
        return Err(Errno::EINVAL);
    }
    fill_random(task, UserAddr::new(to), len)
}

/// Random bytes of the run; returns how many.
pub(super) fn fill_random(task: &Task, to: UserAddr, len: u64) -> Result<u64, Errno> {
    const STEP: u64 = 4096;
    let len = len.min(i32::MAX.unsigned_abs().into());
    let mut done = 0;
    while done < len {
        let mut bytes = vec![0; usize::try_from((len - done).min(STEP)).unwrap_or(0)];
        on_board(task)?.0.fill_random(&mut bytes);
        match task.process.mm.copy_out(to.wrapping_add(done), &bytes) {
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
            Ok(()) => done += bytes.len() as u64,
        }
    }
    Ok(done)
}

fn name(task: &Task, to: UserAddr) -> Result<(), Errno> {
    let names = ["Linux", "kvm-se", RELEASE, "#1 SMP", "x86_64", "(none)"];
    task.process.mm.copy_out(to, &super::super::system::utsname(names))
}

/// `struct sysinfo` as words: uptime, three loads, memory in all, free, shared, in buffers, swap, free swap; processes.
fn info(task: &Task, to: UserAddr) -> Result<(), Errno> {
    let [uptime, _] = from_ns(on_board(task)?.0.tsc());
    let words: [u64; 14] = [uptime, 0, 0, 0, MEMORY, MEMORY / 2, 0, 0, 0, 0, 1, 0, 0, 1];
    task.process.mm.copy_out(to, words.as_bytes())
}

fn times(task: &Task, to: UserAddr) -> Result<u64, Errno> {
    let now = on_board(task)?.0.now();
    if !to.is_null() {
        task.process.mm.write(UserPtr::new(to), &[now / NS_PER_TICK, 0, 0, 0])?;
    }
    Ok(UPTIME * TICKS + now / NS_PER_TICK)
}

/// Processor time, and nothing else: memory and faults are the host's.
fn usage(task: &Task, args: &[u64; 6]) -> Result<(), Errno> {
    const WHO: [i32; 3] = [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN, libc::RUSAGE_THREAD];
    let [who, to, ..] = *args;
    if !WHO.contains(&int(who)) {
        return Err(Errno::EINVAL);
    }
    let [seconds, nanoseconds] = from_ns(on_board(task)?.0.now());
    let mut words = [0u64; 18];
    (words[0], words[1]) = (seconds, nanoseconds / 1000);
    task.process.mm.copy_out(UserAddr::new(to), words.as_bytes())
}

fn processor(task: &Task, to: [UserAddr; 2]) -> Result<(), Errno> {
    to.into_iter().filter(|to| !to.is_null()).try_for_each(|to| task.process.mm.write(UserPtr::new(to), &0u32))
}

fn affinity(task: &Task, args: &[u64; 6]) -> Result<u64, Errno> {
    let [process, len, to, ..] = *args;
    if len < 8 || len % 8 != 0 {
        return Err(Errno::EINVAL);
    }
    // Is there such a process?
    let mut hosts = [0; 1024];
    let process = on_board(task)?.0.host_id(int(process));
    task.host(libc::SYS_sched_getaffinity, host_args![process, size_of_val(&hosts), &mut hosts[..]])?;
    let mask = (1u64 << NR_PROCESSORS) - 1;
    task.process.mm.write(UserPtr::new(UserAddr::new(to)), &mask)?;
    Ok(8)
}
