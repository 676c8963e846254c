// truncate(2), ftruncate(2): growing reads as zeros, shrinking forgets, the offset stays.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static off_t size_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_size : -1;
}

int main(void) {
    char text[16];
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(fd, "abcdefgh", 8), 8);
    CHECK_OK(ftruncate(fd, 3));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
    CHECK_OK(syscall(SYS_truncate, "file", 10L));
    CHECK_EQ(pread(fd, text, sizeof text, 0), 10);
    CHECK_EQ(memcmp(text, "abc\0\0\0\0\0\0\0", 10), 0);
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK_EQ(size_of(fd), 10);
    CHECK_OK(ftruncate(fd, 5L << 30));
    CHECK_EQ(size_of(fd), 5L << 30);
    CHECK_EQ(pread(fd, text, 4, 1L << 32), 4);
    CHECK_EQ(memcmp(text, "\0\0\0\0", 4), 0);
    CHECK_OK(ftruncate(fd, 0));
    CHECK_EQ(size_of(fd), 0);

    CHECK_ERR(ftruncate(fd, -1), EINVAL);
    CHECK_ERR(truncate("file", -1), EINVAL);
    CHECK_ERR(truncate("none", 0), ENOENT);
    CHECK_ERR(truncate("file/x", 0), ENOTDIR);
    CHECK_ERR(truncate(".", 0), EISDIR);
    CHECK_ERR(ftruncate(99, 0), EBADF);
    CHECK_ERR(syscall(SYS_truncate, 8L, 0L), EFAULT);
    int read_only = CHECK_OK(open("file", O_RDONLY));
    CHECK_ERR(ftruncate(read_only, 0), EINVAL);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERR(ftruncate(ends[1], 0), EINVAL);
    return CHECK_DONE();
}
