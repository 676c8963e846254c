// MAP_32BIT keeps the mapping within the first 2 GiB; MAP_FIXED goes before it. mmap(2).
#include "mem/mem.h"

#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT)

int main(void) {
    char *p = CHECK_OK(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, FLAGS, -1, 0));
    CHECK((uintptr_t)p + 16 * PAGE <= (uintptr_t)1 << 31);
    memset(p, 'l', 16 * PAGE);
    CHECK_EQ(*(char *)(uintptr_t)(uint32_t)(uintptr_t)p, 'l');

    char *q = CHECK_OK(mmap(NULL, 64 << 20, PROT_NONE, FLAGS, -1, 0));
    CHECK((uintptr_t)q + (64 << 20) <= (uintptr_t)1 << 31);
    CHECK(q + (64 << 20) <= p || p + 16 * PAGE <= q);

    // A hint outside does not lead out, a fixed address does.
    char *high = map_pages(2, PROT_READ);
    CHECK_OK(munmap(high, 2 * PAGE));
    char *r = CHECK_OK(mmap(high, PAGE, PROT_READ, FLAGS, -1, 0));
    CHECK((uintptr_t)r < (uintptr_t)1 << 31);
    CHECK_EQ(mmap(high, PAGE, PROT_READ, FLAGS | MAP_FIXED, -1, 0), high);

    CHECK_ERR(mmap(NULL, (size_t)2 << 30, PROT_NONE, FLAGS | MAP_NORESERVE, -1, 0), ENOMEM);
    CHECK_EQ(p[16 * PAGE - 1], 'l');
    return CHECK_DONE();
}
