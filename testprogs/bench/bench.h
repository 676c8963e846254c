// A benchmark program prints two numbers: the nanoseconds that an operation takes, by the clock and of CPU time, both
// measured inside. Its last argument says how many operations it makes; what it cannot do ends it with status 1.
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            perror(#condition);                                                                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

struct moment {
    double wall_ns, cpu_ns;
};

static inline double cpu_ns(int who) {
    struct rusage used;
    require(getrusage(who, &used) == 0);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
}

// CPU time is that of all threads and of the children that were waited for.
static inline struct moment now(void) {
    struct timespec t;
    require(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (struct moment){t.tv_sec * 1e9 + t.tv_nsec, cpu_ns(RUSAGE_SELF) + cpu_ns(RUSAGE_CHILDREN)};
}

static inline int report(struct moment start, double operations) {
    struct moment end = now();
    double wall = (end.wall_ns - start.wall_ns) / operations, cpu = (end.cpu_ns - start.cpu_ns) / operations;
    return printf("%.3f %.3f\n", wall, cpu) < 0;
}

// The number that the last argument is.
static inline long rounds_of(int argc, char **argv) {
    long rounds = argc > 1 ? strtol(argv[argc - 1], NULL, 10) : 0;
    require(rounds > 0);
    return rounds;
}

// A kind of operation that a program can make, by the name that its first argument gives it.
struct operation {
    const char *name;
    void (*make)(long rounds);
};

// Measures the operation that the first argument names.
static inline int measure(const struct operation *operations, int argc, char **argv) {
    long rounds = rounds_of(argc, argv);
    while (operations->name && strcmp(operations->name, argv[1]) != 0)
        operations++;
    require(operations->name);
    struct moment start = now();
    operations->make(rounds);
    return report(start, rounds);
}

#endif
