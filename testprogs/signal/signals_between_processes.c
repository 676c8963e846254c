// Signals of another process: a storm of queued ones while this one computes, calls and is stopped; handlers and masks that
// a child inherits; and waits that go on after SIGSTOP and SIGCONT.
#include "check.h"
#include "signals.h"

#include <poll.h>
#include <sys/wait.h>

enum { SIGNALS = 3000 };
static volatile int received, out_of_order, usr1;

static void on_queued(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    out_of_order += info->si_value.sival_int != received;
    received++;
}

static void on_usr1(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    usr1++;
}

// Sends all signals, and stops and continues the receiver now and then.
static void storm(pid_t to) {
    for (int i = 0; i < SIGNALS; i++) {
        while (sigqueue(to, SIGRTMIN + 1, (union sigval){.sival_int = i}) != 0)
            usleep(500);
        if (i % 50 == 0) {
            kill(to, SIGSTOP);
            kill(to, SIGCONT);
        }
    }
    _exit(0);
}

int main(void) {
    int ends[2], report[2], how = 0, errors = 0;
    CHECK_OK(pipe(ends));
    CHECK_OK(pipe(report));
    CHECK_OK(install(SIGRTMIN + 1, on_queued, SA_RESTART));
    CHECK_OK(install(SIGUSR1, on_usr1, 0));
    pid_t self = getpid(), child = fork();
    if (child == 0)
        storm(self);
    unsigned long work = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        char byte = 'x';
        for (int i = 0; i < 1000; i++)
            work = work * 31 + (unsigned long)i;
        errors += write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1;
        errors += getppid() <= 0;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (received < SIGNALS && now.tv_sec - start.tv_sec < 15);
    CHECK_EQ(waitpid(child, &how, 0), child);
    CHECK_EQ(received, SIGNALS);
    CHECK_EQ(out_of_order, 0);
    CHECK_EQ(errors, 0);

    // A child has its parent's handlers and mask, and none of its pending signals.
    set_mask(bit(SIGUSR1));
    raise(SIGUSR1);
    child = fork();
    if (child == 0) {
        sigset_t pending;
        sigpending(&pending);
        int bad = sigismember(&pending, SIGUSR1) || mask_now() != bit(SIGUSR1);
        set_mask(0);
        bad += usr1 != 0;
        raise(SIGUSR1);
        _exit(bad + (usr1 != 1));
    }
    CHECK_EQ(waitpid(child, &how, 0), child);
    CHECK_EQ(how, 0);
    set_mask(0);
    CHECK_EQ(usr1, 1);

    // Stopped and continued, a wait goes on; a handler ends it.
    child = fork();
    if (child == 0) {
        char byte = 0;
        struct pollfd poller = {ends[0], POLLIN, 0};
        int bad = poll(&poller, 1, 20000) != 1;
        bad += read(ends[0], &byte, 1) != 1;
        bad += write(report[1], "r", 1) != 1;
        bad += read(ends[0], &byte, 1) != -1 || errno != EINTR || usr1 < 2;
        _exit(bad);
    }
    usleep(30000);
    CHECK_OK(kill(child, SIGSTOP));
    CHECK_EQ(waitpid(child, &how, WUNTRACED), child);
    CHECK_OK(kill(child, SIGCONT));
    usleep(30000);
    CHECK_EQ(write(ends[1], "y", 1), 1);
    char byte;
    CHECK_EQ(read(report[0], &byte, 1), 1);
    // Until it ends: the first may come before it waits.
    while (waitpid(child, &how, WNOHANG) == 0) {
        kill(child, SIGUSR1);
        usleep(10000);
    }
    CHECK_EQ(how, 0);
    return CHECK_DONE();
}
