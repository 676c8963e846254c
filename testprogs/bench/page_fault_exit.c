// The first read in each 2 MiB of a reservation: a fault each, and only the zero page behind it.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <sys/mman.h>

int main(int argc, char **argv) {
    const size_t step = 2 << 20, count = (size_t)rounds_of(argc, argv);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    volatile char *memory = mmap(NULL, step * count, PROT_READ, flags, -1, 0);
    require(memory != MAP_FAILED);
    struct moment start = now();
    for (size_t i = 0; i < count; i++)
        (void)memory[i * step];
    return report(start, (double)count);
}
