//! The table: one line a number, all of them (the kernel's `arch/x86/entry/syscalls/syscall_64.tbl`).
//!
//! Dispatch, `--strace`, `--list-syscalls` and docs/syscalls.md come from it. A line is
//! `number name level handler "what is missing";`, or `number name unsupported ERROR "why";` for a call that is
//! answered by that error, counted, and shown by `--missing`.

use super::arg::ArgKind;
use super::handler::{Handler, args_of};
use super::{
    SysResult, aio, attr, clone, descriptor, event, exec, futex, ids, ioctl, ipc, key, landlock, limits, memory, mq,
    msg, namei, namespace, numa, open, pkey, poll, prctl, process, process_vm, ptrace, random, readdir, rw, sched,
    signal, socket, splice, stat, sync, system, time, xattr,
};
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

    /// What it says.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Passthrough => "The host kernel answers it, with pointers and descriptors translated.",
            Self::Emulated => "The runner answers it, as Linux would.",
            Self::Partial => "As one of the above, but for what the last column says.",
            Self::Unsupported => "It fails, with an error that a kernel built without it gives, and is counted.",
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

/// docs/syscalls.md, whole.
pub fn markdown() -> String {
    let mut text = String::from(MARKDOWN_HEAD);
    for level in [Level::Passthrough, Level::Emulated, Level::Partial, Level::Unsupported] {
        let count = TABLE.iter().filter(|entry| entry.level == level).count();
        text.push_str(&format!("| {} | {count} | {} |\n", level.name(), level.meaning()));
    }
    text.push_str("\n| number | name | level | what is missing, and why |\n|---:|---|---|---|\n");
    for Entry { nr, name, level, note, .. } in TABLE {
        let note = note.replace('|', "\\|");
        text.push_str(&format!("| {nr} | `{name}` | {} | {note} |\n", level.name()));
    }
    text
}

const MARKDOWN_HEAD: &str = "\
# System calls

All system calls of Linux on x86-64, and how far kvm-se supports each. This page is made from the table in
`src/syscall/table.rs`; `KVM_SE_BLESS=1 cargo test --test docs` writes it anew. `kvm-se --list-syscalls` prints the same
list, and `kvm-se --missing` says what a program asked for in vain.

