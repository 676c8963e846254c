// A mapping follows the size of its file: pages cut off come back as zeros when the file grows,
// and a growing file reveals its pages. ftruncate(2), mmap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = CHECK_OK(mmap(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    CHECK_STR(rights(p, 6), "wwww--");
    CHECK(filled(p + 3 * PAGE, PAGE, 'd'));

    CHECK_OK(ftruncate(fd, PAGE + 10));
    CHECK_STR(rights(p, 6), "ww----");
    CHECK(filled(p + PAGE, 10, 'b'));
    CHECK(filled(p + PAGE + 10, PAGE - 10, 0));
    CHECK_ERR(write(probe_pipe(1), p + 2 * PAGE, 1), EFAULT);

    CHECK_OK(ftruncate(fd, 4 * PAGE));
    CHECK_STR(rights(p, 6), "wwww--");
    CHECK(filled(p + 2 * PAGE, 2 * PAGE, 0));
    p[3 * PAGE] = 'n';

    CHECK_EQ(pwrite(fd, "end", 3, 6 * PAGE - 3), 3);
    CHECK_STR(rights(p, 6), "wwwwww");
    CHECK_EQ(p[3 * PAGE], 'n');
    CHECK(memcmp(p + 6 * PAGE - 3, "end", 3) == 0);

    // To nothing and back.
    CHECK_OK(ftruncate(fd, 0));
    CHECK_STR(rights(p, 6), "------");
    CHECK_OK(ftruncate(fd, 6 * PAGE));
    CHECK(filled(p, 6 * PAGE, 0));
    return CHECK_DONE();
}
