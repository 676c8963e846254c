// cflags: -pthread
// Signals to a process whose threads end one after the other: what comes to one that ends is taken by another, and
// none of a queue is lost or taken twice.
#include "check.h"
#include "threads/threads.h"

#define COUNT 3000

static atomic_int taken, times[COUNT], is_sent;

static void take(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    taken++;
    times[info->si_value.sival_int]++;
}

static sigset_t only(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void *send(void *arg) {
    for (int i = 0; i < COUNT; i++)
        while (sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) != 0) {
            REQUIRE(errno == EAGAIN);
            sched_yield();
        }
    is_sent = 1;
    return arg;
}

// Ends by a bare call: the C library blocks all signals before.
static void *take_and_end(void *arg) {
    sigset_t set = only(SIGRTMIN);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    syscall(SYS_exit, 0);
    return arg;
}

int main(void) {
    sigset_t set = only(SIGRTMIN);
    struct sigaction action = {.sa_sigaction = take, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGRTMIN, &action, NULL));
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pthread_t sender = start(send, NULL);
    while (!is_sent) {
        pthread_t threads[2] = {start(take_and_end, NULL), start(take_and_end, NULL)};
        join(threads[0]);
        join(threads[1]);
    }
    join(sender);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    int once = 0;
    for (int i = 0; i < COUNT; i++)
        once += times[i] == 1;
    CHECK_EQ(taken, COUNT);
    CHECK_EQ(once, COUNT);
    return CHECK_DONE();
}
