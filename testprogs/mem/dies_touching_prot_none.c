// A PROT_NONE page between two usable ones stays shut: SIGSEGV. mprotect(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(3, PROT_READ | PROT_WRITE);
    memset(p, 'n', 3 * PAGE);
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
    CHECK_STR(rights(p, 3), "w-w");
    CHECK(filled(p, PAGE, 'n'));
    CHECK(filled(p + 2 * PAGE, PAGE, 'n'));
    CHECK_ERR(write(probe_pipe(1), p + PAGE, 1), EFAULT);
    CHECK_DEATH(SIGSEGV, (void)*(volatile char *)(p + PAGE));
}
