// errno(3) EFAULT from 139 system calls, for pointers to unmapped, protected, kernel and non-canonical
// memory.
#include "check.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

// Where the bad pointer goes, and the address of something good.
#define BAD 0x0bad0bad0badL
#define P(object) ((long)(object))

// clang-format off
enum { FILE_FD = 40, PIPE_IN, PIPE_OUT, SOCKET, PEER, EPOLL, EVENT, TIMER, DIRECTORY, INOTIFY };
// clang-format on

static char good[4096] __attribute__((aligned(4096)));
static struct timespec soon = {0, 1};
static sigset_t signals;
static uint64_t how[3];
static int length = 4;

static void place(int fd, int number) { CHECK_EQ(dup2(fd, number), number); }

static void open_all(void) {
    int ends[2];
    place(open("file", O_CREAT | O_RDWR, 0600), FILE_FD);
    CHECK_EQ(write(FILE_FD, good, sizeof good), sizeof good);
    CHECK_OK(pipe2(ends, O_NONBLOCK));
    place(ends[0], PIPE_IN);
    place(ends[1], PIPE_OUT);
    CHECK_EQ(write(PIPE_OUT, good, 16), 16);
    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends));
    place(ends[0], SOCKET);
    place(ends[1], PEER);
    place(epoll_create1(0), EPOLL);
    place(eventfd(0, EFD_NONBLOCK), EVENT);
    place(timerfd_create(CLOCK_MONOTONIC, 0), TIMER);
    place(open(".", O_RDONLY), DIRECTORY);
    place(inotify_init1(0), INOTIFY);
    struct epoll_event e = {.events = EPOLLOUT};
    CHECK_OK(epoll_ctl(EPOLL, EPOLL_CTL_ADD, EVENT, &e));
    CHECK_OK(symlink("file", "link"));
    sigemptyset(&signals);
}

// A read that faults may still have consumed what it was to deliver.
static void refill(void) {
    char byte;
    eventfd_write(EVENT, 1);
    if (recv(SOCKET, &byte, 1, MSG_PEEK) < 0)
        send(PEER, "x", 1, 0);
    lseek(FILE_FD, 0, SEEK_SET);
    lseek(DIRECTORY, 0, SEEK_SET);
}

