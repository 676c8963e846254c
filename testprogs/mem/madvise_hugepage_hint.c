// Transparent huge pages are a hint: bytes and rights are the same with it, without it, and when a
// huge page is split by unmapping, protecting or discarding a part. madvise(2).
#include "mem/mem.h"

#define HUGE ((size_t)2 << 20)

static bool holds_pattern(char *start, size_t from, size_t to) {
    for (size_t page = from; page < to; page++)
        if (start[page * PAGE] != (char)page || start[page * PAGE + PAGE - 1] != (char)~page)
            return false;
    return true;
}

int main(void) {
    char *p = map_pages(4 * HUGE / PAGE, PROT_READ | PROT_WRITE);
    if (madvise(p, 4 * HUGE, MADV_HUGEPAGE) != 0)
        SKIP("a kernel without transparent huge pages");
    char *start = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
    CHECK(filled(start, HUGE, 0));
    for (size_t page = 0; page < 3 * HUGE / PAGE; page++) {
        start[page * PAGE] = (char)page;
        start[page * PAGE + PAGE - 1] = (char)~page;
    }
    CHECK(holds_pattern(start, 0, 3 * HUGE / PAGE));

    CHECK_OK(munmap(start + 100 * PAGE, 3 * PAGE));
    CHECK_STR(rights(start + 98 * PAGE, 7), "ww...ww");
    CHECK(holds_pattern(start, 0, 100));
    CHECK(holds_pattern(start, 103, 512));

    CHECK_OK(mprotect(start + 600 * PAGE, PAGE, PROT_READ));
    CHECK_STR(rights(start + 599 * PAGE, 3), "wrw");
    CHECK_OK(madvise(start + 700 * PAGE, 2 * PAGE, MADV_DONTNEED));
    CHECK(filled(start + 700 * PAGE, 2 * PAGE, 0));
    CHECK(holds_pattern(start, 512, 700));
    CHECK(holds_pattern(start, 702, 1536));

    CHECK_OK(madvise(start + 1024 * PAGE, HUGE, MADV_NOHUGEPAGE));
    CHECK(holds_pattern(start, 1024, 1536));
    CHECK_ERR(madvise(start + 100 * PAGE, PAGE, MADV_HUGEPAGE), ENOMEM);
    CHECK_ERR(madvise(start + 1, PAGE, MADV_HUGEPAGE), EINVAL);
    return CHECK_DONE();
}
