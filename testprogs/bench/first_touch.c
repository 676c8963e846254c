// The first write to each page of 256 MiB of anonymous memory.
#include "bench/bench.h"

#include <sys/mman.h>

int main(void) {
    const size_t len = 256 << 20, page = 4096;
    char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    double start = now_ns();
    for (size_t at = 0; at < len; at += page)
        memory[at] = 1;
    return report(start, (double)(len / page));
}
