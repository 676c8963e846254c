// The errors of mremap; none of them changes a mapping. mremap(2).
#include "mem/mem.h"

#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)

int main(void) {
    char *p = map_pages(12, PROT_READ | PROT_WRITE);
    memset(p, 'e', 12 * PAGE);
    CHECK_OK(munmap(p + 4 * PAGE, 2 * PAGE));
    CHECK_OK(mprotect(p + 8 * PAGE, 2 * PAGE, PROT_READ));

    CHECK_ERR(mremap(p + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EINVAL);
    CHECK_ERR(mremap(p, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    CHECK_ERR(mremap(p, PAGE, PAGE, 64), EINVAL);
    CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 4 * PAGE), EINVAL);
    CHECK_ERR(mremap(p, PAGE, PAGE, FIXED, p + 4 * PAGE + 1), EINVAL);
    CHECK_ERR(mremap(p, PAGE, PAGE, FIXED, (char *)0xffff800000000000), EINVAL);
    CHECK_ERR(mremap(p, 2 * PAGE, 2 * PAGE, FIXED, p + PAGE), EINVAL);
    CHECK_ERR(mremap(p, 2 * PAGE, 2 * PAGE, FIXED, p), EINVAL);

    CHECK_ERR(mremap(p + 4 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
    CHECK_ERR(mremap(p + 3 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), EFAULT);
    CHECK_ERR(mremap(p + 7 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE), EFAULT);
    CHECK_ERR(mremap(p, PAGE, 2 * PAGE, 0), ENOMEM);

    CHECK_STR(rights(p, 12), "wwww..wwrrww");
    CHECK(filled(p, 4 * PAGE, 'e'));
    CHECK(filled(p + 6 * PAGE, 6 * PAGE, 'e'));
    return CHECK_DONE();
}
