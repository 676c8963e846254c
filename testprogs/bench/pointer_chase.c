// Reads that each say where the next one is, all over 1 GiB: misses of caches and of the TLB.
#include "bench/bench.h"

#include <stdint.h>
#include <sys/mman.h>

enum { LINE = 64 / sizeof(uint32_t) };
static const uint32_t lines = 1 << 24;

// One cycle through all lines in no order that a prefetcher knows: a linear congruential generator of full period.
static uint32_t after(uint32_t line) { return (line * 1664525U + 1013904223U) % lines; }

int main(int argc, char **argv) {
    const long rounds = rounds_of(argc, argv);
    const size_t len = (size_t)lines * 64;
    uint32_t *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    for (uint32_t line = 0; line < lines; line++)
        memory[(size_t)line * LINE] = after(line);
    uint32_t line = 0, expected = 0;
    for (long i = 0; i < rounds; i++)
        expected = after(expected);
    struct moment start = now();
    for (long i = 0; i < rounds; i++)
        line = memory[(size_t)line * LINE];
    require(line == expected);
    return report(start, rounds);
}
