// MAP_FIXED_NOREPLACE maps exactly there or fails with EEXIST, changing nothing. mmap(2), Linux
// 4.17.
#include "mem/mem.h"

#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE)

int main(void) {
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    memset(p, 'o', 8 * PAGE);
    CHECK_ERR(mmap(p, PAGE, PROT_READ, FLAGS, -1, 0), EEXIST);
    CHECK_OK(munmap(p + 2 * PAGE, 3 * PAGE));
    CHECK_ERR(mmap(p + PAGE, 2 * PAGE, PROT_READ, FLAGS, -1, 0), EEXIST);
    CHECK_ERR(mmap(p + 4 * PAGE, 2 * PAGE, PROT_READ, FLAGS, -1, 0), EEXIST);
    CHECK_ERR(mmap(p, 8 * PAGE, PROT_READ, FLAGS, -1, 0), EEXIST);
    CHECK_STR(rights(p, 8), "ww...www");
    CHECK_EQ(p[PAGE], 'o');

    CHECK_EQ(mmap(p + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE, FLAGS, -1, 0), p + 3 * PAGE);
    CHECK_STR(rights(p, 8), "ww.w.www");
    CHECK_EQ(p[3 * PAGE], 0);

    // A PROT_NONE mapping is in the way too.
    CHECK_OK(mprotect(p, PAGE, PROT_NONE));
    CHECK_ERR(mmap(p, PAGE, PROT_READ, FLAGS, -1, 0), EEXIST);
    CHECK_ERR(mmap(p + 2 * PAGE + 1, PAGE, PROT_READ, FLAGS, -1, 0), EINVAL);
    CHECK_STR(rights(p, 8), "-w.w.www");
    return CHECK_DONE();
}
