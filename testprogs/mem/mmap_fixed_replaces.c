// MAP_FIXED takes the place of whatever was there: a middle, an edge, several mappings and holes.
// The rest of the old mappings keeps its bytes. mmap(2).
#include "mem/mem.h"

static char *fixed(char *at, size_t pages, int protection) {
    return mmap(at, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void) {
    int fd = file_of_pages("f", 2);
    char *p = map_pages(16, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 16; i++)
        memset(p + i * PAGE, 'A' + i, PAGE);

    CHECK_EQ(fixed(p + 4 * PAGE, 2, PROT_READ | PROT_WRITE), p + 4 * PAGE);
    CHECK(filled(p + 4 * PAGE, 2 * PAGE, 0));
    CHECK(filled(p + 3 * PAGE, PAGE, 'D'));
    CHECK(filled(p + 6 * PAGE, PAGE, 'G'));

    CHECK_EQ(fixed(p, 1, PROT_READ), p);
    CHECK_EQ(fixed(p + 15 * PAGE, 1, PROT_NONE), p + 15 * PAGE);
    CHECK_STR(rights(p, 16), "rwwwwwwwwwwwwww-");
    CHECK_EQ(p[0], 0);

    // A file over anonymous memory, and a new mapping over both and over a hole.
    char *file = CHECK_OK(mmap(p + 8 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
    CHECK_EQ(file, p + 8 * PAGE);
    CHECK_EQ(file[PAGE], 'b');
    CHECK_OK(munmap(p + 11 * PAGE, PAGE));
    CHECK_STR(rights(p, 16), "rwwwwwwwrrw.www-");
    CHECK_EQ(fixed(p + 9 * PAGE, 4, PROT_READ | PROT_WRITE), p + 9 * PAGE);
    CHECK_STR(rights(p, 16), "rwwwwwwwrwwwwww-");
    CHECK(filled(p + 9 * PAGE, 4 * PAGE, 0));
    CHECK(filled(p + 8 * PAGE, PAGE, 'a'));
    CHECK(filled(p + 13 * PAGE, PAGE, 'N'));

    // Everything at once, and the file is as it was.
    CHECK_EQ(fixed(p, 16, PROT_READ | PROT_WRITE), p);
    CHECK(filled(p, 16 * PAGE, 0));
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'b');

    // A call that fails for its arguments leaves the old mapping alone.
    p[0] = 'k';
    CHECK_ERR(mmap(p + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERR(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, 999, 0), EBADF);
    CHECK_EQ(p[0], 'k');
    return CHECK_DONE();
}
