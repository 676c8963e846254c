// msync: which flags go together, and ENOMEM for a range with a hole. msync(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    p[PAGE] = 'S';
    CHECK_OK(msync(p, 4 * PAGE, MS_SYNC));
    CHECK_OK(msync(p, 4 * PAGE, MS_ASYNC));
    CHECK_OK(msync(p, 4 * PAGE, MS_INVALIDATE));
    CHECK_OK(msync(p, 4 * PAGE, 0));
    CHECK_OK(msync(p, 100, MS_SYNC));
    CHECK_OK(msync(p, 0, MS_SYNC));
    CHECK_OK(msync(map_pages(2, PROT_NONE), 2 * PAGE, MS_SYNC));
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'S');

    CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERR(msync(p, PAGE, 0x100), EINVAL);
    CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_OK(munmap(p + 2 * PAGE, PAGE));
    CHECK_ERR(msync(p, 4 * PAGE, MS_SYNC), ENOMEM);
    CHECK_ERR(msync(p + 2 * PAGE, PAGE, MS_ASYNC), ENOMEM);
    CHECK_ERR(msync(p, (size_t)-PAGE, MS_SYNC), ENOMEM);
    CHECK_OK(msync(p + 3 * PAGE, PAGE, MS_SYNC));
    return CHECK_DONE();
}
