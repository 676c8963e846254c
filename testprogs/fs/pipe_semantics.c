// pipe(2), pipe(7): end of file, EPIPE, EAGAIN when full or empty, atomic writes, packet mode.
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int ends[2], count;
    static char block[PIPE_BUF];
    CHECK_OK(syscall(SYS_pipe, ends));
    CHECK_EQ(write(ends[1], "abc", 3), 3);
    CHECK_EQ(write(ends[1], "def", 3), 3);
    CHECK_OK(ioctl(ends[0], FIONREAD, &count));
    CHECK_EQ(count, 6);
    CHECK_EQ(read(ends[0], block, 4), 4);
    CHECK_EQ(read(ends[0], block, sizeof block), 2);
    close(ends[1]);
    CHECK_EQ(read(ends[0], block, sizeof block), 0);
    struct pollfd p = {ends[0], POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLHUP);
    close(ends[0]);

    CHECK_OK(pipe2(ends, O_NONBLOCK));
    CHECK_ERR(read(ends[0], block, 1), EAGAIN);
    CHECK_EQ(read(ends[0], block, 0), 0);
    int size = CHECK_OK(fcntl(ends[0], F_GETPIPE_SZ));
    CHECK(size >= 4096);
    CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 3 * 4096), 4 * 4096);
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 4 * 4096);
    for (count = 0; write(ends[1], block, sizeof block) == sizeof block;)
        count++;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(count, 4);
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 4096), EBUSY);
    // Up to PIPE_BUF bytes go in whole or not at all.
    CHECK_EQ(read(ends[0], block, 100), 100);
    CHECK_ERR(write(ends[1], block, 200), EAGAIN);
    CHECK_EQ(read(ends[0], block, sizeof block - 100), PIPE_BUF - 100);
    static char two[2 * PIPE_BUF];
    CHECK_EQ(write(ends[1], two, sizeof two), PIPE_BUF);
    close(ends[0]);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    p = (struct pollfd){ends[1], POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLERR);
    close(ends[1]);

    // O_DIRECT: each write is a packet, and what the reader leaves of it is lost.
    CHECK_OK(pipe2(ends, O_DIRECT | O_NONBLOCK));
    CHECK_EQ(write(ends[1], "first", 5), 5);
    CHECK_EQ(write(ends[1], "second", 6), 6);
    CHECK_EQ(read(ends[0], block, 3), 3);
    CHECK_EQ(read(ends[0], block, sizeof block), 6);
    CHECK_EQ(memcmp(block, "second", 6), 0);
    CHECK_ERR(read(ends[0], block, 1), EAGAIN);

    CHECK_ERR(pipe2(ends, O_APPEND), EINVAL);
    CHECK_ERR(syscall(SYS_pipe, NULL), EFAULT);
    CHECK_ERR(fcntl(ends[0], F_SETPIPE_SZ, -1), EINVAL);
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(fcntl(file, F_GETPIPE_SZ), EBADF);
    return CHECK_DONE();
}
