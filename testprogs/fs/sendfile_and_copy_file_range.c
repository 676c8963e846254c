// sendfile(2), copy_file_range(2): offsets by pointer leave the descriptor's own alone.
#include "check.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    char text[32];
    int in = CHECK_OK(open("in", O_CREAT | O_RDWR, 0600));
    int out = CHECK_OK(open("out", O_CREAT | O_RDWR, 0600));
    int ends[2];
    CHECK_OK(pipe2(ends, O_NONBLOCK));
    CHECK_EQ(write(in, "0123456789", 10), 10);
    CHECK_EQ(lseek(in, 0, SEEK_SET), 0);

    off_t offset = 4;
    CHECK_EQ(sendfile(out, in, &offset, 3), 3);
    CHECK_EQ(offset, 7);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQ(sendfile(out, in, NULL, 100), 10);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
    CHECK_EQ(sendfile(out, in, NULL, 100), 0);
    CHECK_EQ(pread(out, text, sizeof text, 0), 13);
    CHECK_EQ(memcmp(text, "4560123456789", 13), 0);
    offset = 8;
    CHECK_EQ(sendfile(ends[1], in, &offset, 100), 2);
    CHECK_EQ(read(ends[0], text, sizeof text), 2);
    CHECK_EQ(memcmp(text, "89", 2), 0);
    CHECK_ERR(sendfile(99, in, NULL, 1), EBADF);
    CHECK_ERR(sendfile(out, 99, NULL, 1), EBADF);
    CHECK_ERR(sendfile(ends[0], in, NULL, 1), EBADF);
    CHECK_ERR(syscall(SYS_sendfile, out, in, 8L, 1L), EFAULT);
    offset = -1;
    CHECK_ERR(sendfile(out, in, &offset, 1), EINVAL);
    int append = CHECK_OK(open("out", O_WRONLY | O_APPEND));
    offset = 0;
    CHECK_ERR(sendfile(append, in, &offset, 1), EINVAL);

    off64_t from = 2, to = 20;
    CHECK_EQ(copy_file_range(in, &from, out, &to, 5, 0), 5);
    CHECK(from == 7 && to == 25);
    CHECK_EQ(pread(out, text, sizeof text, 13), 12);
    CHECK_EQ(memcmp(text, "\0\0\0\0\0\0\00023456", 12), 0);
    CHECK_EQ(lseek(in, 9, SEEK_SET), 9);
    CHECK_EQ(copy_file_range(in, NULL, out, &to, 5, 0), 1);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
    CHECK_EQ(copy_file_range(in, NULL, out, NULL, 5, 0), 0);
    CHECK_ERR(copy_file_range(in, NULL, out, NULL, 5, 1), EINVAL);
    from = 0, to = 5;
    CHECK_ERR(copy_file_range(in, &from, in, &to, 6, 0), EINVAL);
    CHECK_ERR(copy_file_range(in, NULL, append, NULL, 5, 0), EBADF);
    CHECK_ERR(copy_file_range(in, NULL, ends[1], NULL, 5, 0), EINVAL);
    int dir = CHECK_OK(open(".", O_RDONLY));
    CHECK_ERR(copy_file_range(dir, NULL, out, NULL, 5, 0), EISDIR);
    CHECK_ERR(copy_file_range(99, NULL, out, NULL, 5, 0), EBADF);
    CHECK_ERR(syscall(SYS_copy_file_range, in, 8L, out, NULL, 5L, 0), EFAULT);
    return CHECK_DONE();
}
