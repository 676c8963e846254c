// MAP_POPULATE makes the pages resident at once, as mincore sees it. mmap(2).
#include "mem/mem.h"

static int resident(char *start, size_t pages) {
    unsigned char vector[64];
    if (mincore(start, pages * PAGE, vector) != 0)
        return -1;
    int count = 0;
    for (size_t i = 0; i < pages; i++)
        count += vector[i] & 1;
    return count;
}

int main(void) {
    int anonymous = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    char *p = CHECK_OK(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0));
    CHECK_EQ(resident(p, 64), 64);
    CHECK(filled(p, 64 * PAGE, 0));

    int fd = file_of_pages("f", 4);
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0));
    CHECK_EQ(resident(q, 4), 4);
    CHECK_EQ(q[3 * PAGE], 'd');

    // Without rights, with MAP_NONBLOCK, past the end of a file: it does nothing and succeeds.
    char *r = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_NONE, anonymous, -1, 0));
    CHECK_STR(rights(r, 4), "----");
    CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ, anonymous | MAP_NONBLOCK, -1, 0));
    CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 64 * PAGE));
    CHECK_ERR(mmap(NULL, 0, PROT_READ, anonymous, -1, 0), EINVAL);
    return CHECK_DONE();
}
