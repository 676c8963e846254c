//! The table: one line a number, all of them (the kernel's `arch/x86/entry/syscalls/syscall_64.tbl`).
//!
//! Dispatch, `--strace`, `--list-syscalls` and docs/syscalls.md come from it. A line is
//! `number name level handler "what is missing";`, or `number name unsupported ERROR "why";` for a call that is
//! answered by that error, counted, and shown by `--missing`.

use super::arg::ArgKind;
use super::handler::{Handler, args_of};
use super::{SysResult, memory, process, rw};
use crate::abi::Errno;
use crate::proc::Task;

/// How far a call is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The host kernel answers it, with pointers and descriptors translated.
    Passthrough,
    /// The runner answers it, as Linux would.
    Emulated,
    /// As one of the above, but for what the note says.
    Partial,
    /// It fails.
    Unsupported,
}

impl Level {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Emulated => "emulated",
            Self::Partial => "partial",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One system call.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its number.
    pub nr: u16,
    /// Its name.
    pub name: &'static str,
    /// How far it is supported.
    pub level: Level,
    /// What is missing, and why.
    pub note: &'static str,
    /// Its arguments.
    pub args: &'static [ArgKind],
    pub(super) call: fn(&mut Task, &[u64; 6]) -> SysResult,
}

/// The entry of a number.
#[inline]
pub fn entry(nr: u64) -> Option<&'static Entry> {
    let index = *INDEX.get(usize::try_from(nr).ok()?)?;
    TABLE.get(usize::from(index))
}

/// Writes the list of `--list-syscalls`.
pub fn list(to: &mut dyn std::io::Write) -> std::io::Result<()> {
    TABLE.iter().try_for_each(|entry| {
        let line = format!("{:>3}  {:<24}  {:<11}  {}", entry.nr, entry.name, entry.level.name(), entry.note);
        writeln!(to, "{}", line.trim_end())
    })
}

const NR_NUMBERS: usize = 512;

/// Place of each number in [`TABLE`], or a place that does not exist.
static INDEX: [u16; NR_NUMBERS] = {
    let mut index = [u16::MAX; NR_NUMBERS];
    let mut place = 0;
    while place < TABLE.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the table has less than 65536 lines")]
        let value = place as u16;
        index[TABLE[place].nr as usize] = value;
        place += 1;
    }
    index
};

macro_rules! level {
    (passthrough) => {
        Level::Passthrough
    };
    (emulated) => {
        Level::Emulated
    };
    (partial) => {
        Level::Partial
    };
}

macro_rules! entry {
    ($nr:literal $name:ident unsupported $errno:ident $note:literal) => {
        Entry {
            nr: $nr,
            name: stringify!($name),
            level: Level::Unsupported,
            note: $note,
            args: &[ArgKind::Hex; 6],
            call: |task, _| {
                task.missing(format_args!(stringify!($name)));
                Err(Errno::$errno)
            },
        }
    };
    ($nr:literal $name:ident $level:ident $area:ident::$handler:ident $note:literal) => {
        Entry {
            nr: $nr,
            name: stringify!($name),
            level: level!($level),
            note: $note,
            args: args_of(&$area::$handler),
            call: |task, raw| Handler::call(&$area::$handler, task, raw),
        }
    };
}

macro_rules! table {
    ($($nr:literal $name:ident $level:ident $first:ident $(:: $handler:ident)? $note:literal;)*) => {
        /// All system calls, by number.
        pub static TABLE: &[Entry] = &[$(entry!($nr $name $level $first $(:: $handler)? $note)),*];
    };
}

