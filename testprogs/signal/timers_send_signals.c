// timer_create(2): the signal of a timer with its value; to a thread; overruns; a spinning program is interrupted.
#include "check.h"
#include "signals.h"

static volatile int count, code, value, id, overrun;
static timer_t timer;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    count++;
    code = info->si_code;
    value = info->si_value.sival_int;
    id = info->si_timerid;
    overrun += timer_getoverrun(timer);
}

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

int main(void) {
    CHECK_OK(install(SIGRTMIN + 2, handler, 0));
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 1234};
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec once = {{0, 0}, {0, 5000000}}, often = {{0, 1000000}, {0, 1000000}}, off = {0};
    struct itimerspec seldom = {{0, 200000000}, {0, 5000000}};
    CHECK_OK(timer_settime(timer, 0, &once, NULL));
    while (count == 0)
        ;
    CHECK(code == SI_TIMER && value == 1234);
    CHECK_EQ(id, 0);
    CHECK_OK(timer_settime(timer, 0, &often, NULL));
    while (count < 50)
        ;
    CHECK_OK(timer_settime(timer, 0, &off, NULL));
    // Blocked, they become overruns.
    set_mask(bit(SIGRTMIN + 2));
    overrun = count = 0;
    CHECK_OK(timer_settime(timer, 0, &often, NULL));
    CHECK_OK(usleep(50000));
    CHECK_EQ(count, 0);
    CHECK_OK(timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {100, 0}}, NULL));
    set_mask(0);
    CHECK(count <= 1);
    CHECK_OK(timer_delete(timer));

    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_notify_thread_id = gettid();
    event.sigev_value.sival_int = 77;
    CHECK_OK(timer_create(CLOCK_REALTIME, &event, &timer));
    count = 0;
    // The first signal may come before the sleep.
    CHECK_OK(timer_settime(timer, 0, &seldom, NULL));
    struct timespec time = {100, 0};
    CHECK_ERR(nanosleep(&time, NULL), EINTR);
    CHECK(count >= 1 && value == 77 && code == SI_TIMER);
    CHECK_OK(timer_delete(timer));

    CHECK_OK(install(SIGALRM, handler, 0));
    count = 0;
    CHECK_EQ(alarm(1), 0);
    while (count == 0)
        ;
    CHECK_EQ(alarm(0), 0);
    return CHECK_DONE();
}
