// signal(7): every real-time signal can be sent to oneself, waits while it is blocked, and comes by number, then in order.
#include "check.h"

#include <signal.h>
#include <time.h>

int main(void) {
    sigset_t set, pending;
    siginfo_t info;
    struct timespec none = {0, 0};
    sigemptyset(&set);
    for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
        sigaddset(&set, s);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    int bad = 0;
    for (int round = 0; round < 2; round++)
        for (int s = SIGRTMAX; s >= SIGRTMIN; s--)
            bad += sigqueue(getpid(), s, (union sigval){.sival_int = 100 * s + round}) != 0;
    CHECK_EQ(bad, 0);
    CHECK_OK(sigpending(&pending));
    for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
        bad += sigismember(&pending, s) != 1;
    CHECK_EQ(bad, 0);
    for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
        for (int round = 0; round < 2; round++) {
            int got = sigtimedwait(&set, &info, &none);
            if (got != s || info.si_value.sival_int != 100 * s + round || info.si_code != SI_QUEUE)
                NOTE("expected %d, got %d with %d", s, got, info.si_value.sival_int);
        }
    CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, 50), 0);

    signal(50, SIG_IGN);
    CHECK_OK(raise(50));
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
    CHECK_OK(raise(50));
    signal(50, SIG_DFL);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_OK(raise(50));
    CHECK_DEATH(50, sigprocmask(SIG_UNBLOCK, &set, NULL));
}
