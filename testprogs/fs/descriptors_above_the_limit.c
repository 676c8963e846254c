// Nothing is open that the program did not open: descriptors about the hard limit of RLIMIT_NOFILE
// and above are EBADF to every kind of call. getrlimit(2), open(2).
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int is_closed(int fd) {
    char byte;
    struct stat status;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return fcntl(fd, F_GETFD) == -1 && errno == EBADF && fstat(fd, &status) == -1 && errno == EBADF &&
           read(fd, &byte, 0) == -1 && errno == EBADF && dup(fd) == -1 && errno == EBADF &&
           close(fd) == -1 && errno == EBADF && (poll(&polled, 1, 0), polled.revents == POLLNVAL);
}

int main(void) {
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    int top = limit.rlim_max > 65536 ? 65536 : (int)limit.rlim_max;
    int open_ones = 0;
    for (int fd = top - 16; fd < top + 1100; fd++)
        open_ones += !is_closed(fd);
    CHECK_EQ(open_ones, 0);
    CHECK_ERR(dup2(0, top), EBADF);
    CHECK_ERR(dup3(0, top + 1, 0), EBADF);
    CHECK_ERR(fcntl(0, F_DUPFD, top), EINVAL);
    CHECK_ERR(fchdir(top + 3), EBADF);
    CHECK_ERR(openat(top + 3, "name", O_RDONLY), EBADF);
    int epoll = CHECK_OK(epoll_create1(0));
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, top + 3, &(struct epoll_event){0}), EBADF);
    return CHECK_DONE();
}
