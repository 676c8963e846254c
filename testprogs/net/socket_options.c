// socket(7), getsockopt(2): values, lengths that are cut, and refusals by level, name, size and pointer.
#include "check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int get(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 && length == sizeof value ? value : -errno;
}

static int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

int main(void) {
    int tcp = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0)), pair[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    CHECK_EQ(get(pair[0], SOL_SOCKET, SO_TYPE), SOCK_SEQPACKET);
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_DOMAIN), AF_INET);
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_ACCEPTCONN), 0);
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_ERROR), 0);
    CHECK_OK(set(tcp, SOL_SOCKET, SO_REUSEADDR, 5));
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_REUSEADDR), 1);
    CHECK_OK(set(tcp, SOL_SOCKET, SO_KEEPALIVE, 1));
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
    // The kernel doubles buffer sizes, and has a least one.
    CHECK_OK(set(tcp, SOL_SOCKET, SO_RCVBUF, 10000));
    CHECK_EQ(get(tcp, SOL_SOCKET, SO_RCVBUF), 20000);
    CHECK_OK(set(tcp, SOL_SOCKET, SO_SNDBUF, 1));
    CHECK(get(tcp, SOL_SOCKET, SO_SNDBUF) > 1000);
    CHECK_OK(set(tcp, IPPROTO_TCP, TCP_NODELAY, 1));
    CHECK_EQ(get(tcp, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_OK(set(tcp, IPPROTO_IP, IP_TTL, 33));
    CHECK_EQ(get(tcp, IPPROTO_IP, IP_TTL), 33);
    struct linger linger = {1, 7}, back = {0};
    socklen_t length = sizeof back;
    CHECK_OK(setsockopt(tcp, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    CHECK_OK(getsockopt(tcp, SOL_SOCKET, SO_LINGER, &back, &length));
    CHECK(length == sizeof back && back.l_onoff == 1 && back.l_linger == 7);
    struct timeval tv = {3, 500000}, got = {0};
    length = sizeof got;
    CHECK_OK(setsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    CHECK_OK(getsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &got, &length));
    CHECK(length == sizeof got && got.tv_sec == 3 && got.tv_usec == 500000);

    // A short buffer gets the first bytes.
    int value = 0x55555555;
    length = 2;
    CHECK_OK(getsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &value, &length));
    CHECK_EQ(value, 0x55550000 | 20000);
    CHECK_EQ(length, 2);
    length = -1;
    CHECK_ERR(getsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &value, &length), EINVAL);

    tv.tv_usec = 1000000;
    CHECK_ERR(setsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), EDOM);
    CHECK_ERR(setsockopt(tcp, SOL_SOCKET, SO_RCVTIMEO, &tv, 4), EINVAL);
    CHECK_ERR(setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
    CHECK_ERR(set(tcp, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
    CHECK_ERR(set(tcp, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
    CHECK_ERR(set(tcp, IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
    CHECK_ERR(set(tcp, IPPROTO_IP, IP_TTL, 300), EINVAL);
    CHECK_ERR(set(pair[0], IPPROTO_TCP, TCP_NODELAY, 1), EOPNOTSUPP);
    CHECK_EQ(get(tcp, SOL_SOCKET, 9999), -ENOPROTOOPT);
    CHECK_EQ(get(0x7fff, SOL_SOCKET, SO_TYPE), -EBADF);
    CHECK_ERR(syscall(SYS_setsockopt, tcp, SOL_SOCKET, SO_REUSEADDR, 8L, 4), EFAULT);
    CHECK_ERR(syscall(SYS_getsockopt, tcp, SOL_SOCKET, SO_TYPE, 8L, &length), EINVAL);
    length = 4;
    CHECK_ERR(syscall(SYS_getsockopt, tcp, SOL_SOCKET, SO_TYPE, 8L, &length), EFAULT);
    return CHECK_DONE();
}
