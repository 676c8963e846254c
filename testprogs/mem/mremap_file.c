// A file mapping keeps its file and its offset through mremap: growing shows what follows in the
// file, and a private copy moves along. mremap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 8);
    char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * PAGE));
    CHECK(filled(p + PAGE, PAGE, 'd'));
    p[0] = 'X';

    char *q = CHECK_OK(mremap(p, 2 * PAGE, 6 * PAGE, MREMAP_MAYMOVE));
    CHECK_EQ(q[0], 'X');
    CHECK_EQ(q[1], 'c');
    CHECK(filled(q + 5 * PAGE, PAGE, 'h'));
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, 2 * PAGE), 1);
    CHECK_EQ(byte, 'c');

    // The tail alone, moved: its offset counts from the file.
    char *r = CHECK_OK(mremap(q + 4 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
    CHECK(filled(r, PAGE, 'g'));
    CHECK(filled(r + PAGE, PAGE, 'h'));
    CHECK_STR(rights(r, 3), "ww-");
    CHECK_OK(ftruncate(fd, 9 * PAGE));
    CHECK_STR(rights(r, 3), "www");

    char *s = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *t = CHECK_OK(mremap(s, PAGE, 4 * PAGE, MREMAP_MAYMOVE));
    t[3 * PAGE] = 'T';
    CHECK_EQ(pread(fd, &byte, 1, 3 * PAGE), 1);
    CHECK_EQ(byte, 'T');
    CHECK_ERR(mremap(t, 4 * PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    return CHECK_DONE();
}