| level | calls | meaning |
|---|---:|---|
";

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
    2 open passthrough open::sys_open "";
    3 close passthrough open::sys_close "";
    4 stat passthrough stat::sys_stat "";
    5 fstat passthrough stat::sys_fstat "";
    6 lstat passthrough stat::sys_lstat "";
    7 poll passthrough poll::sys_poll "";
    8 lseek passthrough rw::sys_lseek "";
    9 mmap emulated memory::sys_mmap "";
    10 mprotect emulated memory::sys_mprotect "";
    11 munmap emulated memory::sys_munmap "";
    12 brk emulated memory::sys_brk "";
    13 rt_sigaction emulated signal::sys_rt_sigaction "";
    14 rt_sigprocmask emulated signal::sys_rt_sigprocmask "";
    15 rt_sigreturn partial signal::sys_rt_sigreturn "no return to 32-bit code";
    16 ioctl partial ioctl::sys_ioctl "requests with nested or unknown arguments are refused";
    17 pread64 passthrough rw::sys_pread64 "";
    18 pwrite64 passthrough rw::sys_pwrite64 "";
    19 readv passthrough rw::sys_readv "";
    20 writev passthrough rw::sys_writev "";
    21 access passthrough open::sys_access "";
    22 pipe passthrough descriptor::sys_pipe "";
    23 select passthrough poll::sys_select "";
    24 sched_yield passthrough sched::sys_sched_yield "";
    25 mremap emulated memory::sys_mremap "";
    26 msync emulated memory::sys_msync "";
    27 mincore emulated memory::sys_mincore "";
    28 madvise partial memory::sys_madvise "MADV_GUARD_INSTALL, MADV_HWPOISON and MADV_SOFT_OFFLINE are refused";
    29 shmget passthrough ipc::sys_shmget "";
    30 shmat emulated ipc::sys_shmat "";
    31 shmctl passthrough ipc::sys_shmctl "";
    32 dup passthrough descriptor::sys_dup "";
    33 dup2 passthrough descriptor::sys_dup2 "";
    34 pause passthrough signal::sys_pause "";
    35 nanosleep passthrough time::sys_nanosleep "";
    36 getitimer passthrough time::sys_getitimer "";
    37 alarm passthrough time::sys_alarm "";
    38 setitimer passthrough time::sys_setitimer "";
    39 getpid passthrough ids::sys_getpid "";
    40 sendfile passthrough rw::sys_sendfile "";
    41 socket partial socket::sys_socket "no AF_RDS, no AF_XDP";
    42 connect passthrough socket::sys_connect "";
    43 accept passthrough socket::sys_accept "";
    44 sendto passthrough socket::sys_sendto "";
    45 recvfrom passthrough socket::sys_recvfrom "";
    46 sendmsg passthrough msg::sys_sendmsg "";
    47 recvmsg passthrough msg::sys_recvmsg "";
    48 shutdown passthrough socket::sys_shutdown "";
    49 bind passthrough socket::sys_bind "";
    50 listen passthrough socket::sys_listen "";
    51 getsockname passthrough socket::sys_getsockname "";
    52 getpeername passthrough socket::sys_getpeername "";
    53 socketpair passthrough socket::sys_socketpair "";
    54 setsockopt partial socket::sys_setsockopt "options that map memory, packet filters of iptables";
    55 getsockopt partial socket::sys_getsockopt "options that map memory, packet filters of iptables";
    56 clone partial clone::sys_clone "a thread gets no namespaces, process descriptor or chosen id";
    57 fork passthrough clone::sys_fork "";
    58 vfork passthrough clone::sys_vfork "";
    59 execve partial exec::sys_execve "neither the privileges of set-user-id programs nor binfmt_misc nor files that may be executed and not read";
    60 exit emulated process::sys_exit "";
    61 wait4 passthrough ptrace::sys_wait4 "";
    62 kill passthrough signal::sys_kill "";
    63 uname passthrough system::sys_uname "";
    64 semget passthrough ipc::sys_semget "";
    65 semop passthrough ipc::sys_semop "";
    66 semctl passthrough ipc::sys_semctl "";
    67 shmdt emulated ipc::sys_shmdt "";
    68 msgget passthrough ipc::sys_msgget "";
    69 msgsnd passthrough ipc::sys_msgsnd "";
    70 msgrcv passthrough ipc::sys_msgrcv "";
    71 msgctl passthrough ipc::sys_msgctl "";
    72 fcntl passthrough descriptor::sys_fcntl "";
    73 flock passthrough open::sys_flock "";
    74 fsync passthrough sync::sys_fsync "";
    75 fdatasync passthrough sync::sys_fdatasync "";
    76 truncate passthrough open::sys_truncate "";
    77 ftruncate passthrough open::sys_ftruncate "";
    78 getdents passthrough readdir::sys_getdents "";
    79 getcwd passthrough namei::sys_getcwd "";
    80 chdir passthrough namei::sys_chdir "";
    81 fchdir passthrough namei::sys_fchdir "";
    82 rename passthrough namei::sys_rename "";
    83 mkdir passthrough namei::sys_mkdir "";
    84 rmdir passthrough namei::sys_rmdir "";
    85 creat passthrough open::sys_creat "";
    86 link passthrough namei::sys_link "";
    87 unlink passthrough namei::sys_unlink "";
    88 symlink passthrough namei::sys_symlink "";
    89 readlink passthrough namei::sys_readlink "";
    90 chmod passthrough attr::sys_chmod "";
    91 fchmod passthrough attr::sys_fchmod "";
    92 chown passthrough attr::sys_chown "";
    93 fchown passthrough attr::sys_fchown "";
    94 lchown passthrough attr::sys_lchown "";
    95 umask passthrough namei::sys_umask "";
    96 gettimeofday passthrough time::sys_gettimeofday "";
    97 getrlimit emulated limits::sys_getrlimit "";
    98 getrusage partial system::sys_getrusage "counts what the runner uses, too";
    99 sysinfo passthrough system::sys_sysinfo "";
    100 times passthrough time::sys_times "";
    101 ptrace partial ptrace::sys_ptrace "a process that shares the memory stops threads and reads their registers, as leak checkers do";
    102 getuid passthrough ids::sys_getuid "";
    103 syslog passthrough system::sys_syslog "";
    104 getgid passthrough ids::sys_getgid "";
    105 setuid passthrough ids::sys_setuid "";
    106 setgid passthrough ids::sys_setgid "";
    107 geteuid passthrough ids::sys_geteuid "";
    108 getegid passthrough ids::sys_getegid "";
    109 setpgid passthrough ids::sys_setpgid "";
    110 getppid passthrough ids::sys_getppid "";
    111 getpgrp passthrough ids::sys_getpgrp "";
    112 setsid passthrough ids::sys_setsid "";
    113 setreuid passthrough ids::sys_setreuid "";
    114 setregid passthrough ids::sys_setregid "";
    115 getgroups passthrough ids::sys_getgroups "";
    116 setgroups passthrough ids::sys_setgroups "";
    117 setresuid passthrough ids::sys_setresuid "";
    118 getresuid passthrough ids::sys_getresuid "";
    119 setresgid passthrough ids::sys_setresgid "";
    120 getresgid passthrough ids::sys_getresgid "";
    121 getpgid passthrough ids::sys_getpgid "";
    122 setfsuid passthrough ids::sys_setfsuid "";
    123 setfsgid passthrough ids::sys_setfsgid "";
    124 getsid passthrough ids::sys_getsid "";
    125 capget passthrough ids::sys_capget "";
    126 capset passthrough ids::sys_capset "";
    127 rt_sigpending passthrough signal::sys_rt_sigpending "";
    128 rt_sigtimedwait passthrough signal::sys_rt_sigtimedwait "";
    129 rt_sigqueueinfo passthrough signal::sys_rt_sigqueueinfo "";
    130 rt_sigsuspend passthrough signal::sys_rt_sigsuspend "";
    131 sigaltstack emulated signal::sys_sigaltstack "";
    132 utime passthrough attr::sys_utime "";
    133 mknod passthrough namei::sys_mknod "";
    134 uselib unsupported ENOSYS "as a kernel without CONFIG_USELIB";
    135 personality partial ids::sys_personality "READ_IMPLIES_EXEC is refused";
    136 ustat passthrough stat::sys_ustat "";
    137 statfs passthrough stat::sys_statfs "";
    138 fstatfs passthrough stat::sys_fstatfs "";
    139 sysfs passthrough system::sys_sysfs "";
    140 getpriority passthrough sched::sys_getpriority "";
    141 setpriority passthrough sched::sys_setpriority "";
    142 sched_setparam passthrough sched::sys_sched_setparam "";
    143 sched_getparam passthrough sched::sys_sched_getparam "";
    144 sched_setscheduler passthrough sched::sys_sched_setscheduler "";
    145 sched_getscheduler passthrough sched::sys_sched_getscheduler "";
    146 sched_get_priority_max passthrough sched::sys_sched_get_priority_max "";
    147 sched_get_priority_min passthrough sched::sys_sched_get_priority_min "";
    148 sched_rr_get_interval passthrough sched::sys_sched_rr_get_interval "";
    149 mlock emulated memory::sys_mlock "";
    150 munlock emulated memory::sys_munlock "";
    151 mlockall emulated memory::sys_mlockall "";
    152 munlockall emulated memory::sys_munlockall "";
    153 vhangup passthrough system::sys_vhangup "";
    154 modify_ldt unsupported ENOSYS "as a kernel without CONFIG_MODIFY_LDT_SYSCALL";
    155 pivot_root passthrough namespace::sys_pivot_root "";
    156 _sysctl unsupported ENOSYS "Linux has it no more";
    157 prctl partial prctl::sys_prctl "no seccomp, PR_SET_MM, PR_SET_VMA, PR_SET_TSC, PR_SET_MDWE, speculation control, syscall user dispatch and other rare options";
    158 arch_prctl partial process::sys_arch_prctl "FS and GS bases only";
    159 adjtimex passthrough time::sys_adjtimex "";
    160 setrlimit emulated limits::sys_setrlimit "";
    161 chroot passthrough namei::sys_chroot "";
    162 sync passthrough sync::sys_sync "";
    163 acct passthrough system::sys_acct "";
    164 settimeofday passthrough time::sys_settimeofday "";
    165 mount partial namespace::sys_mount "options are text alone";
    166 umount2 passthrough namespace::sys_umount2 "";
    167 swapon passthrough system::sys_swapon "";
    168 swapoff passthrough system::sys_swapoff "";
    169 reboot unsupported EPERM "refused as to an unprivileged process";
    170 sethostname passthrough system::sys_sethostname "";
    171 setdomainname passthrough system::sys_setdomainname "";
    172 iopl unsupported ENOSYS "as a kernel without CONFIG_X86_IOPL_IOPERM";
    173 ioperm unsupported ENOSYS "as a kernel without CONFIG_X86_IOPL_IOPERM";
    174 create_module unsupported ENOSYS "Linux has it no more";
    175 init_module unsupported EPERM "refused as to an unprivileged process";
    176 delete_module unsupported EPERM "refused as to an unprivileged process";
    177 get_kernel_syms unsupported ENOSYS "Linux has it no more";
    178 query_module unsupported ENOSYS "Linux has it no more";
    179 quotactl unsupported ENOSYS "as a kernel without CONFIG_QUOTACTL";
    180 nfsservctl unsupported ENOSYS "Linux has it no more";
    181 getpmsg unsupported ENOSYS "a number that Linux never used";
    182 putpmsg unsupported ENOSYS "a number that Linux never used";
    183 afs_syscall unsupported ENOSYS "a number that Linux never used";
    184 tuxcall unsupported ENOSYS "a number that Linux never used";
    185 security unsupported ENOSYS "a number that Linux never used";
    186 gettid passthrough ids::sys_gettid "";
    187 readahead passthrough sync::sys_readahead "";
    188 setxattr passthrough xattr::sys_setxattr "";
    189 lsetxattr passthrough xattr::sys_lsetxattr "";
    190 fsetxattr passthrough xattr::sys_fsetxattr "";
    191 getxattr passthrough xattr::sys_getxattr "";
    192 lgetxattr passthrough xattr::sys_lgetxattr "";
    193 fgetxattr passthrough xattr::sys_fgetxattr "";
    194 listxattr passthrough xattr::sys_listxattr "";
    195 llistxattr passthrough xattr::sys_llistxattr "";
    196 flistxattr passthrough xattr::sys_flistxattr "";
    197 removexattr passthrough xattr::sys_removexattr "";
    198 lremovexattr passthrough xattr::sys_lremovexattr "";
    199 fremovexattr passthrough xattr::sys_fremovexattr "";
    200 tkill passthrough signal::sys_tkill "";
    201 time passthrough time::sys_time "";
    202 futex passthrough futex::sys_futex "";
    203 sched_setaffinity passthrough sched::sys_sched_setaffinity "";
    204 sched_getaffinity passthrough sched::sys_sched_getaffinity "";
    205 set_thread_area unsupported ENOSYS "for 32-bit programs only";
    206 io_setup emulated aio::sys_io_setup "";
    207 io_destroy emulated aio::sys_io_destroy "";
    208 io_getevents emulated aio::sys_io_getevents "";
    209 io_submit emulated aio::sys_io_submit "";
    210 io_cancel emulated aio::sys_io_cancel "";
    211 get_thread_area unsupported ENOSYS "for 32-bit programs only";
    212 lookup_dcookie unsupported ENOSYS "Linux has it no more";
    213 epoll_create passthrough event::sys_epoll_create "";
    214 epoll_ctl_old unsupported ENOSYS "Linux has it no more";
    215 epoll_wait_old unsupported ENOSYS "Linux has it no more";
    216 remap_file_pages unsupported ENOSYS "file pages out of order; deprecated since Linux 3.16";
    217 getdents64 passthrough readdir::sys_getdents64 "";
    218 set_tid_address emulated process::sys_set_tid_address "";
    219 restart_syscall emulated signal::sys_restart_syscall "";
    220 semtimedop passthrough ipc::sys_semtimedop "";
    221 fadvise64 passthrough sync::sys_fadvise64 "";
    222 timer_create passthrough time::sys_timer_create "";
    223 timer_settime passthrough time::sys_timer_settime "";
    224 timer_gettime passthrough time::sys_timer_gettime "";
    225 timer_getoverrun passthrough time::sys_timer_getoverrun "";
    226 timer_delete passthrough time::sys_timer_delete "";
    227 clock_settime passthrough time::sys_clock_settime "";
    228 clock_gettime passthrough time::sys_clock_gettime "";
    229 clock_getres passthrough time::sys_clock_getres "";
    230 clock_nanosleep passthrough time::sys_clock_nanosleep "";
    231 exit_group emulated process::sys_exit_group "";
    232 epoll_wait passthrough event::sys_epoll_wait "";
    233 epoll_ctl passthrough event::sys_epoll_ctl "";
    234 tgkill passthrough signal::sys_tgkill "";
    235 utimes passthrough attr::sys_utimes "";
    236 vserver unsupported ENOSYS "a number that Linux never used";
    237 mbind passthrough numa::sys_mbind "";
    238 set_mempolicy passthrough numa::sys_set_mempolicy "";
    239 get_mempolicy passthrough numa::sys_get_mempolicy "";
    240 mq_open passthrough mq::sys_mq_open "";
    241 mq_unlink passthrough mq::sys_mq_unlink "";
    242 mq_timedsend passthrough mq::sys_mq_timedsend "";
    243 mq_timedreceive passthrough mq::sys_mq_timedreceive "";
    244 mq_notify passthrough mq::sys_mq_notify "";
    245 mq_getsetattr passthrough mq::sys_mq_getsetattr "";
    246 kexec_load unsupported EPERM "refused as to an unprivileged process";
    247 waitid passthrough process::sys_waitid "";
    248 add_key passthrough key::sys_add_key "";
    249 request_key passthrough key::sys_request_key "";
    250 keyctl partial key::sys_keyctl "no key derivation, public keys or watches";
    251 ioprio_set passthrough sched::sys_ioprio_set "";
    252 ioprio_get passthrough sched::sys_ioprio_get "";
    253 inotify_init passthrough event::sys_inotify_init "";
    254 inotify_add_watch passthrough event::sys_inotify_add_watch "";
    255 inotify_rm_watch passthrough event::sys_inotify_rm_watch "";
    256 migrate_pages unsupported ENOSYS "as a kernel without CONFIG_MIGRATION";
    257 openat passthrough open::sys_openat "";
    258 mkdirat passthrough namei::sys_mkdirat "";
    259 mknodat passthrough namei::sys_mknodat "";
    260 fchownat passthrough attr::sys_fchownat "";
    261 futimesat passthrough attr::sys_futimesat "";
    262 newfstatat passthrough stat::sys_newfstatat "";
    263 unlinkat passthrough namei::sys_unlinkat "";
    264 renameat passthrough namei::sys_renameat "";
    265 linkat passthrough namei::sys_linkat "";
    266 symlinkat passthrough namei::sys_symlinkat "";
    267 readlinkat passthrough namei::sys_readlinkat "";
    268 fchmodat passthrough attr::sys_fchmodat "";
    269 faccessat passthrough open::sys_faccessat "";
    270 pselect6 passthrough poll::sys_pselect6 "";
    271 ppoll passthrough poll::sys_ppoll "";
    272 unshare passthrough process::sys_unshare "";
    273 set_robust_list partial futex::sys_set_robust_list "not walked when a signal of another process ends this one";
    274 get_robust_list partial futex::sys_get_robust_list "of the calling process only";
    275 splice passthrough splice::sys_splice "";
    276 tee passthrough splice::sys_tee "";
    277 sync_file_range passthrough sync::sys_sync_file_range "";
    278 vmsplice passthrough splice::sys_vmsplice "";
    279 move_pages unsupported ENOSYS "as a kernel without CONFIG_MIGRATION";
    280 utimensat passthrough attr::sys_utimensat "";
    281 epoll_pwait passthrough event::sys_epoll_pwait "";
    282 signalfd partial event::sys_signalfd "signals of faults are never reported";
    283 timerfd_create passthrough event::sys_timerfd_create "";
    284 eventfd passthrough event::sys_eventfd "";
    285 fallocate passthrough open::sys_fallocate "";
    286 timerfd_settime passthrough event::sys_timerfd_settime "";
    287 timerfd_gettime passthrough event::sys_timerfd_gettime "";
    288 accept4 passthrough socket::sys_accept4 "";
    289 signalfd4 partial event::sys_signalfd4 "signals of faults are never reported";
    290 eventfd2 passthrough event::sys_eventfd2 "";
    291 epoll_create1 passthrough event::sys_epoll_create1 "";
    292 dup3 passthrough descriptor::sys_dup3 "";
    293 pipe2 passthrough descriptor::sys_pipe2 "";
    294 inotify_init1 passthrough event::sys_inotify_init1 "";
    295 preadv passthrough rw::sys_preadv "";
    296 pwritev passthrough rw::sys_pwritev "";
    297 rt_tgsigqueueinfo passthrough signal::sys_rt_tgsigqueueinfo "";
    298 perf_event_open unsupported ENOSYS "as a kernel without CONFIG_PERF_EVENTS";
    299 recvmmsg passthrough msg::sys_recvmmsg "";
    300 fanotify_init passthrough event::sys_fanotify_init "";
    301 fanotify_mark passthrough event::sys_fanotify_mark "";
    302 prlimit64 partial limits::sys_prlimit64 "of other processes under kvm-se, limits on memory and descriptors are the runner's";
    303 name_to_handle_at passthrough open::sys_name_to_handle_at "";
    304 open_by_handle_at passthrough open::sys_open_by_handle_at "";
    305 clock_adjtime passthrough time::sys_clock_adjtime "";
    306 syncfs passthrough sync::sys_syncfs "";
    307 sendmmsg passthrough msg::sys_sendmmsg "";
    308 setns passthrough process::sys_setns "";
    309 getcpu passthrough sched::sys_getcpu "";
    310 process_vm_readv partial process_vm::sys_process_vm_readv "not of other processes that kvm-se runs";
    311 process_vm_writev partial process_vm::sys_process_vm_writev "not of other processes that kvm-se runs";
    312 kcmp partial process::sys_kcmp "no descriptor whose number is one of the runner's";
    313 finit_module unsupported EPERM "refused as to an unprivileged process";
    314 sched_setattr passthrough sched::sys_sched_setattr "";
    315 sched_getattr passthrough sched::sys_sched_getattr "";
    316 renameat2 passthrough namei::sys_renameat2 "";
    317 seccomp unsupported ENOSYS "as a kernel without CONFIG_SECCOMP";
    318 getrandom passthrough random::sys_getrandom "";
    319 memfd_create passthrough descriptor::sys_memfd_create "";
    320 kexec_file_load unsupported EPERM "refused as to an unprivileged process";
    321 bpf unsupported ENOSYS "as a kernel without CONFIG_BPF_SYSCALL";
    322 execveat partial exec::sys_execveat "as execve; no AT_EXECVE_CHECK";
    323 userfaultfd unsupported ENOSYS "faults of the guest are answered by the runner";
    324 membarrier partial futex::sys_membarrier "no commands for rseq";
    325 mlock2 emulated memory::sys_mlock2 "";
    326 copy_file_range passthrough rw::sys_copy_file_range "";
    327 preadv2 passthrough rw::sys_preadv2 "";
    328 pwritev2 passthrough rw::sys_pwritev2 "";
    329 pkey_mprotect emulated pkey::sys_pkey_mprotect "as on a processor without protection keys";
    330 pkey_alloc emulated pkey::sys_pkey_alloc "as on a processor without protection keys";
    331 pkey_free emulated pkey::sys_pkey_free "as on a processor without protection keys";
    332 statx passthrough stat::sys_statx "";
    333 io_pgetevents emulated aio::sys_io_pgetevents "";
    334 rseq unsupported ENOSYS "as a kernel without CONFIG_RSEQ; C libraries do without";
    335 uretprobe unsupported ENOSYS "for the kernel's own trampoline only";
    424 pidfd_send_signal passthrough signal::sys_pidfd_send_signal "";
    425 io_uring_setup unsupported ENOSYS "requests in shared memory hold guest addresses";
    426 io_uring_enter unsupported ENOSYS "requests in shared memory hold guest addresses";
    427 io_uring_register unsupported ENOSYS "requests in shared memory hold guest addresses";
    428 open_tree passthrough namespace::sys_open_tree "";
    429 move_mount passthrough namespace::sys_move_mount "";
    430 fsopen passthrough namespace::sys_fsopen "";
    431 fsconfig passthrough namespace::sys_fsconfig "";
    432 fsmount passthrough namespace::sys_fsmount "";
    433 fspick passthrough namespace::sys_fspick "";
    434 pidfd_open passthrough process::sys_pidfd_open "";
    435 clone3 partial clone::sys_clone3 "as clone";
    436 close_range passthrough open::sys_close_range "";
    437 openat2 passthrough open::sys_openat2 "";
    438 pidfd_getfd partial process::sys_pidfd_getfd "no descriptor whose number is one of the runner's";
    439 faccessat2 passthrough open::sys_faccessat2 "";
    440 process_madvise unsupported ENOSYS "as a kernel without CONFIG_ADVISE_SYSCALLS";
    441 epoll_pwait2 passthrough event::sys_epoll_pwait2 "";
    442 mount_setattr passthrough namespace::sys_mount_setattr "";
    443 quotactl_fd unsupported ENOSYS "as a kernel without CONFIG_QUOTACTL";
    444 landlock_create_ruleset passthrough landlock::sys_landlock_create_ruleset "";
    445 landlock_add_rule passthrough landlock::sys_landlock_add_rule "";
    446 landlock_restrict_self partial landlock::sys_landlock_restrict_self "the runner's own executable and libraries stay readable; a program must be readable to be executed";
    447 memfd_secret unsupported ENOSYS "as a kernel without CONFIG_SECRETMEM";
    448 process_mrelease unsupported ENOSYS "it would reap memory of the host process";
    449 futex_waitv passthrough futex::sys_futex_waitv "";
    450 set_mempolicy_home_node unsupported ENOSYS "as a kernel before 5.17";
    451 cachestat passthrough sync::sys_cachestat "";
    452 fchmodat2 passthrough attr::sys_fchmodat2 "";
    453 map_shadow_stack unsupported ENOSYS "as a kernel without CONFIG_X86_USER_SHADOW_STACK";
    454 futex_wake passthrough futex::sys_futex_wake "";
    455 futex_wait passthrough futex::sys_futex_wait "";
    456 futex_requeue passthrough futex::sys_futex_requeue "";
    457 statmount passthrough namespace::sys_statmount "";
    458 listmount passthrough namespace::sys_listmount "";
    459 lsm_get_self_attr unsupported ENOSYS "as a kernel without CONFIG_SECURITY";
    460 lsm_set_self_attr unsupported ENOSYS "as a kernel without CONFIG_SECURITY";
    461 lsm_list_modules unsupported ENOSYS "as a kernel without CONFIG_SECURITY";
    462 mseal unsupported ENOSYS "as a kernel before 6.10";
    463 setxattrat passthrough xattr::sys_setxattrat "";
    464 getxattrat passthrough xattr::sys_getxattrat "";
    465 listxattrat passthrough xattr::sys_listxattrat "";
    466 removexattrat passthrough xattr::sys_removexattrat "";
    467 open_tree_attr passthrough namespace::sys_open_tree_attr "";
    468 file_getattr passthrough stat::sys_file_getattr "";
    469 file_setattr passthrough stat::sys_file_setattr "";
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
