// readv(2) and relatives: buffers in order, at most IOV_MAX of them, and the RWF_ flags of the v2 calls.
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    struct iovec out[] = {{"abc", 3}, {NULL, 0}, {"", 0}, {"defgh", 5}};
    CHECK_EQ(writev(fd, out, 4), 8);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
    char a[2], b[4], c[16];
    struct iovec in[] = {{a, sizeof a}, {b, sizeof b}, {c, sizeof c}};
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, in, 3), 8);
    CHECK(memcmp(a, "ab", 2) == 0 && memcmp(b, "cdef", 4) == 0 && memcmp(c, "gh", 2) == 0);
    CHECK_EQ(readv(fd, in, 3), 0);
    CHECK_EQ(readv(fd, NULL, 0), 0);
    CHECK_EQ(preadv(fd, in, 2, 1), 6);
    CHECK(memcmp(a, "bc", 2) == 0 && memcmp(b, "defg", 4) == 0);
    CHECK_EQ(pwritev(fd, out, 4, 6), 8);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 14);

    static struct iovec many[IOV_MAX + 1];
    static char bytes[IOV_MAX + 1];
    for (int i = 0; i < IOV_MAX + 1; i++)
        many[i] = (struct iovec){&bytes[i], 1};
    memset(bytes, 'm', sizeof bytes);
    CHECK_EQ(writev(fd, many, IOV_MAX), IOV_MAX);
    CHECK_ERR(writev(fd, many, IOV_MAX + 1), EINVAL);
    CHECK_ERR(readv(fd, many, IOV_MAX + 1), EINVAL);
    CHECK_ERR(syscall(SYS_readv, fd, many, -1L), EINVAL);
    CHECK_ERR(preadv(fd, in, 1, -1), EINVAL);
    struct iovec negative[] = {{a, 1}, {b, (size_t)-1}};
    CHECK_ERR(readv(fd, negative, 2), EINVAL);
    CHECK_ERR(writev(fd, negative, 2), EINVAL);
    CHECK_ERR(syscall(SYS_readv, fd, 8L, 1L), EFAULT);
    struct iovec null[] = {{NULL, 4}};
    CHECK_ERR(preadv(fd, null, 1, 0), EFAULT);
    CHECK_ERR(pwritev(fd, null, 1, 0), EFAULT);
    CHECK_ERR(writev(99, out, 1), EBADF);
    CHECK_ERR(writev(99, NULL, 0), EBADF);

    // Offset -1 of the v2 calls means the current one.
    CHECK_OK(ftruncate(fd, 0));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(pwritev2(fd, out, 1, -1, 0), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQ(pwritev2(fd, out + 3, 1, 0, RWF_APPEND), 5);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 8);
    CHECK_EQ(pwritev2(fd, out, 1, 8, RWF_DSYNC | RWF_SYNC), 3);
    CHECK_EQ(preadv2(fd, in, 1, 3, 0), 2);
    CHECK_EQ(memcmp(a, "de", 2), 0);
    CHECK_EQ(preadv2(fd, in, 1, 100, 0), 0);
    CHECK_ERR(preadv2(fd, in, 1, 0, 1 << 30), EOPNOTSUPP);
    CHECK_ERR(pwritev2(fd, out, 1, 0, 1 << 30), EOPNOTSUPP);
    CHECK_ERR(preadv2(fd, in, 1, -2, 0), EINVAL);

    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERR(preadv(ends[0], in, 1, 0), ESPIPE);
    CHECK_ERR(preadv2(ends[0], in, 1, -1, RWF_NOWAIT), EAGAIN);
    CHECK_EQ(writev(ends[1], out, 4), 8);
    CHECK_EQ(preadv2(ends[0], in, 3, -1, RWF_NOWAIT), 8);
    CHECK_EQ(memcmp(c, "gh", 2), 0);
    return CHECK_DONE();
}
