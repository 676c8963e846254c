// Memory at 2 MiB and 1 GiB alignment, how allocators carve it: reserve more, unmap both ends. The
// pages at such borders are as good as any. mmap(2).
#include "mem/mem.h"

static char *reserve_aligned(size_t size, size_t alignment) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *raw = mmap(NULL, size + alignment, PROT_NONE, flags, -1, 0);
    if (raw == MAP_FAILED)
        return raw;
    char *start = (char *)(((uintptr_t)raw + alignment - 1) & -alignment);
    if (start > raw)
        munmap(raw, (size_t)(start - raw));
    munmap(start + size, (size_t)(raw + alignment - start));
    return start;
}

int main(void) {
    for (size_t shift = 21; shift <= 39; shift += 9) {
        size_t size = (size_t)1 << shift;
        char *p = CHECK_OK(reserve_aligned(size, size));
        CHECK_EQ((uintptr_t)p % size, 0);
        CHECK_OK(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE));
        CHECK_OK(mprotect(p + size - PAGE, PAGE, PROT_READ | PROT_WRITE));
        p[0] = p[size - 1] = (char)shift;
        CHECK_EQ(p[0] + p[size - 1], 2 * shift);
        CHECK_STR(rights(p, 3), "ww-");
        CHECK_STR(rights(p + size - 2 * PAGE, 2), "-w");
        CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
        CHECK_OK(munmap(p, size));
    }

    // A whole aligned 4 MiB, with a border in the middle that is crossed by one copy.
    size_t size = (size_t)4 << 20;
    char *p = reserve_aligned(size, size);
    CHECK_OK(mprotect(p, size, PROT_READ | PROT_WRITE));
    char *border = p + size / 2;
    memcpy(border - 4, "12345678", 8);
    CHECK(memcmp(border - 4, "12345678", 8) == 0);
    CHECK_OK(mprotect(border, PAGE, PROT_READ));
    CHECK_STR(rights(border - PAGE, 3), "wrw");
    CHECK(memcmp(border - 4, "12345678", 8) == 0);
    return CHECK_DONE();
}
