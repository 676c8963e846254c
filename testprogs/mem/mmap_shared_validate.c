// MAP_SHARED_VALIDATE refuses flags that MAP_SHARED ignores. mmap(2).
#include "mem/mem.h"

#define UNKNOWN_FLAG 0x800000

int main(void) {
    int fd = file_of_pages("f", 2);
    char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE, fd, 0));
    p[PAGE] = 'V';
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'V');

    char *q = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | UNKNOWN_FLAG, fd, PAGE));
    CHECK_EQ(q[0], 'V');
    CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | UNKNOWN_FLAG, fd, 0));
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | UNKNOWN_FLAG, fd, 0), EOPNOTSUPP);
    CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_POPULATE, fd, 0));

    // Anonymous memory has no such type.
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    return CHECK_DONE();
}
