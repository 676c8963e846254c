// cflags: -O2 -pthread -g
// Known shares of processor time inside regions of interest and outside. Each round is half outside; of its region, three
// quarters are `most` and one quarter is `least`. Arguments: rounds, and thousands of turns of one round.
#include "m5.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER_INLINE __attribute__((noinline, noclone))

static volatile uint64_t sink;

static inline __attribute__((always_inline)) void turns(uint64_t count)
{
    uint64_t x = count;
    asm volatile("" : "+r"(x));
    for (uint64_t i = 0; i < count; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        x ^= x >> 13;
    }
    sink = x;
}

NEVER_INLINE void outside(uint64_t count)
{
    turns(count);
    asm volatile("");
}

NEVER_INLINE void most(uint64_t count)
{
    turns(count);
    asm volatile("" ::: "memory");
}

NEVER_INLINE void least(uint64_t count)
{
    turns(count);
    asm volatile("nop");
}

NEVER_INLINE void region(uint64_t count)
{
    most(count * 3 / 4);
    least(count / 4);
    asm volatile("");
}

int main(int argc, char **argv)
{
    uint64_t nr_rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = (argc > 2 ? strtoull(argv[2], NULL, 0) : 100) * 1000;
    int has_m5 = argc > 3 && !strcmp(argv[3], "m5");
    for (uint64_t i = 0; i < nr_rounds; i++) {
        outside(count / 2);
        if (has_m5)
            m5_work_begin(7, 0, 0, 0, 0, 0);
        else
            getppid();
        region(count);
        if (has_m5)
            m5_work_end(7, 0, 0, 0, 0, 0);
        else
            getuid();
        outside(count / 2);
    }
    puts("done");
    return 0;
}
