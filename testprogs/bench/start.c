// Starts a thread, a child or a program, and waits for its end.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static void *ends_at_once(void *argument) { return argument; }

static void start_thread(long rounds) {
    for (long i = 0; i < rounds; i++) {
        pthread_t thread;
        void *result;
        require(pthread_create(&thread, NULL, ends_at_once, "end") == 0);
        require(pthread_join(thread, &result) == 0 && result != NULL);
    }
}

static void wait_for(pid_t child) {
    int status;
    require(waitpid(child, &status, 0) == child && status == 0);
}

static void fork_child(long rounds) {
    for (long i = 0; i < rounds; i++) {
        pid_t child = fork();
        require(child >= 0);
        if (child == 0)
            _exit(0);
        wait_for(child);
    }
}

static void spawn_true(long rounds) {
    char *const words[] = {"true", NULL};
    for (long i = 0; i < rounds; i++) {
        pid_t child;
        require(posix_spawnp(&child, "true", NULL, NULL, words, environ) == 0);
        wait_for(child);
    }
}

int main(int argc, char **argv) {
    static const struct operation operations[] = {
        {"thread", start_thread}, {"fork", fork_child}, {"posix_spawn", spawn_true}, {0}};
    return measure(operations, argc, argv);
}
