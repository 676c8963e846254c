// Advice that changes nothing a program can see is accepted where it fits and refused where it does
// not. madvise(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = map_pages(4, PROT_READ | PROT_WRITE);
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    memset(p, 'p', 4 * PAGE);

    CHECK_OK(madvise(p, 4 * PAGE, MADV_NORMAL));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_RANDOM));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_SEQUENTIAL));
    CHECK_OK(madvise(q, 4 * PAGE, MADV_WILLNEED));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTFORK));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_DOFORK));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTDUMP));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_DODUMP));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_WIPEONFORK));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_KEEPONFORK));
    CHECK_OK(madvise(p, 4 * PAGE, MADV_COLD));
    CHECK_OK(madvise(q, 4 * PAGE, MADV_PAGEOUT));
    CHECK(filled(p, 4 * PAGE, 'p'));
    CHECK(filled(q + 3 * PAGE, PAGE, 'd'));
    CHECK_STR(rights(p, 4), "wwww");
    CHECK_STR(rights(q, 4), "wwww");

    // A freed page is zero or as it was, until it is written.
    CHECK_OK(madvise(p + PAGE, PAGE, MADV_FREE));
    CHECK(p[PAGE] == 'p' || p[PAGE] == 0);
    p[PAGE] = 'n';
    CHECK_EQ(p[PAGE], 'n');
    CHECK(filled(p, PAGE, 'p'));

    CHECK_ERR(madvise(p, PAGE, 9999), EINVAL);
    CHECK_ERR(madvise(p, PAGE, -1), EINVAL);
    CHECK_ERR(madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
    CHECK_ERR(madvise(p, (size_t)-PAGE, MADV_NORMAL), EINVAL);
    CHECK_ERR(madvise(q, PAGE, MADV_FREE), EINVAL);
    CHECK_ERR(madvise(q, PAGE, MADV_WIPEONFORK), EINVAL);
    CHECK_OK(madvise(p, 0, MADV_DONTNEED));
    CHECK_OK(munmap(p + PAGE, PAGE));
    CHECK_ERR(madvise(p, 3 * PAGE, MADV_RANDOM), ENOMEM);
    CHECK_ERR(madvise(p + PAGE, PAGE, MADV_WILLNEED), ENOMEM);
    return CHECK_DONE();
}
