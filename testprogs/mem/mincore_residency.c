// mincore tells touched anonymous pages from untouched ones. mincore(2).
#include "mem/mem.h"

static const char *residency(char *start, size_t pages) {
    static char letters[65];
    unsigned char vector[64];
    if (mincore(start, pages * PAGE, vector) != 0)
        return check_errno_name(errno);
    for (size_t i = 0; i < pages; i++)
        letters[i] = vector[i] & 1 ? '1' : '0';
    letters[pages] = 0;
    return letters;
}

int main(void) {
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    madvise(p, 8 * PAGE, MADV_NOHUGEPAGE); // EINVAL where there are none
    CHECK_STR(residency(p, 8), "00000000");
    p[PAGE] = p[3 * PAGE] = 1;
    CHECK_STR(residency(p, 8), "01010000");
    CHECK_EQ(write(probe_pipe(1), "12", 2), 2);
    CHECK_EQ(read(probe_pipe(0), p + 6 * PAGE - 1, 2), 2);
    CHECK_STR(residency(p, 8), "01010110");
    CHECK_OK(madvise(p + 3 * PAGE, 3 * PAGE, MADV_DONTNEED));
    CHECK_STR(residency(p, 8), "01000010");
    CHECK_OK(mprotect(p, 2 * PAGE, PROT_NONE));
    CHECK_STR(residency(p, 8), "01000010");

    unsigned char vector[8];
    CHECK_OK(mincore(p, 7 * PAGE + 1, vector));
    CHECK_OK(mincore(p, 0, vector));
    CHECK_ERR(mincore(p + 1, PAGE, vector), EINVAL);
    CHECK_ERR(mincore(p, PAGE, (unsigned char *)8), EFAULT);
    CHECK_ERR(mincore(p, PAGE, (unsigned char *)p), EFAULT);
    CHECK_OK(munmap(p + 4 * PAGE, PAGE));
    CHECK_STR(residency(p, 8), "ENOMEM");
    CHECK_ERR(mincore(p + 4 * PAGE, PAGE, vector), ENOMEM);
    return CHECK_DONE();
}
