// fork(2): descriptors are inherited, with offset, flags and locks of the open file; descriptor flags are copies.
#include "check.h"
#include "process/process.h"
#include <sys/file.h>

int main(void) {
    make_file("file", "0123456789", 0600);
    int fd = CHECK_OK(open("file", O_RDWR));
    char text[4] = "";
    CHECK_EQ(read(fd, text, 3), 3);
    CHECK_EQ(code_of(IN_CHILD(read(fd, text, 3) == 3 && memcmp(text, "345", 3) == 0)), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_EQ(code_of(IN_CHILD(lseek(fd, 1, SEEK_SET))), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);
    CHECK_EQ(code_of(IN_CHILD(fcntl(fd, F_SETFL, O_APPEND))), 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
    CHECK_EQ(code_of(IN_CHILD(fcntl(fd, F_SETFD, FD_CLOEXEC))), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_EQ(code_of(IN_CHILD(close(fd))), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1);

    // flock(2) belongs to the open file, fcntl(2) locks to the process.
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_EQ(code_of(IN_CHILD(flock(fd, LOCK_EX | LOCK_NB))), 0);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_OK(fcntl(fd, F_SETLK, &whole));
    CHECK_EQ(code_of(IN_CHILD(fcntl(fd, F_SETLK, &whole) == -1 ? errno : 0)), EAGAIN);
    struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_EQ(code_of(IN_CHILD(fcntl(fd, F_GETLK, &asked) == 0 && asked.l_pid == getppid())), 1);

    // Descriptors of all numbers, and what the child opens is its own.
    CHECK_OK(dup2(fd, 700));
    CHECK_EQ(code_of(IN_CHILD(lseek(700, 0, SEEK_CUR))), 1);
    CHECK_EQ(code_of(IN_CHILD(dup2(fd, 701) == 701 ? 5 : 6)), 5);
    CHECK_ERR(fcntl(701, F_GETFD), EBADF);
    return CHECK_DONE();
}
