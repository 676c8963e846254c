// setitimer(2): SIGALRM from a timer ends a process that waits in pause(2).
#include "check.h"

#include <signal.h>
#include <sys/time.h>

int main(void) {
    sigset_t set;
    struct itimerval soon = {.it_value = {0, 5000}}, bad = {.it_value = {0, 1000000}}, now;
    signal(SIGALRM, SIG_DFL);
    sigemptyset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    CHECK_ERR(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
    CHECK_OK(getitimer(ITIMER_REAL, &now));
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0);
    CHECK_DEATH(SIGALRM, setitimer(ITIMER_REAL, &soon, NULL); pause());
}
