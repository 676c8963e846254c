// Pages of a mapping that lie wholly past the end of the file: EFAULT for a system call, SIGBUS for
// a touch. mmap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 2);
    CHECK_OK(ftruncate(fd, PAGE + 1));
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    CHECK_STR(rights(p, 4), "ww--");
    CHECK_EQ(p[PAGE], 'b');
    CHECK(filled(p + PAGE + 1, PAGE - 1, 0));
    CHECK_ERR(write(probe_pipe(1), p + 2 * PAGE, 1), EFAULT);
    CHECK_DEATH(SIGBUS, (void)*(volatile char *)(p + 2 * PAGE));
}
