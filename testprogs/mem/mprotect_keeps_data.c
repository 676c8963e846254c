// mprotect changes rights page by page, over mapping borders, and never the bytes. mprotect(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    CHECK_EQ(mmap(p + 4 * PAGE, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), p + 4 * PAGE);
    memset(p, 'k', 4 * PAGE);
    CHECK_STR(rights(p, 8), "wwwwrrrr");

    CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ));
    CHECK_STR(rights(p, 8), "rrrrrrrr");
    CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
    CHECK(filled(p, 4 * PAGE, 'k'));
    p[0] = 'l';

    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
    CHECK_ERR(write(probe_pipe(1), p + PAGE, 1), EFAULT);
    CHECK_STR(rights(p, 8), "w-wwrrrr");
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    CHECK(filled(p + PAGE, PAGE, 'k'));

    // One call over two mappings.
    CHECK_OK(mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
    CHECK_STR(rights(p, 8), "wwwwwrrr");
    CHECK(filled(p + 4 * PAGE, PAGE, 'a'));
    p[4 * PAGE] = 'A';
    CHECK_OK(mprotect(p, 8 * PAGE, PROT_NONE));
    CHECK_STR(rights(p, 8), "--------");
    CHECK_OK(mprotect(p, 8 * PAGE, PROT_READ));
    CHECK_EQ(p[0], 'l');
    CHECK_EQ(p[4 * PAGE], 'A');
    CHECK_EQ(p[7 * PAGE], 'd');

    // Rights set before the first touch hold as well; a length is rounded up.
    char *q = map_pages(2, PROT_NONE);
    CHECK_OK(mprotect(q, PAGE + 1, PROT_READ | PROT_WRITE));
    q[2 * PAGE - 1] = 'q';
    CHECK_STR(rights(q, 2), "ww");
    CHECK_EQ(q[0], 0);
    return CHECK_DONE();
}
