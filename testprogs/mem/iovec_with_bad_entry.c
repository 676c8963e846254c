// readv and writev stop at the first bad entry and report what came before it. readv(2).
#include "mem/mem.h"

#include <sys/uio.h>

int main(void) {
    int fd = CHECK_OK(memfd_create("vectors", 0));
    char *p = map_island(3, PROT_READ | PROT_WRITE);
    CHECK_OK(munmap(p + PAGE, PAGE));
    memcpy(p, "first", 5);
    memcpy(p + 2 * PAGE, "third", 5);
    struct iovec good[] = {{p, 5}, {NULL, 0}, {p + 2 * PAGE, 5}};
    struct iovec bad[] = {{p, 5}, {p + PAGE, 5}, {p + 2 * PAGE, 5}};
    struct iovec bad_first[] = {{p + PAGE, 1}, {p, 5}};

    CHECK_EQ(pwritev(fd, good, 3, 0), 10);
    CHECK_EQ(pwritev(fd, bad, 3, 0), 5);
    CHECK_ERR(pwritev(fd, bad_first, 2, 0), EFAULT);
    memset(p, 0, 5);
    memset(p + 2 * PAGE, 0, 5);
    CHECK_EQ(preadv(fd, good, 3, 0), 10);
    CHECK(memcmp(p, "first", 5) == 0 && memcmp(p + 2 * PAGE, "third", 5) == 0);
    memset(p + 2 * PAGE, 0, 5);
    CHECK_EQ(preadv(fd, bad, 3, 5), 5);
    CHECK(memcmp(p, "third", 5) == 0 && filled(p + 2 * PAGE, 5, 0));
    CHECK_ERR(preadv(fd, bad_first, 2, 0), EFAULT);

    // An entry that begins well and runs into the hole.
    struct iovec runs_out[] = {{p, 5}, {p + PAGE - 3, 8}, {p + 2 * PAGE, 5}};
    CHECK_EQ(preadv(fd, runs_out, 3, 0), 8);
    CHECK(memcmp(p + PAGE - 3, "thi", 3) == 0);
    CHECK_ERR(writev(probe_pipe(1), bad, 3), EFAULT);

    // The array itself, and its length, hidden from the compiler's own checks.
    struct iovec *volatile none = NULL;
    volatile int negative_count = -1, too_many = 1025;
    struct iovec *cut = (struct iovec *)(p + PAGE) - 1;
    *cut = good[0];
    CHECK_EQ(pwritev(fd, cut, 1, 0), 5);
    CHECK_ERR(pwritev(fd, cut, 2, 0), EFAULT);
    CHECK_ERR(writev(fd, none, 1), EFAULT);
    CHECK_EQ(writev(fd, none, 0), 0);
    CHECK_ERR(writev(fd, good, negative_count), EINVAL);
    CHECK_ERR(writev(fd, good, too_many), EINVAL);
    struct iovec negative[] = {{p, 5}, {p, (size_t)-1}};
    CHECK_ERR(writev(fd, negative, 2), EINVAL);
    struct iovec kernel[] = {{p, 5}, {(char *)0xffff800000000000, 5}};
    CHECK_ERR(pwritev(fd, kernel, 2, 0), EFAULT);
    CHECK_ERR(writev(-1, good, 3), EBADF);

    // 1,024 entries, each a byte, over two pages.
    static struct iovec many[1024];
    char *q = map_pages(2, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 1024; i++) {
        q[i * 8] = (char)i;
        many[i] = (struct iovec){q + i * 8, 1};
    }
    CHECK_EQ(pwritev(fd, many, 1024, 0), 1024);
    char bytes[1024];
    CHECK_EQ(pread(fd, bytes, 1024, 0), 1024);
    int wrong = 0;
    for (int i = 0; i < 1024; i++)
        wrong += bytes[i] != (char)i;
    CHECK_EQ(wrong, 0);
    return CHECK_DONE();
}
