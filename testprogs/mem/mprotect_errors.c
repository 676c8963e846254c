// The errors of mprotect. Over a hole it is ENOMEM, and what lies before the hole has changed.
// mprotect(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    CHECK_OK(munmap(p + 3 * PAGE, PAGE));
    CHECK_STR(rights(p, 8), "www.wwww");
    CHECK_ERR(mprotect(p + PAGE, 5 * PAGE, PROT_READ), ENOMEM);
    CHECK_STR(rights(p, 8), "wrr.wwww");
    CHECK_ERR(mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ), ENOMEM);
    CHECK_STR(rights(p, 8), "wrr.wwww");

    CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
    CHECK_ERR(mprotect(p, PAGE, 0x40), EINVAL);
    CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
    CHECK_ERR(mprotect(p, -PAGE, PROT_READ), ENOMEM);
    CHECK_OK(mprotect(p, 0, PROT_NONE));
    CHECK_OK(mprotect(p + 3 * PAGE, 0, PROT_NONE));
    CHECK_STR(rights(p, 8), "wrr.wwww");

    int fd = file_of_pages("f", 2);
    CHECK_OK(close(fd));
    int reader = CHECK_OK(open("f", O_RDONLY));
    char *q = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, reader, 0));
    CHECK_ERR(mprotect(q, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK_OK(mprotect(q, PAGE, PROT_NONE));
    CHECK_STR(rights(q, 2), "-r");
    char *r = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, reader, 0));
    CHECK_OK(mprotect(r, PAGE, PROT_READ | PROT_WRITE));
    CHECK_STR(rights(r, 2), "wr");
    return CHECK_DONE();
}
