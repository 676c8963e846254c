// mremap with an old size of 0 makes a second view of a shared mapping; of a private one it is
// EINVAL. mremap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *q = CHECK_OK(mremap(p + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE));
    CHECK(filled(q, PAGE, 'b'));
    CHECK(filled(q + PAGE, PAGE, 'c'));
    CHECK_STR(rights(p, 4), "wwww");
    q[0] = 'Q';
    CHECK_EQ(p[PAGE], 'Q');
    p[2 * PAGE] = 'P';
    CHECK_EQ(q[PAGE], 'P');
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'Q');

    CHECK_OK(munmap(p, 4 * PAGE));
    CHECK_EQ(q[PAGE], 'P');
    CHECK_ERR(mremap(q, 0, PAGE, 0), ENOMEM);
    CHECK_ERR(mremap(map_pages(1, PROT_READ), 0, PAGE, MREMAP_MAYMOVE), EINVAL);
    return CHECK_DONE();
}
