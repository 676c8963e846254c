// close_range(2): closes or marks all open descriptors of a range, holes and all.
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>

enum { CLOEXEC = 4, UNSHARE = 2 };

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    static const int copies[] = {50, 51, 53, 60, 100, 101};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        CHECK_EQ(dup2(fd, copies[i]), copies[i]);
    CHECK_OK(syscall(SYS_close_range, 51, 60, 0));
    CHECK(is_open(50) && !is_open(51) && !is_open(53) && !is_open(60) && is_open(100));
    CHECK_OK(syscall(SYS_close_range, 52, 60, 0));
    CHECK_OK(syscall(SYS_close_range, 100, 100, CLOEXEC));
    CHECK_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(101, F_GETFD), 0);
    CHECK_OK(syscall(SYS_close_range, 90, UINT_MAX, CLOEXEC));
    CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
    CHECK_OK(syscall(SYS_close_range, 101, UINT_MAX, UNSHARE));
    CHECK(is_open(100) && !is_open(101));
    CHECK_ERR(syscall(SYS_close_range, 10, 9, 0), EINVAL);
    CHECK_ERR(syscall(SYS_close_range, 10, 11, 1), EINVAL);
    CHECK_OK(syscall(SYS_close_range, 3, UINT_MAX, 0));
    CHECK(!is_open(fd) && !is_open(50) && !is_open(100));

    // Everything above is free again, and still works.
    CHECK_EQ(open("file", O_RDWR), 3);
    CHECK_EQ(dup2(3, 100), 100);
    CHECK_EQ(write(100, "x", 1), 1);
    return CHECK_DONE();
}
