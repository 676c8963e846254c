// clock_gettime(2): every clock goes forward, and clocks of one kind agree with each other.
#include "check.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static int64_t ns(clockid_t clock) {
    struct timespec t = {0};
    return clock_gettime(clock, &t) == 0 ? t.tv_sec * 1000000000L + t.tv_nsec : -1;
}

static int64_t raw_ns(clockid_t clock) {
    struct timespec t = {0};
    return syscall(SYS_clock_gettime, clock, &t) == 0 ? t.tv_sec * 1000000000L + t.tv_nsec : -1;
}

int main(void) {
    static const clockid_t clocks[] = {
        CLOCK_REALTIME,        CLOCK_MONOTONIC,          CLOCK_PROCESS_CPUTIME_ID,
        CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,    CLOCK_REALTIME_COARSE,
        CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,          CLOCK_TAI,
    };
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        int backwards = 0, bad = 0;
        int64_t last = ns(clocks[i]);
        for (int k = 0; k < 2000; k++) {
            struct timespec t = {0, -1};
            clock_gettime(clocks[i], &t);
            bad += t.tv_nsec < 0 || t.tv_nsec > 999999999;
            int64_t now = t.tv_sec * 1000000000L + t.tv_nsec;
            backwards += now < last;
            last = now;
        }
        // What the C library reads without the kernel's help is between two answers of the kernel.
        int64_t before = raw_ns(clocks[i]), between = ns(clocks[i]), after = raw_ns(clocks[i]);
        NOTE("clock %d", clocks[i]);
        CHECK_EQ(backwards, 0);
        CHECK_EQ(bad, 0);
        CHECK(before >= 0 && before <= between && between <= after);
    }
    // The fine clocks move below a tick.
    int64_t start = ns(CLOCK_MONOTONIC), distinct = 0;
    for (int64_t last = start, now; distinct <= 10 && (now = ns(CLOCK_MONOTONIC)) < start + 3000000000;) {
        distinct += now != last;
        last = now;
    }
    CHECK(distinct > 10);
    // A tick behind at most; a pause between the two calls adds to that.
    bool near = false;
    for (int i = 0; i < 100 && !near; i++)
        near = llabs(ns(CLOCK_MONOTONIC) - ns(CLOCK_MONOTONIC_COARSE)) < 50000000;
    CHECK(near);
    CHECK(ns(CLOCK_BOOTTIME) >= start);
    int64_t offset = (ns(CLOCK_TAI) - ns(CLOCK_REALTIME)) / 1000000;
    CHECK(offset > -1000 && offset < 60000);

    struct timeval tv;
    struct timezone tz = {1, 1};
    CHECK_OK(gettimeofday(&tv, NULL));
    int64_t real = ns(CLOCK_REALTIME) / 1000, tv_us = tv.tv_sec * 1000000L + tv.tv_usec;
    CHECK(tv_us <= real && real - tv_us < 500000);
    CHECK_OK(syscall(SYS_gettimeofday, &tv, &tz));
    CHECK_EQ(tz.tz_dsttime, 0);
    time_t stored = 0, t = syscall(SYS_time, &stored);
    CHECK_EQ(t, stored);
    CHECK(labs(time(NULL) - tv.tv_sec) <= 1 && labs(t - tv.tv_sec) <= 1);

    struct timespec spec;
    CHECK_ERR(clock_gettime(12345, &spec), EINVAL);
    CHECK_ERR(clock_gettime(10, &spec), EINVAL);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NULL), EFAULT);
    return CHECK_DONE();
}
