// kill(2): SIGKILL cannot be blocked or ignored, and ends the process before the call returns.
#include "check.h"

#include <signal.h>

int main(void) {
    sigset_t set;
    sigfillset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &set));
    CHECK_EQ(sigismember(&set, SIGKILL), 0);
    CHECK_EQ(sigismember(&set, SIGSTOP), 0);
    CHECK_EQ(sigismember(&set, SIGTERM), 1);
    CHECK(signal(SIGKILL, SIG_IGN) == SIG_ERR);
    CHECK_EQ(errno, EINVAL);
    CHECK_DEATH(SIGKILL, kill(getpid(), SIGKILL));
}
