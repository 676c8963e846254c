// mremap grows into free space behind the mapping and shrinks by unmapping the tail; without
// MREMAP_MAYMOVE a blocked growth is ENOMEM. mremap(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    memset(p, 'g', 8 * PAGE);
    CHECK_EQ(mremap(p, 8 * PAGE, 3 * PAGE, 0), p);
    CHECK_STR(rights(p, 8), "www.....");
    CHECK(filled(p, 3 * PAGE, 'g'));

    CHECK_EQ(mremap(p, 3 * PAGE, 6 * PAGE, 0), p);
    CHECK_STR(rights(p, 8), "wwwwww..");
    CHECK(filled(p, 3 * PAGE, 'g'));
    CHECK(filled(p + 3 * PAGE, 3 * PAGE, 0));
    CHECK_EQ(mremap(p, 6 * PAGE, 6 * PAGE, 0), p);
    CHECK_EQ(mremap(p, 5 * PAGE + 1, 6 * PAGE - 1, 0), p);

    // Rights of the old part are those of the new part.
    CHECK_OK(mprotect(p, 6 * PAGE, PROT_READ));
    CHECK_EQ(mremap(p, 6 * PAGE, 8 * PAGE, 0), p);
    CHECK_STR(rights(p, 8), "rrrrrrrr");

    // Something is in the way: the mapping stays as it was.
    CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
    CHECK_ERR(mremap(p, 4 * PAGE, 5 * PAGE, 0), ENOMEM);
    CHECK_STR(rights(p, 8), "wwwwrrrr");
    CHECK_OK(munmap(p + 5 * PAGE, PAGE));
    CHECK_ERR(mremap(p + 4 * PAGE, PAGE, 3 * PAGE, 0), ENOMEM);
    CHECK_EQ(mremap(p + 4 * PAGE, PAGE, 2 * PAGE, 0), p + 4 * PAGE);
    CHECK_STR(rights(p, 8), "wwwwrrrr");
    CHECK(filled(p, 3 * PAGE, 'g'));
    return CHECK_DONE();
}
