// nanosleep(2), clock_nanosleep(2): never shorter than asked, absolute times, refusals.
#include "check.h"

#include <sys/syscall.h>
#include <time.h>

static struct timespec now(clockid_t clock) {
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return t;
}

static int64_t since(clockid_t clock, struct timespec start) {
    struct timespec t = now(clock);
    return (t.tv_sec - start.tv_sec) * 1000000000L + t.tv_nsec - start.tv_nsec;
}

static long sleep_raw(clockid_t clock, int flags, const struct timespec *t) {
    return syscall(SYS_clock_nanosleep, clock, flags, t, NULL);
}

int main(void) {
    struct timespec start = now(CLOCK_MONOTONIC), t = {0, 3000000}, rest = {77, 77};
    CHECK_OK(syscall(SYS_nanosleep, &t, &rest));
    CHECK(since(CLOCK_MONOTONIC, start) >= 3000000);
    CHECK(rest.tv_sec == 77 && rest.tv_nsec == 77);
    CHECK_OK(nanosleep(&(struct timespec){0, 0}, NULL));
    start = now(CLOCK_MONOTONIC);
    CHECK_OK(sleep_raw(CLOCK_BOOTTIME, 0, &t));
    CHECK(since(CLOCK_MONOTONIC, start) >= 3000000);

    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        start = now(clocks[i]);
        struct timespec end = start;
        end.tv_nsec += 2000000;
        end.tv_sec += end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
        CHECK_OK(sleep_raw(clocks[i], TIMER_ABSTIME, &end));
        CHECK(since(clocks[i], start) >= 2000000);
    }
    // A time that has passed is no sleep at all.
    CHECK_OK(sleep_raw(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 1}));
    CHECK_OK(sleep_raw(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){0, 0}));
    CHECK_EQ(usleep(100), 0);

    struct timespec bad[] = {{0, 1000000000}, {0, -1}, {-1, 0}};
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(nanosleep(&bad[i], NULL), EINVAL);
        CHECK_ERR(sleep_raw(CLOCK_MONOTONIC, TIMER_ABSTIME, &bad[i]), EINVAL);
    }
    CHECK_ERR(sleep_raw(CLOCK_THREAD_CPUTIME_ID, 0, &t), EOPNOTSUPP);
    CHECK_ERR(sleep_raw(CLOCK_MONOTONIC_RAW, 0, &t), EOPNOTSUPP);
    CHECK_ERR(sleep_raw(CLOCK_MONOTONIC_COARSE, 0, &t), EOPNOTSUPP);
    CHECK_ERR(sleep_raw(99, 0, &t), EINVAL);
    CHECK_ERR(sleep_raw(CLOCK_MONOTONIC, 0, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_nanosleep, 8L, NULL), EFAULT);
    return CHECK_DONE();
}
