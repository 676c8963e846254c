// adjtimex(2), clock_adjtime(2), sched_rr_get_interval(2): reading needs no privilege; unknown clocks
// and pids.
#include "check.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>

int main(void) {
    struct timex x = {.modes = 0}, y = {.modes = 0};
    int state = CHECK_OK(adjtimex(&x));
    CHECK(state >= TIME_OK && state <= TIME_ERROR);
    CHECK(x.tick >= 9000 && x.tick <= 11000);
    time_t now = time(NULL);
    CHECK(labs(now - x.time.tv_sec) <= 1);
    CHECK_EQ(clock_adjtime(CLOCK_REALTIME, &y), state);
    CHECK_EQ(x.freq, y.freq);
    CHECK_ERR(clock_adjtime(CLOCK_MONOTONIC, &y), EOPNOTSUPP);
    CHECK_ERR(clock_adjtime(999, &y), EINVAL);
    CHECK_ERR(syscall(SYS_adjtimex, NULL), EFAULT);

    struct timespec slice = {-1, -1};
    CHECK_OK(sched_rr_get_interval(0, &slice));
    CHECK(slice.tv_sec == 0 && slice.tv_nsec >= 0);
    CHECK_ERR(sched_rr_get_interval(-1, &slice), EINVAL);
    CHECK_ERR(sched_rr_get_interval(0x3fffffff, &slice), ESRCH);
    CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0, 8L), EFAULT);
    return CHECK_DONE();
}
