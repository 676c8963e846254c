// ipv6(7): a dual-stack listener takes connections to ::1 and, mapped, to 127.0.0.1.
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

int main(void) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}, peer;
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof any;
    char text[64];
    int probe = socket(AF_INET6, SOCK_DGRAM, 0);
    if (probe < 0 || bind(probe, (void *)&loopback, sizeof loopback) != 0)
        SKIP("no IPv6 on the loopback interface");
    int server = CHECK_OK(socket(AF_INET6, SOCK_STREAM, 0));
    CHECK_OK(setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)));
    CHECK_OK(bind(server, (void *)&any, sizeof any));
    CHECK_OK(listen(server, 2));
    CHECK_OK(getsockname(server, (void *)&any, &length));
    CHECK_EQ(length, sizeof any);

    int six = CHECK_OK(socket(AF_INET6, SOCK_STREAM, 0));
    loopback.sin6_port = any.sin6_port;
    CHECK_OK(connect(six, (void *)&loopback, sizeof loopback));
    length = sizeof peer;
    int conn = CHECK_OK(accept(server, (void *)&peer, &length));
    CHECK_STR(inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text), "::1");
    CHECK_EQ(write(six, "v6", 2), 2);
    CHECK_EQ(read(conn, text, sizeof text), 2);

    int four = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in v4 = {AF_INET, any.sin6_port, {htonl(INADDR_LOOPBACK)}, {0}};
    CHECK_OK(connect(four, (void *)&v4, sizeof v4));
    length = sizeof peer;
    CHECK_OK(accept(server, (void *)&peer, &length));
    CHECK_STR(inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text), "::ffff:127.0.0.1");
    CHECK_ERR(setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int)), EINVAL);
    CHECK_ERR(bind(probe, (void *)&loopback, sizeof(struct sockaddr_in)), EINVAL);
    return CHECK_DONE();
}
