// A benchmark program prints one number: nanoseconds an operation, measured inside.
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline int report(double start_ns, double operations) {
    return printf("%.2f\n", (now_ns() - start_ns) / operations) < 0;
}

#endif
