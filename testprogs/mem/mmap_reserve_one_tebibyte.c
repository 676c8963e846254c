// MAP_NORESERVE address space costs nothing until it is touched: 1 TiB, 1,000 pages of it. mmap(2).
#include "mem/mem.h"

#define RESERVED ((size_t)1 << 40)
#define TOUCHED 1000

int main(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *p = CHECK_OK(mmap(NULL, RESERVED, PROT_READ | PROT_WRITE, flags, -1, 0));
    uint64_t seed = 1, bad = 0;
    for (int i = 0; i < TOUCHED; i++) {
        size_t page = next_random(&seed) % (RESERVED / PAGE);
        bad += *(uint64_t *)(p + page * PAGE + 8) != 0;
        *(uint64_t *)(p + page * PAGE) = page;
    }
    CHECK_EQ(bad, 0);
    seed = 1;
    for (int i = 0; i < TOUCHED; i++) {
        size_t page = next_random(&seed) % (RESERVED / PAGE);
        bad += *(uint64_t *)(p + page * PAGE) != page;
    }
    CHECK_EQ(bad, 0);
    p[0] = p[RESERVED - 1] = 'e';
    CHECK_EQ(p[RESERVED - 1], 'e');

    // A reservation without rights, of which a part is put to use: how allocators begin.
    char *q = CHECK_OK(mmap(NULL, RESERVED, PROT_NONE, flags, -1, 0));
    char *middle = q + RESERVED / 2;
    CHECK_STR(rights(middle - PAGE, 3), "---");
    CHECK_OK(mprotect(middle, PAGE, PROT_READ | PROT_WRITE));
    CHECK_STR(rights(middle - PAGE, 3), "-w-");
    *middle = 'm';

    CHECK_OK(munmap(q, RESERVED / 2 - PAGE));
    CHECK_EQ(*middle, 'm');
    CHECK_STR(rights(middle - 2 * PAGE, 4), ".-w-");
    CHECK_OK(munmap(middle - PAGE, RESERVED / 2 + PAGE));
    CHECK_OK(munmap(p, RESERVED));
    CHECK_ERR(mprotect(middle, PAGE, PROT_READ), ENOMEM);
    return CHECK_DONE();
}
