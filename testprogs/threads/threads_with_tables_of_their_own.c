// cflags: -pthread
// CLONE_THREAD without CLONE_FILES or CLONE_FS: a thread with descriptors and a working directory
// of its own; and unshare(2) of both in a thread.
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static volatile int tid = -1;
static int opened = -1, moved = -1;

// Runs beside the C library: it does nothing that needs thread-local variables.
static int open_and_move(void *arg) {
    (void)arg;
    opened = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
    moved = (int)syscall(SYS_chdir, "/");
    syscall(SYS_exit, 0);
    return 0;
}

static void run(unsigned long flags) {
    static char stack[65536] __attribute__((aligned(16)));
    tid = -1;
    flags |= CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    REQUIRE(clone(open_and_move, stack + sizeof stack, flags, NULL, NULL, NULL, &tid) > 0);
    while (tid != 0)
        sched_yield();
}

static pthread_barrier_t all;

static void *meet(void *arg) {
    pthread_barrier_wait(&all);
    return arg;
}

static void many_at_once(void) {
    enum { MANY = 40 };
    pthread_t threads[MANY];
    REQUIRE(pthread_barrier_init(&all, NULL, MANY) == 0);
    for (int i = 0; i < MANY; i++)
        REQUIRE(pthread_create(&threads[i], 0, meet, NULL) == 0);
    for (int i = 0; i < MANY; i++)
        REQUIRE(pthread_join(threads[i], 0) == 0);
}

static volatile int apart, wanted, second_tid;

#define ALL_SHARED (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES)

static int end(void *arg) {
    (void)arg;
    syscall(SYS_exit, 0);
    return 0;
}

// With descriptors of its own; starts a thread that shares them when others have started many.
static int start_threads(void *arg) {
    static char stack[65536] __attribute__((aligned(16)));
    int rounds = *(int *)arg;
    for (int i = 1; i <= rounds; i++) {
        apart = i;
        while (wanted != i)
            syscall(SYS_sched_yield);
        int flags = ALL_SHARED | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
        if (clone(end, stack + sizeof stack, flags, NULL, NULL, NULL, &second_tid) < 0)
            break;
        while (second_tid != 0)
            syscall(SYS_sched_yield);
        opened = i;
    }
    syscall(SYS_exit, 0);
    return 0;
}

// Threads start on both sides in turn, those of the many first.
static void start_on_both_sides(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int rounds = 5, flags = ALL_SHARED & ~CLONE_FILES;
    tid = -1, apart = 0;
    flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    REQUIRE(clone(start_threads, stack + sizeof stack, flags, &rounds, NULL, NULL, &tid) > 0);
    for (int i = 1; i <= rounds; i++) {
        while (apart != i && tid != 0)
            sched_yield();
        many_at_once();
        wanted = i;
    }
    while (tid != 0)
        sched_yield();
    printf("threads on both sides: %d of %d\n", opened, rounds);
}

static void *unshare_and_start(void *arg) {
    REQUIRE(unshare(CLONE_FILES) == 0);
    apart = -1;
    while (wanted != -1)
        sched_yield();
    many_at_once();
    return arg;
}

static void *unshare_all(void *arg) {
    int *lowest = arg;
    REQUIRE(unshare(CLONE_FILES | CLONE_FS) == 0);
    lowest[0] = open("/dev/null", O_RDONLY);
    REQUIRE(close(0) == 0 && chdir("/") == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(fcntl(0, F_GETFD) == -1 && fcntl(lowest[0], F_GETFD) == 0 ? 3 : 4);
    int status;
    REQUIRE(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
    return NULL;
}

static void *nothing(void *arg) { return arg; }

int main(void) {
    char before[256], after[256];
    int lowest = dup(0), mine;
    close(lowest);
    REQUIRE(getcwd(before, sizeof before) != NULL);
    run(0);
    printf("own: opened %d moved %d, ", opened == lowest, moved);
    printf("closed here %d, ", fcntl(lowest, F_GETFD) == -1);
    REQUIRE(getcwd(after, sizeof after) != NULL);
    printf("same directory %d\n", strcmp(before, after) == 0);
    run(CLONE_FILES);
    printf("shared: open here %d\n", fcntl(lowest, F_GETFD) == 0);
    close(lowest);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, 0, unshare_all, &mine) == 0);
    REQUIRE(pthread_join(thread, 0) == 0);
    printf("unshared: %d, 0 is open here %d\n", mine == lowest, fcntl(0, F_GETFD) == 0);
    for (int i = 0; i < 20; i++) {
        REQUIRE(pthread_create(&thread, 0, nothing, 0) == 0);
        REQUIRE(pthread_join(thread, 0) == 0);
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        REQUIRE(waitpid(child, 0, 0) == child);
    }
    printf("threads and processes after it\n");
    // Each in a process of its own, which has not had several tables before.
    for (int i = 0; i < 2; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            if (i == 0) {
                start_on_both_sides();
            } else {
                REQUIRE(pthread_create(&thread, 0, unshare_and_start, NULL) == 0);
                while (apart != -1)
                    sched_yield();
                many_at_once();
                wanted = -1;
                REQUIRE(pthread_join(thread, 0) == 0);
                printf("threads after unshare\n");
            }
            fflush(stdout);
            _exit(0);
        }
        int status;
        REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    }
    return 0;
}
