// Integer arithmetic that neither the compiler nor the CPU can shorten: one xorshift a round.
#include "bench/bench.h"

#include <stdint.h>

int main(void) {
    const long rounds = 100000000;
    volatile uint64_t sink;
    uint64_t x = 88172645463325252;
    double start = now_ns();
    for (long i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    sink = x;
    (void)sink;
    return report(start, rounds);
}
