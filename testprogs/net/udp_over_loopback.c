// udp(7): datagrams with addresses, connected sockets, truncation, errors that come back later.
#include "check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct sockaddr_in bound(int *fd) {
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof a;
    *fd = CHECK_OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    CHECK_OK(bind(*fd, (void *)&a, sizeof a));
    CHECK_OK(getsockname(*fd, (void *)&a, &length));
    return a;
}

int main(void) {
    int one, two, count;
    char text[64];
    struct sockaddr_in a = bound(&one), b = bound(&two), from;
    socklen_t length = sizeof from;
    struct pollfd p = {two, POLLIN, 0};
    CHECK_EQ(sendto(one, "datagram", 8, 0, (void *)&b, sizeof b), 8);
    CHECK_EQ(sendto(one, "", 0, 0, (void *)&b, sizeof b), 0);
    CHECK_EQ(poll(&p, 1, 30000), 1);
    CHECK_OK(ioctl(two, FIONREAD, &count));
    CHECK_EQ(count, 8);
    CHECK_EQ(recvfrom(two, text, 4, MSG_PEEK | MSG_TRUNC, NULL, NULL), 8);
    CHECK_EQ(recvfrom(two, text, sizeof text, 0, (void *)&from, &length), 8);
    CHECK(length == sizeof from && from.sin_port == a.sin_port);
    CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(recv(two, text, sizeof text, 0), 0);
    CHECK_ERR(recv(two, text, sizeof text, 0), EAGAIN);

    CHECK_OK(connect(two, (void *)&a, sizeof a));
    CHECK_EQ(send(two, "reply", 5, 0), 5);
    p.fd = one;
    CHECK_EQ(poll(&p, 1, 30000), 1);
    struct iovec iov[2] = {{text, 2}, {text + 10, 2}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = sizeof from};
    CHECK_EQ(recvmsg(one, &m, 0), 4);
    CHECK_EQ(m.msg_flags, MSG_TRUNC);
    CHECK_EQ(m.msg_namelen, sizeof from);
    CHECK_EQ(from.sin_port, b.sin_port);
    CHECK(memcmp(text, "re", 2) == 0 && memcmp(text + 10, "pl", 2) == 0);

    // Nobody there: the answer of the far side is the error of the next call.
    close(one);
    CHECK_EQ(send(two, "lost", 4, 0), 4);
    p = (struct pollfd){two, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 30000), 1);
    CHECK(p.revents & POLLERR);
    CHECK_ERR(recv(two, text, sizeof text, 0), ECONNREFUSED);
    CHECK_ERR(recv(two, text, sizeof text, 0), EAGAIN);
    // AF_UNSPEC undoes the connection.
    CHECK_OK(connect(two, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
    CHECK_ERR(send(two, "x", 1, 0), EDESTADDRREQ);
    static char huge[70000];
    CHECK_ERR(sendto(two, huge, sizeof huge, 0, (void *)&b, sizeof b), EMSGSIZE);
    CHECK_ERR(sendto(two, "x", 1, 0, (void *)&b, 4), EINVAL);
    from.sin_family = 77;
    CHECK_ERR(sendto(two, "x", 1, 0, (void *)&from, sizeof from), EAFNOSUPPORT);
    from = (struct sockaddr_in){AF_INET, htons(9), {htonl(0x08080808)}, {0}};
    CHECK_ERR(bind(socket(AF_INET, SOCK_DGRAM, 0), (void *)&from, sizeof from), EADDRNOTAVAIL);
    CHECK_ERR(listen(two, 1), EOPNOTSUPP);
    return CHECK_DONE();
}
