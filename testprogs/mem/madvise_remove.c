// MADV_REMOVE punches a hole into a shared object: every view and the file itself read zero there.
// madvise(2).
#include "mem/mem.h"

int main(void) {
    int fd = CHECK_OK(memfd_create("object", 0));
    CHECK_OK(ftruncate(fd, 4 * PAGE));
    char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
    char *private = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    memset(p, 'r', 4 * PAGE);
    private[PAGE] = 'c';
    CHECK_EQ(q[PAGE], 'r');

    CHECK_OK(madvise(p + PAGE, 2 * PAGE, MADV_REMOVE));
    CHECK(filled(p, PAGE, 'r'));
    CHECK(filled(p + PAGE, 2 * PAGE, 0));
    CHECK(filled(q + PAGE, 2 * PAGE, 0));
    CHECK(filled(q + 3 * PAGE, PAGE, 'r'));
    CHECK_EQ(private[PAGE], 'c');
    CHECK_EQ(private[2 * PAGE], 0);
    char byte = 'x';
    CHECK_EQ(pread(fd, &byte, 1, 2 * PAGE), 1);
    CHECK_EQ(byte, 0);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 4 * PAGE);

    p[PAGE] = 'n';
    CHECK_EQ(q[PAGE], 'n');
    CHECK_OK(close(file_of_pages("f", 1)));
    int reader = CHECK_OK(open("f", O_RDONLY));
    char *view = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0));
    CHECK_ERR(madvise(view, PAGE, MADV_REMOVE), EACCES);
    CHECK_EQ(*view, 'a');
    CHECK_ERR(madvise(map_pages(1, PROT_READ | PROT_WRITE), PAGE, MADV_REMOVE), EINVAL);

    int flags = MAP_SHARED | MAP_ANONYMOUS;
    char *shared = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0));
    *shared = 's';
    CHECK_OK(madvise(shared, PAGE, MADV_REMOVE));
    CHECK_EQ(*shared, 0);
    return CHECK_DONE();
}
