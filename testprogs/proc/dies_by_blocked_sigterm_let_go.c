// signal(7): a blocked SIGTERM does nothing until it is unblocked, and then kills inside that very call.
#include "check.h"

#include <signal.h>

int main(void) {
    sigset_t set, pending;
    signal(SIGTERM, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_OK(kill(getpid(), SIGTERM));
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGTERM), 1);
    CHECK_ERR(sigprocmask(7, &set, NULL), EINVAL);
    CHECK_DEATH(SIGTERM, sigprocmask(SIG_UNBLOCK, &set, NULL));
}
