// cflags: -pthread
// A process that shares the memory stops the threads of its parent and reads their registers by
// ptrace(2), as leak checkers do; when it ends, they go on.
#include "check.h"
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static volatile int spinner, sleeper, go, done, spins;
static volatile long results[19];
static int pipe_ends[2];

static void *spin(void *arg) {
    spinner = (int)syscall(SYS_gettid);
    while (!done) {
        register long mark __asm__("r15") = 0x5157a7e;
        __asm__ volatile("mov $100000, %%ecx\n1: dec %%ecx\n jnz 1b" : "+r"(mark)::"ecx", "cc");
        spins++;
    }
    return arg;
}

static void *wait_in_read(void *arg) {
    char byte;
    sleeper = (int)syscall(SYS_gettid);
    REQUIRE(read(pipe_ends[0], &byte, 1) == 1 && byte == 'x');
    return arg;
}

static long trace(long request, long tid, long addr, void *to) {
    return syscall(SYS_ptrace, request, tid, addr, to);
}

static long wait_for(int tid) {
    int status = 0;
    long pid = syscall(SYS_wait4, tid, &status, __WALL, 0);
    return pid == tid && WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

// Beside the C library of its parent: bare calls alone.
static int tracer(void *arg) {
    (void)arg;
    static struct user_regs_struct regs;
    static char room[1000];
    struct iovec set = {room, sizeof room};
    while (!go)
        ;
    int tid = spinner;
    results[0] = trace(PTRACE_ATTACH, tid, 0, 0);
    results[1] = wait_for(tid);
    results[2] = trace(PTRACE_GETREGS, tid, 0, &regs);
    results[3] = regs.cs == 0x33 && regs.ss == 0x2b && regs.fs_base != 0;
    int before = spins;
    for (volatile int i = 0; i < 20000000; i++)
        ;
    results[4] = spins - before;
    results[5] = trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &set);
    results[6] = (long)set.iov_len;
    set.iov_len = 100;
    results[14] = trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &set);
    set.iov_len = 96;
    results[15] = trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &set);
    results[16] = (long)set.iov_len;
    results[17] = trace(PTRACE_ATTACH, tid, 0, 0);
    // It was told of the stop.
    results[18] = syscall(SYS_wait4, tid, NULL, __WALL | WNOHANG, 0);
    results[7] = trace(PTRACE_DETACH, tid, 0, 0);
    while (spins == before)
        ;
    tid = sleeper;
    results[8] = trace(PTRACE_ATTACH, tid, 0, 0);
    results[9] = wait_for(tid);
    results[10] = trace(PTRACE_GETREGS, tid, 0, &regs);
    results[11] = trace(PTRACE_DETACH, tid, 0, 0);
    // This one is left stopped.
    results[12] = trace(PTRACE_ATTACH, spinner, 0, 0);
    results[13] = wait_for(spinner);
    return 0;
}

int main(void) {
    static char stack[65536] __attribute__((aligned(16)));
    pthread_t threads[2];
    REQUIRE(pipe(pipe_ends) == 0);
    REQUIRE(pthread_create(&threads[0], 0, spin, 0) == 0);
    REQUIRE(pthread_create(&threads[1], 0, wait_in_read, 0) == 0);
    while (spinner == 0 || sleeper == 0 || spins == 0)
        sched_yield();
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED;
    pid_t pid = clone(tracer, stack + sizeof stack, flags, NULL);
    REQUIRE(pid > 0);
    prctl(PR_SET_PTRACER, pid, 0, 0, 0); // Unknown where Yama is not.
    go = 1;
    int status;
    REQUIRE(waitpid(pid, &status, __WALL) == pid && WIFEXITED(status));
    for (int i = 0; i < 19; i++)
        printf("%d: %ld\n", i, results[i]);
    int before = spins;
    while (spins == before)
        sched_yield();
    printf("goes on\n");
    done = 1;
    REQUIRE(write(pipe_ends[1], "x", 1) == 1);
    for (int i = 0; i < 2; i++) REQUIRE(pthread_join(threads[i], 0) == 0);
    return 0;
}
