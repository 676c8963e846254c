// getitimer(2), alarm(2), timer_create(2): remaining times, disarming, blocked SIGALRM taken by sigtimedwait.
#include "check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

int main(void) {
    struct itimerval timer = {.it_value = {1000, 0}}, old;
    CHECK_EQ(alarm(0), 0);
    CHECK_EQ(syscall(SYS_alarm, 500), 0);
    CHECK_EQ(alarm(1000), 500);
    CHECK_OK(getitimer(ITIMER_REAL, &old));
    CHECK(old.it_value.tv_sec == 999 || old.it_value.tv_sec == 1000);
    CHECK_EQ(alarm(0), 1000);
    CHECK_EQ(alarm(0), 0);
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
        CHECK_OK(getitimer(which, &old));
        CHECK(!timerisset(&old.it_value) && !timerisset(&old.it_interval));
        timer.it_interval.tv_sec = 5;
        CHECK_OK(setitimer(which, &timer, NULL));
        CHECK_OK(setitimer(which, &(struct itimerval){0}, &old));
        CHECK(old.it_value.tv_sec >= 999 && old.it_interval.tv_sec == 5);
    }
    CHECK_ERR(getitimer(9, &old), EINVAL);
    CHECK_ERR(setitimer(9, &timer, NULL), EINVAL);
    timer.it_value.tv_usec = -1;
    CHECK_ERR(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, NULL), EFAULT);

    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigaddset(&set, SIGRTMIN);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    timer = (struct itimerval){.it_value = {0, 2000}};
    CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGALRM);
    CHECK_EQ(info.si_code, SI_KERNEL);

    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN,
                             .sigev_value.sival_int = 4711};
    int id = -1;
    CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    CHECK(id >= 0);
    struct itimerspec spec = {.it_value = {0, 2000000}};
    CHECK_OK(syscall(SYS_timer_settime, id, 0, &spec, NULL));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 4711);
    CHECK_EQ(syscall(SYS_timer_getoverrun, id), 0);
    CHECK_OK(syscall(SYS_timer_gettime, id, &spec));
    CHECK(spec.it_value.tv_sec == 0 && spec.it_value.tv_nsec == 0);
    spec.it_value.tv_nsec = 1000000000;
    CHECK_ERR(syscall(SYS_timer_settime, id, 0, &spec, NULL), EINVAL);
    CHECK_OK(syscall(SYS_timer_delete, id));
    CHECK_ERR(syscall(SYS_timer_delete, id), EINVAL);
    CHECK_ERR(syscall(SYS_timer_gettime, 12345, &spec), EINVAL);
    CHECK_ERR(syscall(SYS_timer_create, 999, &event, &id), EINVAL);
    event.sigev_signo = 65;
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.sigev_notify = 99;
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 8L), EFAULT);
    return CHECK_DONE();
}
