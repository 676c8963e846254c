//! Landlock: rules about files that a thread gives itself (the kernel's `security/landlock/syscalls.c`).
//!
//! The host enforces them on the thread that makes the guest's calls. The next program of the process needs a few files
//! of the runner's own; a rule for each is added before a ruleset is enforced.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::arg::{Arg, Fd};
use super::host::{HostArg, args};
use crate::abi::{Errno, PAGE_SIZE, UserAddr};
use crate::proc::Task;

/// Kinds of rules (the kernel's `include/uapi/linux/landlock.h`).
const RULE_PATH_BENEATH: u32 = 1;
const RULE_NET_PORT: u32 = 2;

const ACCESS_EXECUTE: u64 = 1;
const ACCESS_READ_FILE: u64 = 1 << 2;

/// Bytes of `struct landlock_path_beneath_attr`, which is packed: the rights, and a descriptor.
const PATH_BENEATH_LEN: usize = 12;
/// Bytes of `struct landlock_net_port_attr`.
const NET_PORT_LEN: u64 = 16;

pub(super) fn sys_landlock_create_ruleset(task: &mut Task, attr: UserAddr, len: u64, flags: u32) -> Result<u64, Errno> {
    task.host(libc::SYS_landlock_create_ruleset, args![HostArg::Guest(attr, len.min(PAGE_SIZE)), len, flags])
}

pub(super) fn sys_landlock_add_rule(
    task: &mut Task,
    ruleset: Fd,
    kind: u32,
    attr: UserAddr,
    flags: u32,
) -> Result<u64, Errno> {
    let mut rule = [0; PATH_BENEATH_LEN];
    let attr = match kind {
        RULE_PATH_BENEATH if task.process.mm.copy_in(attr, &mut rule).is_ok() => {
            hide_runners(&mut rule)?;
            HostArg::In(&rule)
        }
        // What cannot be read is reported in its turn among the kernel's checks.
        RULE_PATH_BENEATH => HostArg::Guest(attr, PATH_BENEATH_LEN as u64),
        RULE_NET_PORT => HostArg::Guest(attr, NET_PORT_LEN),
        _ => HostArg::Int(0),
    };
    task.host(libc::SYS_landlock_add_rule, &mut [ruleset.into(), kind.into(), attr, flags.into()])
}

/// A descriptor of the runner's in the rule becomes one that is not open.
fn hide_runners(rule: &mut [u8; PATH_BENEATH_LEN]) -> Result<(), Errno> {
    let [.., a, b, c, d] = *rule;
    let fd = Fd::decode(i64::from(i32::from_ne_bytes([a, b, c, d])).cast_unsigned())?;
    rule[8..].copy_from_slice(&fd.raw().to_ne_bytes());
    Ok(())
}

pub(super) fn sys_landlock_restrict_self(task: &mut Task, ruleset: Fd, flags: u32) -> Result<u64, Errno> {
    for file in runner_files(task) {
        // A ruleset takes no rights that it does not handle.
        for rights in [ACCESS_EXECUTE | ACCESS_READ_FILE, ACCESS_READ_FILE, ACCESS_EXECUTE] {
            let mut rule = [0; PATH_BENEATH_LEN];
            rule[..8].copy_from_slice(&rights.to_ne_bytes());
            rule[8..].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
            if task.host(libc::SYS_landlock_add_rule, args![ruleset, RULE_PATH_BENEATH, rule.as_slice(), 0]).is_ok() {
                break;
            }
        }
    }
    task.host(libc::SYS_landlock_restrict_self, args![ruleset, flags])
}

/// The runner's executable, the libraries that it has mapped, and the list by which they are found.
fn runner_files(task: &Task) -> Vec<OwnedFd> {
    let maps = task.process.limits.with_descriptors(|| std::fs::read_to_string("/proc/self/maps"));
    let maps = maps.and_then(|text| text).unwrap_or_default();
    let arena = task.process.mm.arena().span();
    let is_runners = |line: &&str| {
        let start = line.split('-').next().and_then(|start| u64::from_str_radix(start, 16).ok());
        start.is_some_and(|start| !(arena.base..arena.base + arena.len).contains(&start))
    };
    let paths = maps.lines().filter(is_runners).filter_map(|line| line.find('/').map(|at| &line[at..]));
    let paths: BTreeSet<&str> = paths.chain(["/etc/ld.so.cache"]).collect();
    let open = || paths.into_iter().filter_map(|path| open_above_guest(Path::new(path)).ok()).collect();
    task.process.limits.with_descriptors(open).unwrap_or_default()
}

fn open_above_guest(path: &Path) -> Result<OwnedFd, Errno> {
    let low = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(crate::sys::duplicate_above_guest(low.as_raw_fd())?)
}
