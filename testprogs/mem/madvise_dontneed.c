// MADV_DONTNEED drops pages at once: anonymous memory reads zero, a private file copy reads the
// file again, shared memory keeps its bytes. madvise(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    memset(p, 'd', 8 * PAGE);
    CHECK_OK(madvise(p + 2 * PAGE, 3 * PAGE, MADV_DONTNEED));
    CHECK(filled(p, 2 * PAGE, 'd'));
    CHECK(filled(p + 2 * PAGE, 3 * PAGE, 0));
    CHECK(filled(p + 5 * PAGE, 3 * PAGE, 'd'));
    p[2 * PAGE] = 'e';
    CHECK_EQ(p[2 * PAGE], 'e');

    int fd = file_of_pages("f", 2);
    char *q = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    memset(q, 'x', 2 * PAGE);
    CHECK_OK(madvise(q, 2 * PAGE, MADV_DONTNEED));
    CHECK(filled(q, PAGE, 'a'));
    CHECK(filled(q + PAGE, PAGE, 'b'));

    char *s = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    s[0] = 's';
    CHECK_OK(madvise(s, 2 * PAGE, MADV_DONTNEED));
    CHECK_EQ(s[0], 's');
    CHECK_EQ(q[0], 's');

    // It needs no rights, and keeps those there are.
    CHECK_OK(mprotect(p, 2 * PAGE, PROT_NONE));
    CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
    CHECK_STR(rights(p, 3), "--w");
    CHECK_OK(mprotect(p, 2 * PAGE, PROT_READ));
    CHECK(filled(p, PAGE, 0));
    CHECK(filled(p + PAGE, PAGE, 'd'));

    // Over a hole: ENOMEM, and both sides are done.
    memset(p + 2 * PAGE, 'h', 6 * PAGE);
    CHECK_OK(munmap(p + 4 * PAGE, PAGE));
    CHECK_ERR(madvise(p + 3 * PAGE, 3 * PAGE, MADV_DONTNEED), ENOMEM);
    CHECK_EQ(p[2 * PAGE], 'h');
    CHECK_EQ(p[3 * PAGE], 0);
    CHECK_EQ(p[5 * PAGE], 0);
    CHECK_EQ(p[6 * PAGE], 'h');

    // Many rounds: no stale byte after a drop.
    int wrong = 0;
    for (int round = 1; round <= 300; round++) {
        p[6 * PAGE] = p[7 * PAGE] = (char)round;
        wrong += madvise(p + 6 * PAGE, 2 * PAGE, MADV_DONTNEED) != 0;
        wrong += p[6 * PAGE] != 0 || p[7 * PAGE] != 0;
    }
    CHECK_EQ(wrong, 0);
    return CHECK_DONE();
}
