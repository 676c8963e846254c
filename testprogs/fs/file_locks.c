// fcntl(2) locks, flock(2) and leases, seen from one process: open file description locks conflict, its
// own POSIX locks never do.
#include "check.h"

#include <fcntl.h>
#include <sys/file.h>

static int lock(int fd, int command, int type, off_t start, off_t length) {
    struct flock f = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &f);
}

int main(void) {
    int a = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    int b = CHECK_OK(open("file", O_RDWR));
    int read_only = CHECK_OK(open("file", O_RDONLY));
    CHECK_OK(lock(a, F_SETLK, F_WRLCK, 0, 100));
    CHECK_OK(lock(b, F_SETLK, F_WRLCK, 0, 100));
    struct flock f = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    CHECK_OK(fcntl(b, F_GETLK, &f));
    CHECK_EQ(f.l_type, F_UNLCK);
    CHECK_OK(lock(a, F_SETLKW, F_UNLCK, 0, 0));

    CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 10, 10));
    CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 15, 1), EAGAIN);
    CHECK_ERR(lock(b, F_OFD_SETLK, F_RDLCK, 0, 0), EAGAIN);
    CHECK_OK(lock(b, F_OFD_SETLK, F_WRLCK, 20, 5));
    f = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    CHECK_OK(fcntl(b, F_OFD_GETLK, &f));
    CHECK(f.l_type == F_WRLCK && f.l_start == 10 && f.l_len == 10 && f.l_pid == -1);
    CHECK_ERR(lock(a, F_SETLK, F_WRLCK, 12, 1), EAGAIN);
    CHECK_OK(lock(a, F_OFD_SETLK, F_RDLCK, 10, 10));
    CHECK_OK(lock(b, F_OFD_SETLK, F_RDLCK, 10, 10));
    int twin = CHECK_OK(dup(a));
    close(a);
    CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 10, 10), EAGAIN);
    close(twin);
    CHECK_OK(lock(b, F_OFD_SETLK, F_WRLCK, 10, 10));
    CHECK_OK(lock(b, F_OFD_SETLK, F_UNLCK, 0, 0));

    CHECK_ERR(lock(read_only, F_SETLK, F_WRLCK, 0, 1), EBADF);
    CHECK_ERR(lock(b, F_SETLK, 7, 0, 1), EINVAL);
    CHECK_ERR(lock(b, F_SETLK, F_RDLCK, -1, 1), EINVAL);
    f = (struct flock){.l_type = F_RDLCK, .l_whence = 7};
    CHECK_ERR(fcntl(b, F_SETLK, &f), EINVAL);
    f = (struct flock){.l_type = F_RDLCK, .l_pid = 1};
    CHECK_ERR(fcntl(b, F_OFD_SETLK, &f), EINVAL);
    CHECK_ERR(fcntl(b, F_SETLK, NULL), EFAULT);
    CHECK_ERR(fcntl(99, F_SETLK, &f), EBADF);

    a = CHECK_OK(open("file", O_RDWR));
    CHECK_OK(flock(a, LOCK_EX));
    CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
    CHECK_OK(flock(a, LOCK_SH));
    CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
    CHECK_OK(flock(a, LOCK_UN));
    CHECK_ERR(flock(a, 0), EINVAL);
    CHECK_ERR(flock(99, LOCK_EX), EBADF);

    CHECK_EQ(fcntl(read_only, F_GETLEASE), F_UNLCK);
    CHECK_ERR(fcntl(b, F_SETLEASE, F_RDLCK), EAGAIN);
    CHECK_ERR(fcntl(b, F_SETLEASE, 9), EINVAL);
    return CHECK_DONE();
}
