// ioctl(2): requests every descriptor knows, ENOTTY for those it does not.
#include "check.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>

int main(void) {
    int value = 0, ends[2];
    struct winsize window;
    struct termios tty;
    CHECK_OK(pipe(ends));
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(file, "0123456789", 10), 10);
    CHECK_EQ(lseek(file, 3, SEEK_SET), 3);
    CHECK_OK(ioctl(file, FIONREAD, &value));
    CHECK_EQ(value, 7);
    CHECK_OK(ioctl(file, FIOCLEX));
    CHECK_EQ(fcntl(file, F_GETFD), FD_CLOEXEC);
    CHECK_OK(ioctl(file, FIONCLEX));
    CHECK_EQ(fcntl(file, F_GETFD), 0);
    value = 1;
    CHECK_OK(ioctl(ends[0], FIONBIO, &value));
    CHECK_EQ(fcntl(ends[0], F_GETFL), O_NONBLOCK);
    value = 0;
    CHECK_OK(ioctl(ends[0], FIONBIO, &value));
    CHECK_EQ(fcntl(ends[0], F_GETFL), 0);

    CHECK_ERR(ioctl(file, TIOCGWINSZ, &window), ENOTTY);
    CHECK_ERR(ioctl(file, TCGETS, &tty), ENOTTY);
    CHECK_ERR(ioctl(ends[0], TCGETS, &tty), ENOTTY);
    CHECK_ERR(ioctl(file, 0xdeadbeef, &value), ENOTTY);
    CHECK_EQ(isatty(file), 0);
    CHECK_ERR(tcgetpgrp(ends[0]), ENOTTY);
    CHECK_ERR(ioctl(99, FIONREAD, &value), EBADF);
    CHECK_ERR(ioctl(ends[0], FIONREAD, NULL), EFAULT);
    CHECK_ERR(ioctl(ends[0], FIONBIO, NULL), EFAULT);
    int path = CHECK_OK(open("file", O_PATH));
    CHECK_ERR(ioctl(path, FIONREAD, &value), EBADF);
    int null = CHECK_OK(open("/dev/null", O_RDWR));
    CHECK_ERR(ioctl(null, TIOCGWINSZ, &window), ENOTTY);
    CHECK_ERR(ioctl(eventfd(0, 0), TCGETS, &tty), ENOTTY);
    return CHECK_DONE();
}
