// MADV_POPULATE_READ and MADV_POPULATE_WRITE fault pages in and report what a touch would meet.
// madvise(2), Linux 5.14.
#include "mem/mem.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

int main(void) {
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    unsigned char vector[8] = {0};
    p[3 * PAGE] = 'p';
    CHECK_OK(madvise(p, 8 * PAGE, MADV_POPULATE_WRITE));
    CHECK_OK(mincore(p, 8 * PAGE, vector));
    for (int i = 0; i < 8; i++)
        vector[i] &= 1;
    CHECK(filled((char *)vector, 8, 1));
    CHECK_EQ(p[3 * PAGE], 'p');
    CHECK_EQ(p[4 * PAGE], 0);

    int fd = file_of_pages("f", 2);
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    CHECK_OK(madvise(q, 2 * PAGE, MADV_POPULATE_READ));
    CHECK_EQ(q[PAGE], 'b');
    CHECK_ERR(madvise(q, PAGE, MADV_POPULATE_WRITE), EINVAL);
    CHECK_ERR(madvise(q, 4 * PAGE, MADV_POPULATE_READ), EFAULT);

    CHECK_OK(mprotect(p, PAGE, PROT_NONE));
    CHECK_ERR(madvise(p, PAGE, MADV_POPULATE_READ), EINVAL);
    CHECK_OK(munmap(p + 4 * PAGE, PAGE));
    CHECK_ERR(madvise(p + 3 * PAGE, 3 * PAGE, MADV_POPULATE_WRITE), ENOMEM);
    CHECK_STR(rights(p, 8), "-www.www");
    return CHECK_DONE();
}
