// socketpair(2), unix(7): streams have no borders, datagrams and seqpackets keep theirs; what the end means.
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

int main(void) {
    char text[64];
    int s[2], count;
    signal(SIGPIPE, SIG_IGN);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    CHECK_EQ(fcntl(s[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(s[0], F_GETFL), O_RDWR);
    CHECK_EQ(write(s[0], "one", 3), 3);
    CHECK_EQ(send(s[0], "two", 3, 0), 3);
    CHECK_OK(ioctl(s[1], FIONREAD, &count));
    CHECK_EQ(count, 6);
    CHECK_EQ(recv(s[1], text, 4, MSG_PEEK), 4);
    CHECK_EQ(recv(s[1], text, sizeof text, 0), 6);
    CHECK_EQ(memcmp(text, "onetwo", 6), 0);
    CHECK_ERR(recv(s[1], text, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(write(s[1], "back", 4), 4);
    CHECK_EQ(read(s[0], text, sizeof text), 4);
    CHECK_OK(shutdown(s[0], SHUT_WR));
    CHECK_EQ(read(s[1], text, 1), 0);
    CHECK_ERR(write(s[0], "x", 1), EPIPE);
    CHECK_EQ(write(s[1], "y", 1), 1);
    CHECK_EQ(read(s[0], text, sizeof text), 1);
    close(s[1]);
    CHECK_EQ(read(s[0], text, 1), 0);
    struct pollfd p = {s[0], POLLIN | POLLRDHUP, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN | POLLRDHUP | POLLHUP);
    close(s[0]);

    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
    CHECK_EQ(send(s[0], "first", 5, 0), 5);
    CHECK_EQ(send(s[0], "", 0, 0), 0);
    CHECK_EQ(send(s[0], "third", 5, 0), 5);
    CHECK_EQ(recv(s[1], text, 2, 0), 2);
    CHECK_EQ(recv(s[1], text, sizeof text, 0), 0);
    CHECK_EQ(recv(s[1], text, 2, MSG_TRUNC), 5);
    CHECK_ERR(recv(s[1], text, 2, 0), EAGAIN);
    CHECK_ERR(accept(s[0], NULL, NULL), EOPNOTSUPP);
    close(s[1]);
    CHECK_ERR(send(s[0], "x", 1, 0), ECONNREFUSED);
    close(s[0]);

    CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s));
    CHECK_EQ(send(s[0], "packet", 6, 0), 6);
    CHECK_EQ(send(s[0], "next", 4, MSG_EOR), 4);
    CHECK_EQ(recv(s[1], text, 3, 0), 3);
    CHECK_EQ(recv(s[1], text, sizeof text, 0), 4);
    close(s[0]);
    CHECK_EQ(recv(s[1], text, 3, 0), 0);

    CHECK_ERR(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
    CHECK_ERR(socketpair(AF_UNIX, 99, 0, s), EINVAL);
    CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 5, s), EPROTONOSUPPORT);
    CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, s), EINVAL);
    CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
    return CHECK_DONE();
}
