// ftruncate takes pages out of every mapping, a private copy too: the next touch is SIGBUS.
// mmap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    p[3 * PAGE] = q[3 * PAGE] = q[2 * PAGE] = 'x';
    CHECK_STR(rights(p, 4), "wwww");
    CHECK_OK(ftruncate(fd, PAGE));
    CHECK_STR(rights(p, 4), "w---");
    CHECK_STR(rights(q, 4), "w---");
    CHECK_EQ(p[0], 'a');
    CHECK_ERR(write(probe_pipe(1), p + 3 * PAGE, 1), EFAULT);
    CHECK_DEATH(SIGBUS, (void)*(volatile char *)(p + 3 * PAGE));
}