int main(void) {
    open_all();
    char *hole = CHECK_OK((char *)mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(munmap(hole + 4096, 4096));
    CHECK_OK(mprotect(hole + 8192, 4096, PROT_NONE));
    const long pointers[] = {
        8,                                 // the page that is never mapped
        P(hole + 4096),                    // unmapped between mapped pages
        P(hole + 8192),                    // no access
        0x7ffffffff000,                    // the last page of the lower half, which Linux keeps empty
        0x0000800000000000,                // not canonical
        (long)0xffff800000000000,          // the kernel's half
        (long)0xffffffffff000000,          // the kernel's own text is near
        -8,                                // wraps around
    };
    const int count = sizeof pointers / sizeof *pointers;
    const struct {
        const char *name;
        long number, arguments[6];
    } calls[] = {
        {"read", SYS_read, {FILE_FD, BAD, 8}},
        {"read pipe", SYS_read, {PIPE_IN, BAD, 8}},
        {"read eventfd", SYS_read, {EVENT, BAD, 8}},
        {"write", SYS_write, {FILE_FD, BAD, 8}},
        {"write pipe", SYS_write, {PIPE_OUT, BAD, 8}},
        {"pread64", SYS_pread64, {FILE_FD, BAD, 8, 0}},
        {"pwrite64", SYS_pwrite64, {FILE_FD, BAD, 8, 0}},
        {"readv", SYS_readv, {FILE_FD, BAD, 1}},
        {"writev", SYS_writev, {FILE_FD, BAD, 1}},
        {"preadv2", SYS_preadv2, {FILE_FD, BAD, 1, 0, 0, 0}},
        {"vmsplice", SYS_vmsplice, {PIPE_OUT, BAD, 1, 0}},
        {"open", SYS_open, {BAD, O_RDONLY}},
        {"openat", SYS_openat, {AT_FDCWD, BAD, O_RDONLY}},
        {"openat2 path", SYS_openat2, {AT_FDCWD, BAD, P(how), sizeof how}},
        {"openat2 how", SYS_openat2, {AT_FDCWD, P("file"), BAD, sizeof how}},
        {"creat", SYS_creat, {BAD, 0600}},
        {"stat path", SYS_stat, {BAD, P(good)}},
        {"stat buffer", SYS_stat, {P("file"), BAD}},
        {"lstat", SYS_lstat, {P("file"), BAD}},
        {"fstat", SYS_fstat, {FILE_FD, BAD}},
        {"newfstatat", SYS_newfstatat, {AT_FDCWD, P("file"), BAD, 0}},
        {"statx path", SYS_statx, {AT_FDCWD, BAD, 0, STATX_SIZE, P(good)}},
        {"statx buffer", SYS_statx, {AT_FDCWD, P("file"), 0, STATX_SIZE, BAD}},
        {"access", SYS_access, {BAD, F_OK}},
        {"faccessat", SYS_faccessat, {AT_FDCWD, BAD, F_OK}},
        {"faccessat2", SYS_faccessat2, {AT_FDCWD, BAD, F_OK, 0}},
        {"chmod", SYS_chmod, {BAD, 0600}},
        {"fchmodat", SYS_fchmodat, {AT_FDCWD, BAD, 0600}},
        {"chown", SYS_chown, {BAD, -1, -1}},
        {"lchown", SYS_lchown, {BAD, -1, -1}},
        {"fchownat", SYS_fchownat, {AT_FDCWD, BAD, -1, -1, 0}},
        {"truncate", SYS_truncate, {BAD, 0}},
        {"rename from", SYS_rename, {BAD, P("x")}},
        {"rename to", SYS_rename, {P("file"), BAD}},
        {"renameat2", SYS_renameat2, {AT_FDCWD, P("file"), AT_FDCWD, BAD, 0}},
        {"link", SYS_link, {P("file"), BAD}},
        {"symlink", SYS_symlink, {BAD, P("x")}},
        {"readlink path", SYS_readlink, {BAD, P(good), 8}},
        {"readlink buffer", SYS_readlink, {P("link"), BAD, 8}},
        {"mkdir", SYS_mkdir, {BAD, 0700}},
        {"rmdir", SYS_rmdir, {BAD}},
        {"unlink", SYS_unlink, {BAD}},
        {"unlinkat", SYS_unlinkat, {AT_FDCWD, BAD, 0}},
        {"mknod", SYS_mknod, {BAD, S_IFIFO | 0600, 0}},
        {"chdir", SYS_chdir, {BAD}},
        {"getcwd", SYS_getcwd, {BAD, 4096}},
        {"statfs", SYS_statfs, {P("."), BAD}},
        {"fstatfs", SYS_fstatfs, {FILE_FD, BAD}},
        {"utime", SYS_utime, {P("file"), BAD}},
        {"utimes", SYS_utimes, {P("file"), BAD}},
        {"utimensat", SYS_utimensat, {AT_FDCWD, P("file"), BAD, 0}},
        {"getdents64", SYS_getdents64, {DIRECTORY, BAD, 4096}},
        {"setxattr", SYS_setxattr, {P("file"), BAD, P("v"), 1, 0}},
        {"inotify_add_watch", SYS_inotify_add_watch, {INOTIFY, BAD, IN_MODIFY}},
        {"memfd_create", SYS_memfd_create, {BAD, 0}},
        {"pipe", SYS_pipe, {BAD}},
        {"pipe2", SYS_pipe2, {BAD, 0}},
        {"sendfile", SYS_sendfile, {PIPE_OUT, FILE_FD, BAD, 1}},
        {"splice", SYS_splice, {FILE_FD, BAD, PIPE_OUT, 0, 1, 0}},
        {"copy_file_range", SYS_copy_file_range, {FILE_FD, BAD, FILE_FD, 0, 1, 0}},
        {"fcntl F_GETLK", SYS_fcntl, {FILE_FD, F_GETLK, BAD}},
        {"fcntl F_SETLK", SYS_fcntl, {FILE_FD, F_SETLK, BAD}},
        {"ioctl FIONREAD", SYS_ioctl, {PIPE_IN, FIONREAD, BAD}},
        {"poll", SYS_poll, {BAD, 1, 0}},
        {"ppoll timeout", SYS_ppoll, {0, 0, BAD, 0, 8}},
        {"ppoll mask", SYS_ppoll, {0, 0, P(&soon), BAD, 8}},
        {"select", SYS_select, {1, BAD, 0, 0, P(&soon)}},
        {"select timeout", SYS_select, {0, 0, 0, 0, BAD}},
        {"pselect6 timeout", SYS_pselect6, {0, 0, 0, 0, BAD, 0}},
        {"pselect6 mask", SYS_pselect6, {0, 0, 0, 0, P(&soon), BAD}},
        {"epoll_ctl", SYS_epoll_ctl, {EPOLL, EPOLL_CTL_MOD, EVENT, BAD}},
        {"epoll_wait", SYS_epoll_wait, {EPOLL, BAD, 1, 0}},
        {"epoll_pwait mask", SYS_epoll_pwait, {EPOLL, P(good), 1, 0, BAD, 8}},
        {"timerfd_settime", SYS_timerfd_settime, {TIMER, 0, BAD, 0}},
        {"timerfd_gettime", SYS_timerfd_gettime, {TIMER, BAD}},
        {"signalfd4", SYS_signalfd4, {-1, BAD, 8, 0}},
        {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, BAD}},
        {"bind", SYS_bind, {SOCKET, BAD, 16}},
        {"connect", SYS_connect, {SOCKET, BAD, 16}},
        {"getsockname", SYS_getsockname, {SOCKET, P(good), BAD}},
        {"getpeername", SYS_getpeername, {SOCKET, P(good), BAD}},
        {"getsockopt value", SYS_getsockopt, {SOCKET, SOL_SOCKET, SO_TYPE, BAD, P(&length)}},
        {"getsockopt length", SYS_getsockopt, {SOCKET, SOL_SOCKET, SO_TYPE, P(good), BAD}},
        {"setsockopt", SYS_setsockopt, {SOCKET, SOL_SOCKET, SO_RCVBUF, BAD, 4}},
        {"sendto", SYS_sendto, {SOCKET, BAD, 8, 0, 0, 0}},
        {"sendto address", SYS_sendto, {SOCKET, P(good), 8, 0, BAD, 16}},
        {"recvfrom", SYS_recvfrom, {SOCKET, BAD, 8, MSG_PEEK, 0, 0}},
        {"sendmsg", SYS_sendmsg, {SOCKET, BAD, 0}},
        {"recvmsg", SYS_recvmsg, {SOCKET, BAD, MSG_PEEK}},
        {"sendmmsg", SYS_sendmmsg, {SOCKET, BAD, 1, 0}},
        {"recvmmsg", SYS_recvmmsg, {SOCKET, BAD, 1, MSG_PEEK, 0}},
        {"recvmmsg timeout", SYS_recvmmsg, {SOCKET, P(good), 1, MSG_PEEK, BAD}},
        {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, BAD}},
        {"clock_getres", SYS_clock_getres, {CLOCK_MONOTONIC, BAD}},
        {"clock_settime", SYS_clock_settime, {CLOCK_REALTIME, BAD}},
        {"clock_nanosleep", SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, BAD, 0}},
        {"nanosleep", SYS_nanosleep, {BAD, 0}},
        {"gettimeofday", SYS_gettimeofday, {BAD, 0}},
        {"time", SYS_time, {BAD}},
        {"times", SYS_times, {BAD}},
        {"getitimer", SYS_getitimer, {ITIMER_REAL, BAD}},
        {"setitimer", SYS_setitimer, {ITIMER_REAL, BAD, 0}},
        {"timer_create", SYS_timer_create, {CLOCK_MONOTONIC, BAD, P(good)}},
        {"adjtimex", SYS_adjtimex, {BAD}},
        {"getrusage", SYS_getrusage, {RUSAGE_SELF, BAD}},
        {"getrlimit", SYS_getrlimit, {RLIMIT_NOFILE, BAD}},
        {"setrlimit", SYS_setrlimit, {RLIMIT_NOFILE, BAD}},
        {"prlimit64 new", SYS_prlimit64, {0, RLIMIT_NOFILE, BAD, 0}},
        {"prlimit64 old", SYS_prlimit64, {0, RLIMIT_NOFILE, 0, BAD}},
        {"sysinfo", SYS_sysinfo, {BAD}},
        {"uname", SYS_uname, {BAD}},
        {"getresuid", SYS_getresuid, {BAD, P(good), P(good)}},
        {"capget", SYS_capget, {BAD, 0}},
        {"sched_getaffinity", SYS_sched_getaffinity, {0, 1024, BAD}},
        {"sched_setaffinity", SYS_sched_setaffinity, {0, 128, BAD}},
        {"sched_getparam", SYS_sched_getparam, {0, BAD}},
        {"sched_setparam", SYS_sched_setparam, {0, BAD}},
        {"sched_rr_get_interval", SYS_sched_rr_get_interval, {0, BAD}},
        {"sched_getattr", SYS_sched_getattr, {0, BAD, 48, 0}},
        {"getcpu", SYS_getcpu, {BAD, 0, 0}},
        {"getrandom", SYS_getrandom, {BAD, 8, 0}},
        {"rt_sigaction new", SYS_rt_sigaction, {SIGUSR1, BAD, 0, 8}},
        {"rt_sigaction old", SYS_rt_sigaction, {SIGUSR1, 0, BAD, 8}},
        {"rt_sigprocmask new", SYS_rt_sigprocmask, {SIG_BLOCK, BAD, 0, 8}},
        {"rt_sigprocmask old", SYS_rt_sigprocmask, {SIG_BLOCK, 0, BAD, 8}},
        {"rt_sigpending", SYS_rt_sigpending, {BAD, 8}},
        {"rt_sigtimedwait", SYS_rt_sigtimedwait, {BAD, 0, P(&soon), 8}},
        {"rt_sigtimedwait time", SYS_rt_sigtimedwait, {P(&signals), 0, BAD, 8}},
        {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {0, SIGUSR1, BAD}},
        {"sigaltstack new", SYS_sigaltstack, {BAD, 0}},
        {"sigaltstack old", SYS_sigaltstack, {0, BAD}},
        {"futex wait", SYS_futex, {BAD, FUTEX_WAIT, 0, P(&soon)}},
        {"futex timeout", SYS_futex, {P(good), FUTEX_WAIT, 0, BAD}},
        {"prctl PR_SET_NAME", SYS_prctl, {PR_SET_NAME, BAD}},
        {"prctl PR_GET_NAME", SYS_prctl, {PR_GET_NAME, BAD}},
        {"prctl PR_GET_PDEATHSIG", SYS_prctl, {PR_GET_PDEATHSIG, BAD}},
        {"arch_prctl ARCH_GET_FS", SYS_arch_prctl, {0x1003, BAD}},
        {"mincore", SYS_mincore, {P(good), 4096, BAD}},
        {"get_robust_list", SYS_get_robust_list, {0, BAD, P(good)}},
    };
    int surprises = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char line[256] = "";
        bool same = true;
        for (int p = 0; p < count; p++) {
            long a[6];
            for (int k = 0; k < 6; k++)
                a[k] = calls[i].arguments[k] == BAD ? pointers[p] : calls[i].arguments[k];
            refill();
            long result = syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);
            const char *name = result == -1 ? check_errno_name(errno) : "success";
            same = same && strcmp(name, "EFAULT") == 0;
            strcat(strcat(line, " "), name);
        }
        NOTE("%s:%s", calls[i].name, same ? " EFAULT" : line);
        surprises += !same;
    }
    CHECK_EQ(surprises, 0);
    CHECK_EQ(lseek(FILE_FD, 0, SEEK_END), sizeof good);
    return CHECK_DONE();
}
