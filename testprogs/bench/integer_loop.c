// Integer arithmetic that neither the compiler nor the CPU can shorten: one xorshift a round.
#include "bench/bench.h"

#include <stdint.h>

int main(int argc, char **argv) {
    const long rounds = rounds_of(argc, argv);
    volatile uint64_t sink;
    uint64_t x = 88172645463325252;
    struct moment start = now();
    for (long i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    sink = x;
    require(sink != 0);
    return report(start, rounds);
}
