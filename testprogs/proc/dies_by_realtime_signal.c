// signal(7): the default of a real-time signal is death, also for the last one and from sigqueue(3).
#include "check.h"

#include <signal.h>

int main(void) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMAX);
    CHECK_EQ(SIGRTMAX, 64);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_OK(sigqueue(getpid(), SIGRTMAX, (union sigval){.sival_ptr = &set}));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMAX);
    CHECK_EQ(info.si_value.sival_ptr, &set);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
    CHECK_ERR(sigqueue(getpid(), 65, (union sigval){0}), EINVAL);
    CHECK_DEATH(SIGRTMAX, sigqueue(getpid(), SIGRTMAX, (union sigval){0}));
}
