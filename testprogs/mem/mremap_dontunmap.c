// MREMAP_DONTUNMAP moves the pages and leaves the old range mapped and empty. mremap(2), Linux 5.7.
#include "mem/mem.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define FLAGS (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)

int main(void) {
    char *p = map_pages(4, PROT_READ | PROT_WRITE);
    memset(p, 'd', 4 * PAGE);
    char *q = CHECK_OK(mremap(p, 4 * PAGE, 4 * PAGE, FLAGS, NULL));
    CHECK(q != p);
    CHECK(filled(q, 4 * PAGE, 'd'));
    CHECK_STR(rights(p, 4), "wwww");
    CHECK(filled(p, 4 * PAGE, 0));
    p[0] = 'e';
    CHECK_EQ(q[0], 'd');

    // With MREMAP_FIXED, and a part of a mapping.
    CHECK_EQ(mremap(q + PAGE, PAGE, PAGE, FLAGS | MREMAP_FIXED, p + 2 * PAGE), p + 2 * PAGE);
    CHECK(filled(p + 2 * PAGE, PAGE, 'd'));
    CHECK(filled(q + PAGE, PAGE, 0));
    CHECK(filled(q + 2 * PAGE, PAGE, 'd'));
    CHECK_STR(rights(q, 4), "wwww");

    CHECK_ERR(mremap(p, PAGE, 2 * PAGE, FLAGS, NULL), EINVAL);
    CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_DONTUNMAP, NULL), EINVAL);
    return CHECK_DONE();
}
