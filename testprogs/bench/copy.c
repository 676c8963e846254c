// Copies one array to another, both far larger than the caches, as STREAM's first kernel does. An operation is a MiB.
#include "bench/bench.h"

#include <sys/mman.h>

static const size_t MiB = 1 << 20, len = 128 << 20;

static double *array(double value) {
    double *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    for (size_t i = 0; i < len / sizeof(double); i++)
        memory[i] = value;
    return memory;
}

int main(int argc, char **argv) {
    const long rounds = rounds_of(argc, argv);
    double *from = array(1), *to = array(2);
    struct moment start = now();
    for (long round = 0; round < rounds; round++) {
        from[round] = 3;
        for (size_t i = 0; i < len / sizeof(double); i++)
            to[i] = from[i];
        require(to[round] == 3);
    }
    return report(start, (double)rounds * (double)(len / MiB));
}
