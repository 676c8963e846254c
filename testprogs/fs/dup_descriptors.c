// dup(2), dup2(2), dup3(2), F_DUPFD: the lowest free number, what a copy shares and what it does not.
#include "check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    int copy = CHECK_OK(dup(fd));
    CHECK_EQ(copy, fd + 1);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(write(copy, "abc", 3), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
    CHECK_EQ(fcntl(copy, F_GETFL) & O_APPEND, O_APPEND);
    close(fd);
    CHECK_EQ(write(copy, "d", 1), 1);
    CHECK_EQ(dup(copy), fd);

    CHECK_EQ(syscall(SYS_dup2, copy, 100), 100);
    CHECK_EQ(dup2(copy, copy), copy);
    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(dup3(copy, 101, O_CLOEXEC), 101);
    CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(dup2(copy, 101), 101);
    CHECK_EQ(fcntl(101, F_GETFD), 0);
    CHECK_EQ(fcntl(copy, F_DUPFD, 100), 102);
    CHECK_EQ(fcntl(copy, F_DUPFD_CLOEXEC, 200), 200);
    CHECK_EQ(fcntl(200, F_GETFD), FD_CLOEXEC);
    CHECK_OK(fcntl(200, F_SETFD, 0));
    CHECK_EQ(fcntl(200, F_GETFD), 0);

    // dup2 closes the old file: the last copy of a pipe's write end gives its reader the end of file.
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(dup2(copy, ends[1]), ends[1]);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 0);

    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ERR(dup(99), EBADF);
    CHECK_ERR(dup2(99, 100), EBADF);
    CHECK_ERR(dup2(99, 99), EBADF);
    CHECK_ERR(dup2(copy, -1), EBADF);
    CHECK_ERR(dup2(copy, (int)limit.rlim_cur), EBADF);
    CHECK_ERR(dup3(copy, copy, 0), EINVAL);
    CHECK_ERR(dup3(copy, 120, O_NONBLOCK), EINVAL);
    CHECK_ERR(fcntl(copy, F_DUPFD, -1), EINVAL);
    CHECK_ERR(fcntl(copy, F_DUPFD, (int)limit.rlim_cur), EINVAL);
    CHECK_ERR(fcntl(99, F_DUPFD, 0), EBADF);
    CHECK_ERR(close(99), EBADF);
    CHECK_ERR(close(-1), EBADF);
    return CHECK_DONE();
}
