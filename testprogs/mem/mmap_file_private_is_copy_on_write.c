// A private file mapping shows the file until it is written; the file never sees the writes. The
// tail of the last page is zero. mmap(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    CHECK_OK(ftruncate(fd, 3 * PAGE + 100));
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    CHECK(filled(p, PAGE, 'a'));
    CHECK(filled(p + 3 * PAGE, 100, 'd'));
    CHECK(filled(p + 3 * PAGE + 100, PAGE - 100, 0));

    p[PAGE] = 'X';
    CHECK_EQ(p[PAGE + 1], 'b');
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'b');

    // A page not yet copied follows the file, a copied page does not.
    CHECK_EQ(pwrite(fd, "1", 1, PAGE), 1);
    CHECK_EQ(pwrite(fd, "2", 1, 2 * PAGE), 1);
    CHECK_EQ(p[PAGE], 'X');
    CHECK_EQ(p[2 * PAGE], '2');

    // A system call that writes to the mapping copies the page too.
    CHECK_EQ(pread(fd, p, 1, PAGE), 1);
    CHECK_EQ(p[0], '1');
    CHECK_EQ(pread(fd, &byte, 1, 0), 1);
    CHECK_EQ(byte, 'a');

    // Read-only descriptors are enough, and the mapping outlives them.
    CHECK_OK(close(fd));
    int reader = CHECK_OK(open("f", O_RDONLY));
    char *q = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, PAGE));
    CHECK_OK(close(reader));
    CHECK_OK(unlink("f"));
    CHECK_EQ(q[0], '1');
    q[0] = 'Q';
    CHECK_EQ(q[0], 'Q');
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, reader, 0), EBADF);
    return CHECK_DONE();
}
