// clock_getres(2), clock_settime(2): one nanosecond for fine clocks, a tick for coarse ones; refusals.
#include "check.h"

#include <sys/syscall.h>
#include <time.h>

int main(void) {
    struct timespec t;
    static const clockid_t fine[] = {
        CLOCK_REALTIME,          CLOCK_MONOTONIC,     CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID,
        CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_TAI};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        CHECK_OK(clock_getres(fine[i], &t));
        CHECK(t.tv_sec == 0 && t.tv_nsec == 1);
    }
    CHECK_OK(clock_getres(CLOCK_MONOTONIC_COARSE, &t));
    CHECK(t.tv_sec == 0 && t.tv_nsec >= 1000000 && t.tv_nsec <= 10000000);
    long tick = t.tv_nsec;
    CHECK_OK(syscall(SYS_clock_getres, CLOCK_REALTIME_COARSE, &t));
    CHECK_EQ(t.tv_nsec, tick);
    CHECK_OK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
    CHECK_ERR(clock_getres(999, &t), EINVAL);
    CHECK_ERR(syscall(SYS_clock_getres, CLOCK_MONOTONIC, 8L), EFAULT);

    t = (struct timespec){0, 0};
    CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
    CHECK_ERR(clock_settime(CLOCK_BOOTTIME, &t), EINVAL);
    CHECK_ERR(clock_settime(999, &t), EINVAL);
    t.tv_nsec = 1000000000;
    CHECK_ERR(clock_settime(CLOCK_REALTIME, &t), EINVAL);
    CHECK_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, 8L), EFAULT);
    return CHECK_DONE();
}