table! {
    0 read passthrough rw::sys_read "";
    1 write passthrough rw::sys_write "";
    2 open unsupported ENOSYS "";
    3 close unsupported ENOSYS "";
    4 stat unsupported ENOSYS "";
    5 fstat unsupported ENOSYS "";
    6 lstat unsupported ENOSYS "";
    7 poll unsupported ENOSYS "";
    8 lseek passthrough rw::sys_lseek "";
    9 mmap emulated memory::sys_mmap "";
    10 mprotect partial memory::sys_mprotect "PROT_GROWSDOWN and PROT_GROWSUP are refused";
    11 munmap emulated memory::sys_munmap "";
    12 brk emulated memory::sys_brk "";
    13 rt_sigaction unsupported ENOSYS "";
    14 rt_sigprocmask unsupported ENOSYS "";
    15 rt_sigreturn unsupported ENOSYS "";
    16 ioctl unsupported ENOSYS "";
    17 pread64 passthrough rw::sys_pread64 "";
    18 pwrite64 passthrough rw::sys_pwrite64 "";
    19 readv unsupported ENOSYS "";
    20 writev unsupported ENOSYS "";
    21 access unsupported ENOSYS "";
    22 pipe unsupported ENOSYS "";
    23 select unsupported ENOSYS "";
    24 sched_yield unsupported ENOSYS "";
    25 mremap emulated memory::sys_mremap "";
    26 msync emulated memory::sys_msync "";
    27 mincore emulated memory::sys_mincore "";
    28 madvise partial memory::sys_madvise "MADV_GUARD_INSTALL, MADV_HWPOISON and MADV_SOFT_OFFLINE are refused";
    29 shmget unsupported ENOSYS "";
    30 shmat unsupported ENOSYS "";
    31 shmctl unsupported ENOSYS "";
    32 dup unsupported ENOSYS "";
    33 dup2 unsupported ENOSYS "";
    34 pause unsupported ENOSYS "";
    35 nanosleep unsupported ENOSYS "";
    36 getitimer unsupported ENOSYS "";
    37 alarm unsupported ENOSYS "";
    38 setitimer unsupported ENOSYS "";
    39 getpid unsupported ENOSYS "";
    40 sendfile unsupported ENOSYS "";
    41 socket unsupported ENOSYS "";
    42 connect unsupported ENOSYS "";
    43 accept unsupported ENOSYS "";
    44 sendto unsupported ENOSYS "";
    45 recvfrom unsupported ENOSYS "";
    46 sendmsg unsupported ENOSYS "";
    47 recvmsg unsupported ENOSYS "";
    48 shutdown unsupported ENOSYS "";
    49 bind unsupported ENOSYS "";
    50 listen unsupported ENOSYS "";
    51 getsockname unsupported ENOSYS "";
    52 getpeername unsupported ENOSYS "";
    53 socketpair unsupported ENOSYS "";
    54 setsockopt unsupported ENOSYS "";
    55 getsockopt unsupported ENOSYS "";
    56 clone unsupported ENOSYS "";
    57 fork unsupported ENOSYS "";
    58 vfork unsupported ENOSYS "";
    59 execve unsupported ENOSYS "";
    60 exit emulated process::sys_exit "";
    61 wait4 unsupported ENOSYS "";
    62 kill unsupported ENOSYS "";
    63 uname unsupported ENOSYS "";
    64 semget unsupported ENOSYS "";
    65 semop unsupported ENOSYS "";
    66 semctl unsupported ENOSYS "";
    67 shmdt unsupported ENOSYS "";
    68 msgget unsupported ENOSYS "";
    69 msgsnd unsupported ENOSYS "";
    70 msgrcv unsupported ENOSYS "";
    71 msgctl unsupported ENOSYS "";
    72 fcntl unsupported ENOSYS "";
    73 flock unsupported ENOSYS "";
    74 fsync unsupported ENOSYS "";
    75 fdatasync unsupported ENOSYS "";
    76 truncate unsupported ENOSYS "";
    77 ftruncate unsupported ENOSYS "";
    78 getdents unsupported ENOSYS "";
    79 getcwd unsupported ENOSYS "";
    80 chdir unsupported ENOSYS "";
    81 fchdir unsupported ENOSYS "";
    82 rename unsupported ENOSYS "";
    83 mkdir unsupported ENOSYS "";
    84 rmdir unsupported ENOSYS "";
    85 creat unsupported ENOSYS "";
    86 link unsupported ENOSYS "";
    87 unlink unsupported ENOSYS "";
    88 symlink unsupported ENOSYS "";
    89 readlink unsupported ENOSYS "";
    90 chmod unsupported ENOSYS "";
    91 fchmod unsupported ENOSYS "";
    92 chown unsupported ENOSYS "";
    93 fchown unsupported ENOSYS "";
    94 lchown unsupported ENOSYS "";
    95 umask unsupported ENOSYS "";
    96 gettimeofday unsupported ENOSYS "";
    97 getrlimit unsupported ENOSYS "";
    98 getrusage unsupported ENOSYS "";
    99 sysinfo unsupported ENOSYS "";
    100 times unsupported ENOSYS "";
    101 ptrace unsupported ENOSYS "";
    102 getuid unsupported ENOSYS "";
    103 syslog unsupported ENOSYS "";
    104 getgid unsupported ENOSYS "";
    105 setuid unsupported ENOSYS "";
    106 setgid unsupported ENOSYS "";
    107 geteuid unsupported ENOSYS "";
    108 getegid unsupported ENOSYS "";
    109 setpgid unsupported ENOSYS "";
    110 getppid unsupported ENOSYS "";
    111 getpgrp unsupported ENOSYS "";
    112 setsid unsupported ENOSYS "";
    113 setreuid unsupported ENOSYS "";
    114 setregid unsupported ENOSYS "";
    115 getgroups unsupported ENOSYS "";
    116 setgroups unsupported ENOSYS "";
    117 setresuid unsupported ENOSYS "";
    118 getresuid unsupported ENOSYS "";
    119 setresgid unsupported ENOSYS "";
    120 getresgid unsupported ENOSYS "";
    121 getpgid unsupported ENOSYS "";
    122 setfsuid unsupported ENOSYS "";
    123 setfsgid unsupported ENOSYS "";
    124 getsid unsupported ENOSYS "";
    125 capget unsupported ENOSYS "";
    126 capset unsupported ENOSYS "";
    127 rt_sigpending unsupported ENOSYS "";
    128 rt_sigtimedwait unsupported ENOSYS "";
    129 rt_sigqueueinfo unsupported ENOSYS "";
    130 rt_sigsuspend unsupported ENOSYS "";
    131 sigaltstack unsupported ENOSYS "";
    132 utime unsupported ENOSYS "";
    133 mknod unsupported ENOSYS "";
    134 uselib unsupported ENOSYS "";
    135 personality unsupported ENOSYS "";
    136 ustat unsupported ENOSYS "";
    137 statfs unsupported ENOSYS "";
    138 fstatfs unsupported ENOSYS "";
    139 sysfs unsupported ENOSYS "";
    140 getpriority unsupported ENOSYS "";
    141 setpriority unsupported ENOSYS "";
    142 sched_setparam unsupported ENOSYS "";
    143 sched_getparam unsupported ENOSYS "";
    144 sched_setscheduler unsupported ENOSYS "";
    145 sched_getscheduler unsupported ENOSYS "";
    146 sched_get_priority_max unsupported ENOSYS "";
    147 sched_get_priority_min unsupported ENOSYS "";
    148 sched_rr_get_interval unsupported ENOSYS "";
    149 mlock emulated memory::sys_mlock "";
    150 munlock emulated memory::sys_munlock "";
    151 mlockall emulated memory::sys_mlockall "";
    152 munlockall emulated memory::sys_munlockall "";
    153 vhangup unsupported ENOSYS "";
    154 modify_ldt unsupported ENOSYS "";
    155 pivot_root unsupported ENOSYS "";
    156 _sysctl unsupported ENOSYS "";
    157 prctl unsupported ENOSYS "";
    158 arch_prctl partial process::sys_arch_prctl "FS and GS bases only";
    159 adjtimex unsupported ENOSYS "";
    160 setrlimit unsupported ENOSYS "";
    161 chroot unsupported ENOSYS "";
    162 sync unsupported ENOSYS "";
    163 acct unsupported ENOSYS "";
    164 settimeofday unsupported ENOSYS "";
    165 mount unsupported ENOSYS "";
    166 umount2 unsupported ENOSYS "";
    167 swapon unsupported ENOSYS "";
    168 swapoff unsupported ENOSYS "";
    169 reboot unsupported ENOSYS "";
    170 sethostname unsupported ENOSYS "";
    171 setdomainname unsupported ENOSYS "";
    172 iopl unsupported ENOSYS "";
    173 ioperm unsupported ENOSYS "";
    174 create_module unsupported ENOSYS "";
    175 init_module unsupported ENOSYS "";
    176 delete_module unsupported ENOSYS "";
    177 get_kernel_syms unsupported ENOSYS "";
    178 query_module unsupported ENOSYS "";
    179 quotactl unsupported ENOSYS "";
    180 nfsservctl unsupported ENOSYS "";
    181 getpmsg unsupported ENOSYS "";
    182 putpmsg unsupported ENOSYS "";
    183 afs_syscall unsupported ENOSYS "";
    184 tuxcall unsupported ENOSYS "";
    185 security unsupported ENOSYS "";
    186 gettid unsupported ENOSYS "";
    187 readahead unsupported ENOSYS "";
    188 setxattr unsupported ENOSYS "";
    189 lsetxattr unsupported ENOSYS "";
    190 fsetxattr unsupported ENOSYS "";
    191 getxattr unsupported ENOSYS "";
    192 lgetxattr unsupported ENOSYS "";
    193 fgetxattr unsupported ENOSYS "";
    194 listxattr unsupported ENOSYS "";
    195 llistxattr unsupported ENOSYS "";
    196 flistxattr unsupported ENOSYS "";
    197 removexattr unsupported ENOSYS "";
    198 lremovexattr unsupported ENOSYS "";
    199 fremovexattr unsupported ENOSYS "";
    200 tkill unsupported ENOSYS "";
    201 time unsupported ENOSYS "";
    202 futex unsupported ENOSYS "";
    203 sched_setaffinity unsupported ENOSYS "";
    204 sched_getaffinity unsupported ENOSYS "";
    205 set_thread_area unsupported ENOSYS "";
    206 io_setup unsupported ENOSYS "";
    207 io_destroy unsupported ENOSYS "";
    208 io_getevents unsupported ENOSYS "";
    209 io_submit unsupported ENOSYS "";
    210 io_cancel unsupported ENOSYS "";
    211 get_thread_area unsupported ENOSYS "";
    212 lookup_dcookie unsupported ENOSYS "";
    213 epoll_create unsupported ENOSYS "";
    214 epoll_ctl_old unsupported ENOSYS "";
    215 epoll_wait_old unsupported ENOSYS "";
    216 remap_file_pages unsupported ENOSYS "";
    217 getdents64 unsupported ENOSYS "";
    218 set_tid_address emulated process::sys_set_tid_address "";
    219 restart_syscall unsupported ENOSYS "";
    220 semtimedop unsupported ENOSYS "";
    221 fadvise64 unsupported ENOSYS "";
    222 timer_create unsupported ENOSYS "";
    223 timer_settime unsupported ENOSYS "";
    224 timer_gettime unsupported ENOSYS "";
    225 timer_getoverrun unsupported ENOSYS "";
    226 timer_delete unsupported ENOSYS "";
    227 clock_settime unsupported ENOSYS "";
    228 clock_gettime unsupported ENOSYS "";
    229 clock_getres unsupported ENOSYS "";
    230 clock_nanosleep unsupported ENOSYS "";
    231 exit_group emulated process::sys_exit "";
    232 epoll_wait unsupported ENOSYS "";
    233 epoll_ctl unsupported ENOSYS "";
    234 tgkill unsupported ENOSYS "";
    235 utimes unsupported ENOSYS "";
    236 vserver unsupported ENOSYS "";
    237 mbind unsupported ENOSYS "";
    238 set_mempolicy unsupported ENOSYS "";
    239 get_mempolicy unsupported ENOSYS "";
    240 mq_open unsupported ENOSYS "";
    241 mq_unlink unsupported ENOSYS "";
    242 mq_timedsend unsupported ENOSYS "";
    243 mq_timedreceive unsupported ENOSYS "";
    244 mq_notify unsupported ENOSYS "";
    245 mq_getsetattr unsupported ENOSYS "";
    246 kexec_load unsupported ENOSYS "";
    247 waitid unsupported ENOSYS "";
    248 add_key unsupported ENOSYS "";
    249 request_key unsupported ENOSYS "";
    250 keyctl unsupported ENOSYS "";
    251 ioprio_set unsupported ENOSYS "";
    252 ioprio_get unsupported ENOSYS "";
    253 inotify_init unsupported ENOSYS "";
    254 inotify_add_watch unsupported ENOSYS "";
    255 inotify_rm_watch unsupported ENOSYS "";
    256 migrate_pages unsupported ENOSYS "";
    257 openat unsupported ENOSYS "";
    258 mkdirat unsupported ENOSYS "";
    259 mknodat unsupported ENOSYS "";
    260 fchownat unsupported ENOSYS "";
    261 futimesat unsupported ENOSYS "";
    262 newfstatat unsupported ENOSYS "";
    263 unlinkat unsupported ENOSYS "";
    264 renameat unsupported ENOSYS "";
    265 linkat unsupported ENOSYS "";
    266 symlinkat unsupported ENOSYS "";
    267 readlinkat unsupported ENOSYS "";
    268 fchmodat unsupported ENOSYS "";
    269 faccessat unsupported ENOSYS "";
    270 pselect6 unsupported ENOSYS "";
    271 ppoll unsupported ENOSYS "";
    272 unshare unsupported ENOSYS "";
    273 set_robust_list unsupported ENOSYS "";
    274 get_robust_list unsupported ENOSYS "";
    275 splice unsupported ENOSYS "";
    276 tee unsupported ENOSYS "";
    277 sync_file_range unsupported ENOSYS "";
    278 vmsplice unsupported ENOSYS "";
    279 move_pages unsupported ENOSYS "";
    280 utimensat unsupported ENOSYS "";
    281 epoll_pwait unsupported ENOSYS "";
    282 signalfd unsupported ENOSYS "";
    283 timerfd_create unsupported ENOSYS "";
    284 eventfd unsupported ENOSYS "";
    285 fallocate unsupported ENOSYS "";
    286 timerfd_settime unsupported ENOSYS "";
    287 timerfd_gettime unsupported ENOSYS "";
    288 accept4 unsupported ENOSYS "";
    289 signalfd4 unsupported ENOSYS "";
    290 eventfd2 unsupported ENOSYS "";
    291 epoll_create1 unsupported ENOSYS "";
    292 dup3 unsupported ENOSYS "";
    293 pipe2 unsupported ENOSYS "";
    294 inotify_init1 unsupported ENOSYS "";
    295 preadv unsupported ENOSYS "";
    296 pwritev unsupported ENOSYS "";
    297 rt_tgsigqueueinfo unsupported ENOSYS "";
    298 perf_event_open unsupported ENOSYS "";
    299 recvmmsg unsupported ENOSYS "";
    300 fanotify_init unsupported ENOSYS "";
    301 fanotify_mark unsupported ENOSYS "";
    302 prlimit64 unsupported ENOSYS "";
    303 name_to_handle_at unsupported ENOSYS "";
    304 open_by_handle_at unsupported ENOSYS "";
    305 clock_adjtime unsupported ENOSYS "";
    306 syncfs unsupported ENOSYS "";
    307 sendmmsg unsupported ENOSYS "";
    308 setns unsupported ENOSYS "";
    309 getcpu unsupported ENOSYS "";
    310 process_vm_readv unsupported ENOSYS "";
    311 process_vm_writev unsupported ENOSYS "";
    312 kcmp unsupported ENOSYS "";
    313 finit_module unsupported ENOSYS "";
    314 sched_setattr unsupported ENOSYS "";
    315 sched_getattr unsupported ENOSYS "";
    316 renameat2 unsupported ENOSYS "";
    317 seccomp unsupported ENOSYS "";
    318 getrandom unsupported ENOSYS "";
    319 memfd_create unsupported ENOSYS "";
    320 kexec_file_load unsupported ENOSYS "";
    321 bpf unsupported ENOSYS "";
    322 execveat unsupported ENOSYS "";
    323 userfaultfd unsupported ENOSYS "";
    324 membarrier unsupported ENOSYS "";
    325 mlock2 emulated memory::sys_mlock2 "";
    326 copy_file_range unsupported ENOSYS "";
    327 preadv2 unsupported ENOSYS "";
    328 pwritev2 unsupported ENOSYS "";
    329 pkey_mprotect unsupported ENOSYS "";
    330 pkey_alloc unsupported ENOSYS "";
    331 pkey_free unsupported ENOSYS "";
    332 statx unsupported ENOSYS "";
    333 io_pgetevents unsupported ENOSYS "";
    334 rseq unsupported ENOSYS "";
    335 uretprobe unsupported ENOSYS "";
    424 pidfd_send_signal unsupported ENOSYS "";
    425 io_uring_setup unsupported ENOSYS "";
    426 io_uring_enter unsupported ENOSYS "";
    427 io_uring_register unsupported ENOSYS "";
    428 open_tree unsupported ENOSYS "";
    429 move_mount unsupported ENOSYS "";
    430 fsopen unsupported ENOSYS "";
    431 fsconfig unsupported ENOSYS "";
    432 fsmount unsupported ENOSYS "";
    433 fspick unsupported ENOSYS "";
    434 pidfd_open unsupported ENOSYS "";
    435 clone3 unsupported ENOSYS "";
    436 close_range unsupported ENOSYS "";
    437 openat2 unsupported ENOSYS "";
    438 pidfd_getfd unsupported ENOSYS "";
    439 faccessat2 unsupported ENOSYS "";
    440 process_madvise unsupported ENOSYS "";
    441 epoll_pwait2 unsupported ENOSYS "";
    442 mount_setattr unsupported ENOSYS "";
    443 quotactl_fd unsupported ENOSYS "";
    444 landlock_create_ruleset unsupported ENOSYS "";
    445 landlock_add_rule unsupported ENOSYS "";
    446 landlock_restrict_self unsupported ENOSYS "";
    447 memfd_secret unsupported ENOSYS "";
    448 process_mrelease unsupported ENOSYS "";
    449 futex_waitv unsupported ENOSYS "";
    450 set_mempolicy_home_node unsupported ENOSYS "";
    451 cachestat unsupported ENOSYS "";
    452 fchmodat2 unsupported ENOSYS "";
    453 map_shadow_stack unsupported ENOSYS "";
    454 futex_wake unsupported ENOSYS "";
    455 futex_wait unsupported ENOSYS "";
    456 futex_requeue unsupported ENOSYS "";
    457 statmount unsupported ENOSYS "";
    458 listmount unsupported ENOSYS "";
    459 lsm_get_self_attr unsupported ENOSYS "";
    460 lsm_set_self_attr unsupported ENOSYS "";
    461 lsm_list_modules unsupported ENOSYS "";
    462 mseal unsupported ENOSYS "";
    463 setxattrat unsupported ENOSYS "";
    464 getxattrat unsupported ENOSYS "";
    465 listxattrat unsupported ENOSYS "";
    466 removexattrat unsupported ENOSYS "";
    467 open_tree_attr unsupported ENOSYS "";
    468 file_getattr unsupported ENOSYS "";
    469 file_setattr unsupported ENOSYS "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_are_found() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].nr < pair[1].nr, "{} and {}", pair[0].name, pair[1].name);
        }
        assert_eq!(entry(9).map(|entry| entry.name), Some("mmap"));
        assert_eq!(entry(400).map(|entry| entry.name), None);
        assert_eq!(entry(u64::MAX).map(|entry| entry.name), None);
    }
}
