// times(2), getrusage(2), clock_getcpuclockid(3), clock(3): CPU time grows with work and not with sleep.
#include "check.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <time.h>

static int64_t ns(clockid_t clock) {
    struct timespec t = {0};
    return clock_gettime(clock, &t) == 0 ? t.tv_sec * 1000000000L + t.tv_nsec : -1;
}

static int64_t used_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

int main(void) {
    struct tms before, after;
    struct rusage u;
    clockid_t own;
    CHECK_EQ(clock_getcpuclockid(0, &own), 0);
    CHECK_EQ(clock_getcpuclockid(0x7ffffff, &own), ESRCH);
    CHECK_EQ(clock_getcpuclockid(getpid(), &own), 0);
    CHECK(times(&before) != -1);
    int64_t wall = ns(CLOCK_MONOTONIC); // First: whatever comes between counts as CPU time too.
    int64_t process = ns(CLOCK_PROCESS_CPUTIME_ID), thread = ns(CLOCK_THREAD_CPUTIME_ID);
    int64_t usage = used_us(), dynamic = ns(own);
    CHECK(process >= 0 && thread >= 0 && dynamic >= 0 && usage >= 0);

    volatile unsigned long sink = 0;
    while (ns(CLOCK_PROCESS_CPUTIME_ID) < process + 40000000)
        for (int i = 0; i < 1000; i++)
            sink += i;
    CHECK(ns(CLOCK_MONOTONIC) - wall >= 35000000);
    CHECK(ns(CLOCK_THREAD_CPUTIME_ID) - thread >= 30000000);
    CHECK(ns(own) - dynamic >= 30000000);
    CHECK(used_us() - usage >= 20000);
    CHECK(times(&after) != -1);
    CHECK(after.tms_utime + after.tms_stime - before.tms_utime - before.tms_stime >= 2);
    CHECK(after.tms_cutime == 0 && after.tms_cstime == 0);
    CHECK_OK(getrusage(RUSAGE_THREAD, &u));
    CHECK_OK(getrusage(RUSAGE_CHILDREN, &u));
    CHECK(u.ru_utime.tv_sec == 0 && u.ru_utime.tv_usec == 0);

    process = ns(CLOCK_PROCESS_CPUTIME_ID);
    nanosleep(&(struct timespec){0, 300000000}, NULL);
    CHECK(ns(CLOCK_PROCESS_CPUTIME_ID) - process < 200000000);

    CHECK_OK(getrusage(RUSAGE_SELF, &u));
    CHECK(u.ru_maxrss > 0);
    CHECK_OK(syscall(SYS_times, NULL) < 0 ? -1 : 0);
    CHECK_ERR(syscall(SYS_times, 8L), EFAULT);
    CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, NULL), EFAULT);
    CHECK_ERR(getrusage(99, &u), EINVAL);
    CHECK_ERR(clock_gettime((clockid_t)((~0x7ffffffu) << 3) | 2, &(struct timespec){0}), EINVAL);
    return CHECK_DONE();
}
