// Two that wait for each other in turn: an operation is there and back.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int there[2], back[2];
static long total;

static void make_pipes(void) { require(pipe(there) == 0 && pipe(back) == 0); }

static void ask(void) {
    char byte = 1;
    require(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1);
}

static void *answer(void *unused) {
    char byte;
    for (long i = 0; i < total; i++)
        require(read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1);
    return unused;
}

static void pipe_threads(long rounds) {
    pthread_t other;
    total = rounds;
    make_pipes();
    require(pthread_create(&other, NULL, answer, NULL) == 0);
    for (long i = 0; i < rounds; i++)
        ask();
    require(pthread_join(other, NULL) == 0);
}

static void pipe_processes(long rounds) {
    int status;
    total = rounds;
    make_pipes();
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        answer(NULL);
        _exit(0);
    }
    for (long i = 0; i < rounds; i++)
        ask();
    require(waitpid(child, &status, 0) == child && status == 0);
}

// Whose turn it is: 0 asks, 1 answers.
static _Atomic unsigned turn;

static void wait_for(unsigned mine) {
    while (atomic_load(&turn) != mine)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1 - mine, NULL, NULL, 0);
}

static void give_to(unsigned other) {
    atomic_store(&turn, other);
    require(syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
}

static void *answer_futex(void *unused) {
    for (long i = 0; i < total; i++) {
        wait_for(1);
        give_to(0);
    }
    return unused;
}

static void futex_threads(long rounds) {
    pthread_t other;
    total = rounds;
    require(pthread_create(&other, NULL, answer_futex, NULL) == 0);
    for (long i = 0; i < rounds; i++) {
        give_to(1);
        wait_for(0);
    }
    require(pthread_join(other, NULL) == 0);
}

int main(int argc, char **argv) {
    static const struct operation operations[] = {
        {"pipe-threads", pipe_threads}, {"pipe-processes", pipe_processes}, {"futex", futex_threads}, {0}};
    return measure(operations, argc, argv);
}
