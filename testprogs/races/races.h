// What the races share. Each runs rounds for as many seconds as its argument says, or, if that is
// "12r", so many rounds. Its output is the same however many there were: the file "rounds" tells.
#ifndef RACES_H
#define RACES_H

#include "threads/threads.h"
#include <sys/mman.h>

static long rounds_done, rounds_wanted = 3;
static double race_ends;

// Whether there is to be another round. The first is always made.
static inline bool next_round(int argc, char **argv) {
    if (rounds_done == 0 && argc > 1) {
        char *unit;
        double number = strtod(argv[1], &unit);
        rounds_wanted = *unit == 'r' ? (long)number : 0;
        race_ends = now() + number;
    }
    bool goes_on = rounds_done == 0 || (rounds_wanted != 0 ? rounds_done < rounds_wanted : now() < race_ends);
    rounds_done += goes_on;
    return goes_on;
}

// Ends the program: what it found, and in the file "rounds" how often it was tried.
static inline int races_done(void) {
    FILE *file = fopen("rounds", "w");
    REQUIRE(file != NULL);
    fprintf(file, "%ld\n", rounds_done);
    fclose(file);
    printf("no difference\n");
    return 0;
}

// Threads that are busy in user code and in the kernel until something ends them.
static inline void *compute_forever(void *arg) {
    for (;;)
        __asm__ volatile("pause");
    return arg;
}

static inline void *map_forever(void *arg) {
    for (;;) {
        char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        at[5000] = 1;
        munmap(at, 1 << 20);
    }
    return arg;
}

static inline void ignore_signal(int signal) { (void)signal; }

static inline unsigned long long random_below(unsigned long long *state, unsigned long long limit) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * 0x2545f4914f6cdd1dull >> 11) % limit;
}

#endif
