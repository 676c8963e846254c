// A page made read-only after it was written really is: SIGSEGV. mprotect(2).
#include "mem/mem.h"

int main(void) {
    char *p = map_pages(3, PROT_READ | PROT_WRITE);
    memset(p, 'r', 3 * PAGE);
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
    CHECK_STR(rights(p, 3), "wrw");
    p[PAGE - 1] = p[2 * PAGE] = 's';
    CHECK_EQ(p[PAGE - 1], 's');
    CHECK(filled(p + PAGE, PAGE, 'r'));
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), p + PAGE, 1), EFAULT);
    CHECK_DEATH(SIGSEGV, *(volatile char *)(p + PAGE) = 'x');
}
