// read(2), write(2), lseek(2), pread(2), pwrite(2): who moves the offset, and what lies past the end.
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    char text[32] = "";
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
    CHECK_EQ(read(fd, text, sizeof text), 0);
    CHECK_EQ(lseek(fd, -4, SEEK_END), 6);
    CHECK_EQ(read(fd, text, sizeof text), 4);
    CHECK_STR(text, "6789");
    CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
    CHECK_EQ(pread(fd, text, 3, 5), 3);
    CHECK_EQ(memcmp(text, "567", 3), 0);
    CHECK_EQ(pwrite(fd, "XY", 2, 0), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
    CHECK_EQ(pread(fd, text, 8, 10), 0);
    CHECK_EQ(pread(fd, text, 8, 1000), 0);

    // A write past the end leaves zeros between.
    CHECK_EQ(lseek(fd, 20, SEEK_SET), 20);
    CHECK_EQ(write(fd, "Z", 1), 1);
    memset(text, 'q', sizeof text);
    CHECK_EQ(pread(fd, text, sizeof text, 8), 13);
    CHECK_EQ(memcmp(text, "89\0\0\0\0\0\0\0\0\0\0Zq", 14), 0);
    CHECK_EQ(write(fd, text, 0), 0);
    CHECK_EQ(read(fd, text, 0), 0);

    // pwrite on an O_APPEND descriptor appends: "BUGS" of pwrite(2).
    int append = CHECK_OK(open("file", O_RDWR | O_APPEND));
    CHECK_EQ(pwrite(append, "end", 3, 0), 3);
    CHECK_EQ(lseek(append, 0, SEEK_CUR), 0);
    CHECK_EQ(pread(fd, text, 2, 0), 2);
    CHECK_EQ(memcmp(text, "XY", 2), 0);
    CHECK_EQ(pread(fd, text, 8, 21), 3);
    CHECK_EQ(memcmp(text, "end", 3), 0);

    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(lseek(fd, 0, 99), EINVAL);
    CHECK_ERR(lseek(fd, LONG_MAX, SEEK_END), EINVAL);
    CHECK_ERR(lseek(99, 0, SEEK_SET), EBADF);
    CHECK_ERR(pread(fd, text, 1, -1), EINVAL);
    CHECK_ERR(pwrite(fd, text, 1, -1), EINVAL);
    CHECK_ERR(syscall(SYS_read, fd, text, -1L), EFAULT);
    CHECK_ERR(syscall(SYS_write, fd, text, -1L), EFAULT);
    CHECK_ERR(read(99, text, 1), EBADF);
    CHECK_ERR(write(-1, text, 1), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
    CHECK_ERR(pread(ends[0], text, 1, 0), ESPIPE);
    CHECK_ERR(pwrite(ends[1], text, 1, 0), ESPIPE);
    CHECK_ERR(read(ends[1], text, 1), EBADF);
    CHECK_ERR(write(ends[0], text, 1), EBADF);

    // Descriptors that share one open file description share the offset; a second open does not.
    int twin = CHECK_OK(dup(fd));
    CHECK_EQ(lseek(twin, 7, SEEK_SET), 7);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
    CHECK_EQ(lseek(append, 0, SEEK_CUR), 0);

    // The upper half of the descriptor register does not count.
    CHECK_EQ(syscall(SYS_lseek, 0xffffffff00000000ul | (unsigned)fd, 3L, SEEK_SET), 3);
    return CHECK_DONE();
}
