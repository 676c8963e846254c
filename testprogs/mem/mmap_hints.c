// Without MAP_FIXED an address is a hint: taken when free, rounded down to a page, and ignored when
// something is there or it is no user address. mmap(2).
#include "mem/mem.h"

static char *hinted(char *hint, size_t pages) {
    return mmap(hint, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
    char *window = map_pages(64, PROT_NONE);
    CHECK_OK(munmap(window, 64 * PAGE));

    CHECK_EQ(hinted(window + 8 * PAGE, 4), window + 8 * PAGE);
    CHECK_EQ(hinted(window + 20 * PAGE + 123, 2), window + 20 * PAGE);
    CHECK_EQ(hinted(window + 12 * PAGE, 8), window + 12 * PAGE);
    memset(window + 8 * PAGE, 'h', 14 * PAGE);

    // Taken, in whole or in part.
    char *p = CHECK_OK(hinted(window + 9 * PAGE, 1));
    CHECK(p < window + 8 * PAGE || p >= window + 22 * PAGE);
    char *q = CHECK_OK(hinted(window + 6 * PAGE, 3));
    CHECK(q != window + 6 * PAGE);
    p[0] = q[0] = 'x';
    CHECK(filled(window + 8 * PAGE, 14 * PAGE, 'h'));

    // No user address, or below the lowest one allowed.
    CHECK_OK(hinted((char *)0xffff800000000000, 1));
    CHECK_OK(hinted((char *)-PAGE, 1));
    char *low = CHECK_OK(hinted((char *)16, 1));
    CHECK(low != NULL);
    low[0] = 'l';

    // MAP_FIXED takes none of this.
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CHECK_ERR(mmap(window + 123, PAGE, PROT_READ, flags, -1, 0), EINVAL);
    CHECK_ERR(mmap((char *)-PAGE, PAGE, PROT_READ, flags, -1, 0), ENOMEM);
    return CHECK_DONE();
}
