// MREMAP_MAYMOVE carries bytes and rights to the new place and leaves a hole; MREMAP_FIXED says
// where, over whatever is there. mremap(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(16, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 16; i++)
        memset(p + i * PAGE, 'A' + i, PAGE);

    // The middle of a mapping, with no room to grow.
    char *q = CHECK_OK(mremap(p + 4 * PAGE, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE));
    CHECK(q + 5 * PAGE <= p || p + 16 * PAGE <= q || q == p + 4 * PAGE);
    CHECK_STR(rights(p, 16), "wwww..wwwwwwwwww");
    CHECK(filled(q, PAGE, 'E'));
    CHECK(filled(q + PAGE, PAGE, 'F'));
    CHECK(filled(q + 2 * PAGE, 3 * PAGE, 0));
    CHECK(filled(p + 3 * PAGE, PAGE, 'D'));
    CHECK(filled(p + 6 * PAGE, PAGE, 'G'));

    // To a place of our choice: over a hole and over live pages.
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    CHECK_EQ(mremap(q, 2 * PAGE, 2 * PAGE, flags, p + 5 * PAGE), p + 5 * PAGE);
    CHECK_STR(rights(p, 16), "wwww.wwwwwwwwwww");
    CHECK(filled(p + 5 * PAGE, PAGE, 'E'));
    CHECK(filled(p + 6 * PAGE, PAGE, 'F'));
    CHECK(filled(p + 7 * PAGE, PAGE, 'H'));
    CHECK_STR(rights(q, 5), "..www");

    // Shrinking and growing on the way.
    CHECK_EQ(mremap(p, 3 * PAGE, PAGE, flags, q), q);
    CHECK_STR(rights(p, 16), "...w.wwwwwwwwwww");
    CHECK(filled(q, PAGE, 'A'));
    CHECK_OK(mprotect(p + 15 * PAGE, PAGE, PROT_READ));
    CHECK_EQ(mremap(p + 15 * PAGE, PAGE, 2 * PAGE, flags, p), p);
    CHECK_STR(rights(p, 16), "rr.w.wwwwwwwwww.");
    CHECK(filled(p, PAGE, 'P'));
    CHECK(filled(p + PAGE, PAGE, 0));

    // Places that overlap are refused.
    CHECK_ERR(mremap(p + 8 * PAGE, 2 * PAGE, 2 * PAGE, flags, p + 9 * PAGE), EINVAL);
    CHECK(filled(p + 8 * PAGE, PAGE, 'I'));

    // Back and forth: no byte may be stale.
    int wrong = 0;
    char *near = p + 5 * PAGE, *far = p + 12 * PAGE;
    for (int round = 0; round < 200; round++) {
        *near = (char)round;
        wrong += mremap(near, PAGE, PAGE, flags, far) != far || *far != (char)round;
        *far = (char)~round;
        wrong += mremap(far, PAGE, PAGE, flags, near) != near || *near != (char)~round;
    }
    CHECK_EQ(wrong, 0);
    return CHECK_DONE();
}
