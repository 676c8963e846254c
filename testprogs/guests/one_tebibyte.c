// 1 TiB that is only reserved, of which 1,000 random pages are used. Exit status 0 if they hold what they were given.
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGES ((uint64_t)1 << 28)
#define PAGE 4096
#define TOUCHED 1000

// xorshift64*
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

int main(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *start = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (start == MAP_FAILED)
        return 1;
    // Where huge pages are given unasked, one would cost 2 MiB.
    madvise(start, PAGES * PAGE, MADV_NOHUGEPAGE);
    uint64_t state = 1;
    for (int i = 0; i < TOUCHED; i++) {
        uint64_t page = next_random(&state) % PAGES;
        *(uint64_t *)(start + page * PAGE) = page + 1;
    }
    state = 1;
    for (int i = 0; i < TOUCHED; i++) {
        uint64_t page = next_random(&state) % PAGES;
        if (*(uint64_t *)(start + page * PAGE) != page + 1)
            return 2;
    }
    return 0;
}
