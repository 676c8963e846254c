// munmap cuts a hole anywhere, over several mappings and over holes; the rest stays. munmap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 8);
    char *p = map_pages(16, PROT_READ | PROT_WRITE);
    CHECK_EQ(mmap(p + 8 * PAGE, 8 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), p + 8 * PAGE);
    for (int i = 0; i < 8; i++)
        memset(p + i * PAGE, '0' + i, PAGE);

    CHECK_OK(munmap(p + 3 * PAGE, PAGE));
    CHECK_STR(rights(p, 16), "www.wwwwrrrrrrrr");
    CHECK(filled(p + 2 * PAGE, PAGE, '2'));
    CHECK(filled(p + 4 * PAGE, PAGE, '4'));

    // From one mapping into the next.
    CHECK_OK(munmap(p + 7 * PAGE, 2 * PAGE));
    CHECK_STR(rights(p, 16), "www.www..rrrrrrr");
    CHECK(filled(p + 9 * PAGE, PAGE, 'b'));

    // The middle of a file mapping: offsets behind the hole stay right.
    CHECK_OK(munmap(p + 11 * PAGE, 2 * PAGE));
    CHECK(filled(p + 13 * PAGE, PAGE, 'f'));
    CHECK(filled(p + 15 * PAGE, PAGE, 'h'));

    // Holes only, holes among mappings, a length that is no multiple of a page.
    CHECK_OK(munmap(p + 7 * PAGE, 2 * PAGE));
    CHECK_OK(munmap(p + 2 * PAGE, 4 * PAGE + 1));
    CHECK_STR(rights(p, 16), "ww.......rr..rrr");
    CHECK(filled(p + PAGE, PAGE, '1'));

    CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
    CHECK_ERR(munmap(p, 0), EINVAL);
    CHECK_STR(rights(p, 16), "ww.......rr..rrr");
    CHECK_OK(munmap(p, 16 * PAGE));
    CHECK_STR(rights(p, 16), "................");

    // The place is free again.
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    CHECK_EQ(mmap(p, 16 * PAGE, PROT_READ, flags, -1, 0), p);
    CHECK(filled(p, 16 * PAGE, 0));
    return CHECK_DONE();
}
