// cflags: -pthread
// A robust mutex whose owner ends goes to the next thread or process, which is told.
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pthread_mutex_t *locks;
// How many threads have come to hold their lock, in the same page.
static volatile int *held;

static void *lock_and_end(void *arg) {
    pthread_mutex_t *lock = arg;
    REQUIRE(pthread_mutex_lock(lock) == 0);
    return 0;
}

static void *lock_and_wait(void *arg) {
    REQUIRE(pthread_mutex_lock(arg) == 0);
    ++*held;
    usleep(30000);
    return 0;
}

static void await_held(int count) {
    while (*held < count) usleep(1000);
}

static void expect_dead_owner(pthread_mutex_t *lock, const char *what) {
    int result = pthread_mutex_lock(lock);
    printf("%s: %s\n", what, result == EOWNERDEAD ? "EOWNERDEAD" : strerror(result));
    if (result == EOWNERDEAD) REQUIRE(pthread_mutex_consistent(lock) == 0);
    REQUIRE(pthread_mutex_unlock(lock) == 0);
}

int main(void) {
    locks = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(locks != MAP_FAILED);
    held = (volatile int *)&locks[4];
    pthread_mutexattr_t attr;
    REQUIRE(pthread_mutexattr_init(&attr) == 0);
    REQUIRE(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
    REQUIRE(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 1) REQUIRE(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
        for (int i = 0; i < 4; i++) REQUIRE(pthread_mutex_init(&locks[i], &attr) == 0);
        pthread_t thread;
        REQUIRE(pthread_create(&thread, 0, lock_and_end, &locks[0]) == 0);
        REQUIRE(pthread_join(thread, 0) == 0);
        expect_dead_owner(&locks[0], "thread");
        REQUIRE(pthread_create(&thread, 0, lock_and_wait, &locks[1]) == 0);
        await_held(2 * kind + 1);
        expect_dead_owner(&locks[1], "thread with a waiter");
        REQUIRE(pthread_join(thread, 0) == 0);
        pid_t child = fork();
        if (child == 0) {
            REQUIRE(pthread_mutex_lock(&locks[2]) == 0);
            _exit(0);
        }
        REQUIRE(waitpid(child, 0, 0) == child);
        expect_dead_owner(&locks[2], "process");
        child = fork();
        if (child == 0) {
            REQUIRE(pthread_create(&thread, 0, lock_and_wait, &locks[3]) == 0);
            await_held(2 * kind + 2);
            _exit(0);
        }
        REQUIRE(waitpid(child, 0, 0) == child);
        expect_dead_owner(&locks[3], "process whose other thread held it");
    }
    void *head;
    size_t len;
    REQUIRE(syscall(SYS_get_robust_list, 0, &head, &len) == 0);
    printf("head %d, length %zu\n", head != NULL, len);
    return 0;
}
