// epoll_ctl(2), epoll_wait(2), epoll_pwait(2), epoll_pwait2(2): errnos, and waits that end by time.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

static long elapsed_us(struct timespec since) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since.tv_sec) * 1000000 + (now.tv_nsec - since.tv_nsec) / 1000;
}

int main(void) {
    struct epoll_event e = {.events = EPOLLIN};
    int epoll = CHECK_OK(epoll_create1(0));
    int event = CHECK_OK(eventfd(0, 0));
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK_ERR(epoll_create1(1), EINVAL);
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &e), EPERM);
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, 99, &e), EBADF);
    CHECK_ERR(epoll_ctl(99, EPOLL_CTL_ADD, event, &e), EBADF);
    CHECK_ERR(epoll_ctl(event, EPOLL_CTL_ADD, epoll, &e), EINVAL);
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &e), EINVAL);
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_MOD, event, &e), ENOENT);
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL), ENOENT);
    CHECK_ERR(epoll_ctl(epoll, 9, event, &e), EINVAL);
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, event, NULL), EFAULT);
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e));
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &e), EEXIST);
    struct epoll_event exclusive = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_MOD, event, &exclusive), EINVAL);
    int outer = CHECK_OK(epoll_create1(0));
    CHECK_OK(epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &e));
    CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, outer, &e), ELOOP);

    CHECK_ERR(epoll_wait(epoll, &e, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_wait, epoll, &e, -1, 0), EINVAL);
    CHECK_ERR(epoll_wait(event, &e, 1, 0), EINVAL);
    CHECK_ERR(epoll_wait(99, &e, 1, 0), EBADF);

    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK_EQ(epoll_wait(epoll, &e, 1, 5), 0);
    CHECK(elapsed_us(start) >= 5000);
    sigset_t mask;
    sigfillset(&mask);
    CHECK_EQ(epoll_pwait(epoll, &e, 1, 0, NULL), 0);
    CHECK_EQ(epoll_pwait(epoll, &e, 1, 1, &mask), 0);
    CHECK_ERR(syscall(SYS_epoll_pwait, epoll, &e, 1, 0, &mask, 4L), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_pwait, epoll, &e, 1, 0, 8L, 8L), EFAULT);

    struct timespec wait = {0, 2000000}, bad = {0, 1000000000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK_EQ(syscall(SYS_epoll_pwait2, epoll, &e, 1, &wait, NULL, 0L), 0);
    CHECK(elapsed_us(start) >= 2000);
    CHECK_ERR(syscall(SYS_epoll_pwait2, epoll, &e, 1, &bad, NULL, 0L), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_pwait2, epoll, &e, 1, 8L, NULL, 0L), EFAULT);

    eventfd_write(event, 1);
    CHECK_EQ(syscall(SYS_epoll_pwait2, epoll, &e, 1, NULL, NULL, 0L), 1);
    CHECK_ERR(syscall(SYS_epoll_wait, epoll, 8L, 1, 0), EFAULT);
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL));
    CHECK_EQ(epoll_wait(epoll, &e, 1, 0), 0);
    return CHECK_DONE();
}
