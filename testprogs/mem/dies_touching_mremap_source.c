// What mremap(2) moved away is gone from where it was, at once and for stores: SIGSEGV.
#include "mem/mem.h"

int main(void) {
    char *p = map_island(2, PROT_READ | PROT_WRITE);
    char *to = map_island(2, PROT_NONE);
    memset(p, 'm', 2 * PAGE);
    CHECK_EQ(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    CHECK(filled(to, PAGE, 'm'));
    CHECK(filled(p + PAGE, PAGE, 'm'));
    CHECK_EQ(mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE), to + PAGE);
    CHECK(filled(to, 2 * PAGE, 'm'));
    CHECK_ERR(mprotect(p, PAGE, PROT_READ), ENOMEM);
    CHECK_DEATH(SIGSEGV, *(volatile char *)(p + PAGE) = 'x');
}
