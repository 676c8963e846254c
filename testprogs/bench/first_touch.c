// The first write to each page of anonymous memory, so many as the argument says.
#include "bench/bench.h"

#include <sys/mman.h>

int main(int argc, char **argv) {
    const size_t page = 4096, len = (size_t)rounds_of(argc, argv) * page;
    char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED);
    struct moment start = now();
    for (size_t at = 0; at < len; at += page)
        memory[at] = 1;
    return report(start, (double)(len / page));
}
