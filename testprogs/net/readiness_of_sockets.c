// epoll(7), poll(2), select(2) on sockets: readable, writable, hung up; receive timeouts end a wait.
#include "check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct epoll_event event(int epoll) {
    struct epoll_event e = {0};
    epoll_wait(epoll, &e, 1, 30000);
    return e;
}

int main(void) {
    int s[2], epoll = CHECK_OK(epoll_create1(0));
    static char block[4096];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = s[0]};
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, s[0], &e));
    CHECK_EQ(event(epoll).events, EPOLLOUT);
    CHECK_EQ(write(s[1], "x", 1), 1);
    CHECK_EQ(event(epoll).events, EPOLLIN | EPOLLOUT);
    long total = 0;
    for (long n; (n = write(s[0], block, sizeof block)) > 0;)
        total += n;
    CHECK_EQ(errno, EAGAIN);
    CHECK(total >= 4096);
    struct pollfd p = {s[0], POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN);
    for (long n; total > 0 && (n = read(s[1], block, sizeof block)) > 0;)
        total -= n;
    CHECK_EQ(total, 0);
    CHECK_EQ(event(epoll).events, EPOLLIN | EPOLLOUT);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(s[0], &in);
    FD_SET(s[1], &in);
    FD_SET(s[1], &out);
    CHECK_EQ(select(s[1] + 1, &in, &out, NULL, NULL), 2);
    CHECK(FD_ISSET(s[0], &in) && !FD_ISSET(s[1], &in) && FD_ISSET(s[1], &out));
    CHECK_OK(shutdown(s[1], SHUT_WR));
    CHECK_EQ(event(epoll).events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    close(s[1]);
    CHECK_EQ(event(epoll).events, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);

    // A listening socket becomes readable with a connection, a refused one has an error.
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof a;
    int server = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0));
    CHECK_OK(listen(server, 1));
    CHECK_OK(getsockname(server, (void *)&a, &length));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p = (struct pollfd){server, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    int client = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0));
    p.fd = client;
    p.events = POLLIN | POLLOUT;
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT | POLLHUP);
    CHECK_OK(connect(client, (void *)&a, sizeof a));
    p = (struct pollfd){server, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 30000), 1);
    int conn = CHECK_OK(accept(server, NULL, NULL));
    struct timeval limit = {0, 3000};
    CHECK_OK(setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    CHECK_ERR(recv(conn, block, 1, 0), EAGAIN);
    // An abortive close: the reset is an error at the other end.
    CHECK_OK(setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)));
    close(client);
    p = (struct pollfd){conn, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 30000), 1);
    CHECK_EQ(p.revents, POLLIN | POLLERR | POLLHUP);
    CHECK_ERR(recv(conn, block, 1, 0), ECONNRESET);
    return CHECK_DONE();
}
