// Memory that is filled page by page, above memory of which every 512th page is used, down from where the other begins.
// Prints how many KiB of both together are huge pages (AnonHugePages of proc_pid_smaps(5)), and how many pages of the sparse one are resident. Exit status 0 if
// each page was zero before and kept what was written.
#include "check.h"

#include <sys/mman.h>

static const size_t len = 64 << 20, page = 4096, block = 2 << 20;

static unsigned char *memory(void) {
    unsigned char *start = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(start != MAP_FAILED);
    return start;
}

static void fill(unsigned char *start, size_t step) {
    for (size_t at = len; at > 0; at -= step)
        REQUIRE(__atomic_exchange_n(&start[at - step], 1 + (at - step) / step % 200, __ATOMIC_RELAXED) == 0);
    for (size_t at = 0; at < len; at += step)
        REQUIRE(start[at] == 1 + at / step % 200);
}

static long huge_kib(void) {
    FILE *smaps = fopen("/proc/self/smaps_rollup", "r");
    REQUIRE(smaps != NULL);
    char line[256];
    long kib = -1;
    while (fgets(line, sizeof line, smaps) != NULL)
        sscanf(line, "AnonHugePages: %ld kB", &kib);
    fclose(smaps);
    return kib;
}

int main(void) {
    unsigned char *dense = memory(), *sparse = memory();
    fill(dense, page);
    fill(sparse, block);
    static unsigned char pages[64 << 8];
    REQUIRE(mincore(sparse, len, pages) == 0);
    long nr_resident = 0;
    for (size_t i = 0; i < len / page; i++)
        nr_resident += pages[i] & 1;
    printf("%ld %ld\n", huge_kib(), nr_resident);
    return 0;
}
