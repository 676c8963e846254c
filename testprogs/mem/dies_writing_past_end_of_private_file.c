// A private mapping has no pages past the end of the file either: a write is SIGBUS. mmap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 1);
    char *p = CHECK_OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    CHECK_STR(rights(p, 3), "w--");
    p[PAGE - 1] = 'x';
    CHECK_EQ(lseek(fd, 0, SEEK_END), PAGE);
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), p + PAGE, 1), EFAULT);
    CHECK_DEATH(SIGBUS, *(volatile char *)(p + PAGE) = 'x');
}
