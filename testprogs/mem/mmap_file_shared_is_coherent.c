// A shared file mapping and the file are one thing: writes show both ways at once. mmap(2),
// msync(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *q = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE));
    CHECK(filled(p + 2 * PAGE, PAGE, 'c'));
    CHECK(filled(q, PAGE, 'c'));

    char bytes[4] = "";
    memcpy(p + 2 * PAGE, "mem", 3);
    CHECK_EQ(pread(fd, bytes, 3, 2 * PAGE), 3);
    CHECK_STR(bytes, "mem");
    CHECK(memcmp(q, "mem", 3) == 0);

    CHECK_EQ(pwrite(fd, "file", 4, 3 * PAGE - 2), 4);
    CHECK(memcmp(p + 3 * PAGE - 2, "file", 4) == 0);
    CHECK(memcmp(q + PAGE - 2, "fi", 2) == 0);

    // Writes beyond the end of the file stay in its last page and never reach it.
    CHECK_OK(ftruncate(fd, 3 * PAGE + 10));
    memcpy(p + 3 * PAGE + 8, "tail", 4);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 3 * PAGE + 10);
    CHECK_EQ(pread(fd, bytes, 4, 3 * PAGE + 8), 2);

    CHECK_OK(msync(p, 4 * PAGE, MS_SYNC));
    CHECK_OK(msync(p, PAGE, MS_ASYNC));
    CHECK_OK(msync(p, PAGE, MS_SYNC | MS_INVALIDATE));

    // The rights of the descriptor bound the rights of the mapping.
    int reader = CHECK_OK(open("f", O_RDONLY));
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
    char *r = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0));
    CHECK_ERR(mprotect(r, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK_STR(rights(r, 1), "r");
    p[0] = 'R';
    CHECK_EQ(r[0], 'R');

    CHECK_OK(munmap(p, 4 * PAGE));
    CHECK_EQ(pread(fd, bytes, 1, 0), 1);
    CHECK_EQ(bytes[0], 'R');
    return CHECK_DONE();
}
