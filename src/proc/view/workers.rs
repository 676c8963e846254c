//! Threads that the host kernel adds to the process for its own work.

use std::fs;

use nix::unistd::Pid;

/// The thread that KVM has for a virtual machine since Linux 6.13, if there is one: it counts among the threads of the
/// process, and is none of the guest's.
pub fn worker() -> Option<Pid> {
    /// It starts with the first run of a vCPU, so before any other thread of the guest's, and threads are listed in the
    /// order of their start.
    const AMONG_FIRST: usize = 3;
    let entries = fs::read_dir("/proc/self/task").ok()?;
    let threads = entries.take(AMONG_FIRST).filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    threads.map(Pid::from_raw).find(|thread| {
        let stat = fs::read(format!("/proc/self/task/{thread}/stat"));
        stat.is_ok_and(|stat| is_worker(&stat))
    })
}

fn is_worker(stat: &[u8]) -> bool {
    /// `PF_USER_WORKER` of the kernel's `include/linux/sched.h`.
    const USER_WORKER: u64 = 0x4000;
    let flags = || {
        // The ninth field; the name, which is the second, may hold anything.
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
        rest.split_ascii_whitespace().nth(6)?.parse::<u64>().ok()
    };
    flags().is_some_and(|flags| flags & USER_WORKER != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_by_its_flags() {
        assert!(is_worker(b"12 (kvm-nx-lpage-re) S 1 12 12 0 -1 20544 0"));
        assert!(!is_worker(b"12 (a) b) S 1 12 12 0 -1 4194304 0"));
        assert!(!is_worker(b""));
    }
}
