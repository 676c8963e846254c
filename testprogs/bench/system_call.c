// Small system calls, none of which needs a file.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

// The cheapest system call whose answer the kernel alone knows at any time.
static void call_getppid(long rounds) {
    for (long i = 0; i < rounds; i++)
        require(syscall(SYS_getppid) > 0);
}

static void call_getpid(long rounds) {
    for (long i = 0; i < rounds; i++)
        require(syscall(SYS_getpid) > 0);
}

static void call_gettid(long rounds) {
    for (long i = 0; i < rounds; i++)
        require(syscall(SYS_gettid) > 0);
}

static void call_getuid(long rounds) {
    for (long i = 0; i < rounds; i++)
        require(syscall(SYS_getuid) >= 0);
}

// Blocks a signal and lets it through again, in turn.
static void call_sigprocmask(long rounds) {
    sigset_t set;
    require(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    for (long i = 0; i < rounds; i++)
        require(sigprocmask(i % 2 ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL) == 0);
}

static void call_clock_gettime(long rounds) {
    struct timespec t;
    for (long i = 0; i < rounds; i++)
        require(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) == 0);
}

// As programs call it: through the vDSO, where there is one.
static void libc_clock_gettime(long rounds) {
    struct timespec t;
    for (long i = 0; i < rounds; i++)
        require(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
}

int main(int argc, char **argv) {
    static const struct operation operations[] = {
        {"getppid", call_getppid},
        {"getpid", call_getpid},
        {"gettid", call_gettid},
        {"getuid", call_getuid},
        {"sigprocmask", call_sigprocmask},
        {"clock_gettime", call_clock_gettime},
        {"libc-clock_gettime", libc_clock_gettime},
        {0},
    };
    return measure(operations, argc, argv);
}
