// Memory that was used and unmapped is gone: SIGSEGV. munmap(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(3, PROT_READ | PROT_WRITE);
    memset(p, 'u', 3 * PAGE);
    CHECK_OK(munmap(p + PAGE, PAGE));
    CHECK_STR(rights(p, 3), "w.w");
    CHECK(filled(p, PAGE, 'u'));
    CHECK(filled(p + 2 * PAGE, PAGE, 'u'));
    CHECK_ERR(write(probe_pipe(1), p + PAGE, 1), EFAULT);
    CHECK_DEATH(SIGSEGV, *(volatile char *)(p + 2 * PAGE - 1) = 'x');
}
