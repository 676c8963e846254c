// cflags: -pthread
// Threads fork while others map, allocate and fork; each child has one thread and works.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

static volatile int stop;

static void *allocate(void *arg) {
    while (!stop) {
        char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(at != MAP_FAILED);
        at[4096] = 1;
        REQUIRE(munmap(at, 1 << 20) == 0);
        free(malloc(100000));
    }
    return arg;
}

static void *child_work(void *arg) { return (char *)arg + 1; }

static void *fork_often(void *arg) {
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            // It has but one thread, which has to itself what threads share.
            if (unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) != 0) _exit(5);
            pthread_t thread;
            void *result;
            char *at = malloc(200000);
            memset(at, i, 200000);
            REQUIRE(at[199999] == i);
            if (pthread_create(&thread, 0, child_work, (void *)41) != 0) _exit(2);
            pthread_join(thread, &result);
            _exit((long)result == 42 ? 3 : 4);
        }
        int status;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    }
    return arg;
}

int main(void) {
    pthread_t mappers[2], forkers[3];
    for (int i = 0; i < 2; i++) REQUIRE(pthread_create(&mappers[i], 0, allocate, 0) == 0);
    for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&forkers[i], 0, fork_often, 0) == 0);
    for (int i = 0; i < 3; i++) REQUIRE(pthread_join(forkers[i], 0) == 0);
    stop = 1;
    for (int i = 0; i < 2; i++) REQUIRE(pthread_join(mappers[i], 0) == 0);
    printf("30 children\n");
    return 0;
}
