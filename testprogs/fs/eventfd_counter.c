// eventfd(2): the counter adds up, one read takes it all, EFD_SEMAPHORE takes one.
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static short ready(int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    return p.revents;
}

int main(void) {
    uint64_t value;
    int fd = CHECK_OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(ready(fd), POLLIN | POLLOUT);
    CHECK_EQ(write(fd, &(uint64_t){4}, 8), 8);
    CHECK_EQ(read(fd, &value, sizeof value), 8);
    CHECK_EQ(value, 7);
    CHECK_EQ(ready(fd), POLLOUT);
    CHECK_ERR(read(fd, &value, sizeof value), EAGAIN);
    CHECK_EQ(write(fd, &(uint64_t){UINT64_MAX - 1}, 8), 8);
    CHECK_EQ(ready(fd), POLLIN);
    CHECK_ERR(write(fd, &(uint64_t){1}, 8), EAGAIN);
    CHECK_EQ(write(fd, &(uint64_t){0}, 8), 8);
    CHECK_ERR(write(fd, &(uint64_t){UINT64_MAX}, 8), EINVAL);
    CHECK_ERR(write(fd, "1234567", 7), EINVAL);
    CHECK_ERR(read(fd, &value, 7), EINVAL);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, UINT64_MAX - 1);

    int semaphore = CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(read(semaphore, &value, sizeof value), 8);
        CHECK_EQ(value, 1);
    }
    CHECK_ERR(read(semaphore, &value, sizeof value), EAGAIN);
    int old = CHECK_OK((int)syscall(SYS_eventfd, 1));
    CHECK_EQ(fcntl(old, F_GETFL), O_RDWR);
    CHECK_ERR(eventfd(0, 2), EINVAL);
    CHECK_ERR(syscall(SYS_write, old, NULL, 8L), EFAULT);
    return CHECK_DONE();
}
