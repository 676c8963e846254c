// The break moves byte by byte, memory is there by pages, is zero when it comes back, and a bad
// request returns the old break. brk(2).
#include "mem/mem.h"

static char *set_break(void *address) {
    return (char *)syscall(SYS_brk, address);
}

int main(void) {
    char *start = set_break(NULL);
    CHECK(start != NULL);
    CHECK_EQ(set_break(NULL), start);
    char *page = (char *)(((uintptr_t)start + PAGE - 1) & -PAGE);

    CHECK_EQ(set_break(page + 8 * PAGE), page + 8 * PAGE);
    CHECK_STR(rights(page, 9), "wwwwwwww.");
    CHECK(filled(page, 8 * PAGE, 0));
    memset(page, 'b', 8 * PAGE);

    // Inside a page nothing is lost or cleared.
    CHECK_EQ(set_break(page + 3 * PAGE + 1), page + 3 * PAGE + 1);
    CHECK_STR(rights(page, 9), "wwww.....");
    CHECK(filled(page, 4 * PAGE, 'b'));
    CHECK_EQ(set_break(page + 8 * PAGE), page + 8 * PAGE);
    CHECK(filled(page, 4 * PAGE, 'b'));
    CHECK(filled(page + 4 * PAGE, 4 * PAGE, 0));

    CHECK_EQ(set_break((void *)1), page + 8 * PAGE);
    CHECK_EQ(set_break((void *)-1), page + 8 * PAGE);
    CHECK_EQ(set_break((void *)((uintptr_t)1 << 60)), page + 8 * PAGE);

    // It does not grow over another mapping.
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    CHECK_EQ(mmap(page + 12 * PAGE, PAGE, PROT_READ, flags, -1, 0), page + 12 * PAGE);
    CHECK_EQ(set_break(page + 14 * PAGE), page + 8 * PAGE);
    CHECK_STR(rights(page + 6 * PAGE, 8), "ww....r.");
    CHECK_OK(munmap(page + 12 * PAGE, PAGE));
    CHECK_EQ(set_break(page + 14 * PAGE), page + 14 * PAGE);

    // A hole in it may be unmapped, and shrinking over the hole works.
    CHECK_OK(munmap(page + 10 * PAGE, PAGE));
    CHECK_STR(rights(page + 8 * PAGE, 6), "ww.www");
    CHECK_ERR(write(probe_pipe(1), page + 10 * PAGE, 1), EFAULT);
    CHECK_EQ(set_break(page + PAGE), page + PAGE);
    CHECK_STR(rights(page, 14), "w.............");

    // 32 MiB and back, a few times.
    int wrong = 0;
    for (int round = 0; round < 4; round++) {
        size_t size = (size_t)32 << 20;
        wrong += set_break(page + size) != page + size;
        for (size_t at = PAGE; at < size; at += 64 * PAGE) {
            wrong += page[at] != 0;
            page[at] = (char)round + 1;
        }
        wrong += set_break(page + PAGE) != page + PAGE;
    }
    CHECK_EQ(wrong, 0);
    CHECK(filled(page, PAGE, 'b'));
    CHECK_EQ(set_break(start), start);
    return CHECK_DONE();
}
