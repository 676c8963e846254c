// Anonymous shared memory belongs to an object: a second view of it shows the same bytes, and
// MADV_DONTNEED drops only the view. mmap(2), mremap(2).
#include "mem/mem.h"

int main(void) {
    int flags = MAP_SHARED | MAP_ANONYMOUS;
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0));
    CHECK(filled(p, 4 * PAGE, 0));
    memset(p, 'x', 4 * PAGE);

    char *q = CHECK_OK(mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE));
    CHECK(q != p);
    CHECK(filled(q, 4 * PAGE, 'x'));
    q[PAGE] = 'y';
    CHECK_EQ(p[PAGE], 'y');
    p[3 * PAGE] = 'z';
    CHECK_EQ(q[3 * PAGE], 'z');

    CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTNEED));
    CHECK_EQ(p[0], 'x');
    CHECK_EQ(p[PAGE], 'y');

    CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ));
    CHECK_STR(rights(p, 4), "rrrr");
    CHECK_STR(rights(q, 4), "wwww");
    CHECK_OK(munmap(p, 4 * PAGE));
    CHECK_EQ(q[3 * PAGE], 'z');
    CHECK_ERR(mmap(NULL, 0, PROT_READ, flags, -1, 0), EINVAL);
    return CHECK_DONE();
}
