// cflags: -pthread
// exit_group, death by a signal, and the last thread's exit, in the midst of threads that begin, end,
// wait, compute, take signals and map: the status is right, and nobody stays.
#include "check.h"
#include "races/races.h"
#include <poll.h>

static int ends[2];
static atomic_int word;

static void *nothing(void *arg) { return arg; }

static void *begin_and_end(void *arg) {
    for (;;)
        join(start(nothing, arg));
    return arg;
}

static void *begin_more(void *arg) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, &attr, nothing, arg) != 0)
            sched_yield();
    }
    return arg;
}

static void *wait_in_read(void *arg) {
    char byte;
    read(ends[0], &byte, 1);
    return arg;
}

static void *wait_in_futex(void *arg) {
    futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return arg;
}

static void *signal_all(void *arg) {
    for (;;)
        kill(getpid(), SIGUSR1);
    return arg;
}

static void *end_by_exit(void *arg) {
    for (volatile long i = 0; i < (long)arg; i++)
        ;
    _exit(33);
}

static void *end_by_signal(void *arg) {
    for (volatile long i = 0; i < (long)arg; i++)
        ;
    kill(getpid(), SIGTERM);
    return NULL;
}

static void *end_by_fault(void *arg) {
    for (volatile long i = 0; i < (long)arg; i++)
        ;
    *(volatile char *)8 = 1;
    return NULL;
}

static void be_child(int how, long delay) {
    void *(*const others[])(void *) = {begin_and_end, wait_in_read, wait_in_futex, compute_forever,
                                       map_forever,           signal_all,   begin_more};
    void *(*const enders[])(void *) = {end_by_exit, end_by_signal, end_by_fault, end_by_exit, end_by_exit};
    struct sigaction action = {.sa_handler = ignore_signal};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 7; i++)
        if (how != 4 || i % 2)
            start(others[i], NULL);
    if (how >= 3) {
        // Two end it at once, and the first thread may be gone.
        start(enders[how], (void *)delay);
        start(enders[how], (void *)delay);
        if (how == 4)
            pthread_exit(NULL);
    }
    enders[how]((void *)delay);
    for (;;)
        pause();
}

// All threads leave one by one; the last one's status counts.
static void *leave(void *arg) {
    for (volatile long i = 0; i < (long)arg; i++)
        ;
    syscall(SYS_exit, 44);
    return NULL;
}

static void leave_all(unsigned long long *seed) {
    for (int i = 0; i < 5; i++)
        start(leave, (void *)(long)random_below(seed, 20000));
    syscall(SYS_exit, 44);
}

int main(int argc, char **argv) {
    unsigned long long seed = 99;
    REQUIRE(pipe(ends) == 0);
    while (next_round(argc, argv))
        for (int how = 0; how < 6; how++) {
            long delay = (long)random_below(&seed, 2000000);
            pid_t child = fork();
            REQUIRE(child >= 0);
            if (child == 0) {
                if (how == 5)
                    leave_all(&seed);
                be_child(how, delay);
            }
            int status;
            REQUIRE(waitpid(child, &status, 0) == child);
            bool right = how == 1   ? WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM
                         : how == 2 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV
                                    : WIFEXITED(status) && WEXITSTATUS(status) == (how == 5 ? 44 : 33);
            if (!right)
                printf("FAIL way %d ended with %#x\n", how, status);
            REQUIRE(right);
            REQUIRE(kill(child, 0) == -1 && errno == ESRCH);
        }
    return races_done();
}
