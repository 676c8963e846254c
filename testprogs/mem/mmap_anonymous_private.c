// Anonymous private memory is zero, holds what is written, and is gone after munmap. mmap(2).
#include "mem/mem.h"

int main(void) {
    int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = CHECK_OK(mmap(NULL, 8 * PAGE, protection, flags, -1, 0));
    CHECK_EQ((uintptr_t)p % PAGE, 0);
    CHECK(filled(p, 8 * PAGE, 0));
    memset(p, 0x5a, 8 * PAGE);
    CHECK(filled(p, 8 * PAGE, 0x5a));
    CHECK_STR(rights(p, 8), "wwwwwwww");

    // The descriptor does not count, and a length is rounded up to pages.
    char *q = CHECK_OK(mmap(NULL, 5000, protection, flags, 12345, 0));
    q[2 * PAGE - 1] = 'z';
    CHECK_STR(rights(q, 2), "ww");
    CHECK(q + 2 * PAGE <= p || p + 8 * PAGE <= q);

    CHECK_STR(rights(map_pages(2, PROT_READ), 2), "rr");
    CHECK_STR(rights(map_pages(2, PROT_NONE), 2), "--");
    CHECK_STR(rights(map_pages(2, PROT_WRITE), 2), "ww");

    CHECK_OK(munmap(p, 8 * PAGE));
    CHECK_STR(rights(p, 8), "........");
    CHECK_OK(munmap(q, 5000));
    CHECK_STR(rights(q, 2), "..");
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    return CHECK_DONE();
}
