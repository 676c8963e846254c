// timerfd_create(2): expirations add up until read, absolute and periodic times, disarming, refusals.
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

static int ready(int fd, int wait) {
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, wait);
}

int main(void) {
    uint64_t count = 0;
    struct itimerspec t = {.it_value = {0, 2000000}}, old;
    int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(read(fd, &count, sizeof count), EAGAIN);
    CHECK_OK(timerfd_gettime(fd, &old));
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    CHECK_OK(timerfd_settime(fd, 0, &t, NULL));
    CHECK_EQ(ready(fd, 1000), 1);
    CHECK_EQ(read(fd, &count, sizeof count), 8);
    CHECK_EQ(count, 1);
    CHECK_EQ(ready(fd, 0), 0);

    // Periodic: those that were missed are counted.
    t = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    CHECK_OK(timerfd_settime(fd, 0, &t, NULL));
    nanosleep(&(struct timespec){0, 6000000}, NULL);
    CHECK_EQ(read(fd, &count, sizeof count), 8);
    CHECK(count >= 5);
    CHECK_OK(timerfd_gettime(fd, &old));
    CHECK(old.it_interval.tv_nsec == 1000000 && old.it_value.tv_nsec <= 1000000);
    t = (struct itimerspec){.it_value = {100, 0}};
    CHECK_OK(timerfd_settime(fd, 0, &t, &old));
    CHECK_EQ(old.it_interval.tv_nsec, 1000000);
    CHECK_OK(timerfd_gettime(fd, &old));
    CHECK(old.it_value.tv_sec == 99 || old.it_value.tv_sec == 100);
    CHECK_OK(timerfd_settime(fd, 0, &(struct itimerspec){0}, NULL));
    CHECK_OK(timerfd_gettime(fd, &old));
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);

    // An absolute time that has passed expires at once; a blocking read waits.
    int real = CHECK_OK(timerfd_create(CLOCK_REALTIME, 0));
    t = (struct itimerspec){.it_value = {1, 0}};
    CHECK_OK(timerfd_settime(real, TFD_TIMER_ABSTIME, &t, NULL));
    CHECK_EQ(read(real, &count, sizeof count), 8);
    CHECK_EQ(count, 1);
    t = (struct itimerspec){.it_value = {0, 2000000}};
    CHECK_OK(timerfd_settime(real, 0, &t, NULL));
    CHECK_EQ(read(real, &count, sizeof count), 8);

    t = (struct itimerspec){.it_value = {0, 1000000000}};
    CHECK_ERR(timerfd_settime(fd, 0, &t, NULL), EINVAL);
    t = (struct itimerspec){.it_value = {1, 0}};
    CHECK_ERR(timerfd_settime(fd, 64, &t, NULL), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    CHECK_ERR(timerfd_settime(99, 0, &t, NULL), EBADF);
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(timerfd_settime(file, 0, &t, NULL), EINVAL);
    CHECK_ERR(read(fd, &count, 7), EINVAL);
    CHECK_ERR(write(fd, &count, 8), EINVAL);
    CHECK_ERR(syscall(SYS_timerfd_gettime, fd, NULL), EFAULT);
    return CHECK_DONE();
}
