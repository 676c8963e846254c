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
    return 0;
}
