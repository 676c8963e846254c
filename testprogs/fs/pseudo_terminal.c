// pty(7), ioctl_tty(2), termios(3): line discipline, echo, window size and line editing on a pty pair.
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static char text[64];

// Bytes cross a pty on a kernel worker: wait for them.
static int arrived(int fd) { return poll(&(struct pollfd){fd, POLLIN, 0}, 1, 5000); }

// What arrives, piece by piece, until it is `count` bytes.
static const char *get(int fd, size_t count) {
    size_t length = 0;
    ssize_t piece = 1;
    while (length < count && piece > 0 && arrived(fd) == 1) {
        piece = read(fd, text + length, sizeof text - 1 - length);
        length += piece > 0 ? (size_t)piece : 0;
    }
    text[length] = 0;
    return text;
}

int main(void) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0)
        SKIP("no /dev/ptmx");
    CHECK_OK(grantpt(master));
    CHECK_OK(unlockpt(master));
    unsigned number;
    CHECK_OK(ioctl(master, TIOCGPTN, &number));
    char expected[32];
    snprintf(expected, sizeof expected, "/dev/pts/%u", number);
    CHECK_EQ(strcmp(ptsname(master), expected), 0);
    int slave = open(expected, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (slave < 0)
        SKIP("no /dev/pts");
    CHECK_EQ(isatty(slave), 1);

    struct winsize size = {25, 132, 0, 0}, back = {0};
    CHECK_OK(ioctl(master, TIOCSWINSZ, &size));
    CHECK_OK(ioctl(slave, TIOCGWINSZ, &back));
    CHECK(back.ws_row == 25 && back.ws_col == 132);

    struct termios tty;
    CHECK_OK(tcgetattr(slave, &tty));
    CHECK_EQ(tty.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
    CHECK_EQ(tty.c_oflag & (OPOST | ONLCR), OPOST | ONLCR);

    // Cooked: a line at a time, echoed, erase works, newline becomes CR LF on the way out.
    CHECK_EQ(write(master, "abx\177c", 5), 5);
    CHECK_ERR(read(slave, text, sizeof text), EAGAIN);
    CHECK_EQ(write(master, "\n", 1), 1);
    CHECK_STR(get(slave, 4), "abc\n");
    CHECK_STR(get(master, 9), "abx\b \bc\r\n");
    CHECK_EQ(write(slave, "out\n", 4), 4);
    CHECK_STR(get(master, 5), "out\r\n");
    CHECK_EQ(write(master, "\4", 1), 1);
    CHECK_EQ(arrived(slave), 1);
    CHECK_EQ(read(slave, text, sizeof text), 0);

    // Raw: bytes as they are.
    cfmakeraw(&tty);
    CHECK_OK(tcsetattr(slave, TCSANOW, &tty));
    CHECK_EQ(write(master, "r\3\n", 3), 3);
    CHECK_STR(get(slave, 3), "r\3\n");
    CHECK_ERR(read(master, text, sizeof text), EAGAIN);
    int queued = -1;
    CHECK_EQ(write(master, "12345", 5), 5);
    CHECK_EQ(arrived(slave), 1);
    CHECK_OK(ioctl(slave, FIONREAD, &queued));
    CHECK_EQ(queued, 5);
    CHECK_OK(tcflush(slave, TCIFLUSH));
    CHECK_ERR(read(slave, text, sizeof text), EAGAIN);

    CHECK_ERR(tcgetpgrp(slave), ENOTTY);
    CHECK_ERR(ioctl(slave, TIOCGWINSZ, NULL), EFAULT);
    CHECK_ERR(ioctl(slave, TIOCGPTN, &number), ENOTTY);
    close(slave);
    CHECK_ERR(read(master, text, sizeof text), EIO);
    return CHECK_DONE();
}
