// tcp(7), ip(7): a connection of one thread with itself, from listen to the last FIN.
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static short wait_for(int fd, short events) {
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, 30000) == 1 ? p.revents : 0;
}

int main(void) {
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}}, name, peer;
    socklen_t length = sizeof address;
    char text[64];
    signal(SIGPIPE, SIG_IGN);
    int server = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    CHECK_OK(bind(server, (void *)&address, sizeof address));
    CHECK_OK(getsockname(server, (void *)&address, &length));
    CHECK(length == sizeof address && ntohs(address.sin_port) != 0);
    int client = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP));
    CHECK_ERR(connect(client, (void *)&address, sizeof address), EINPROGRESS);
    CHECK_EQ(wait_for(client, POLLOUT), POLLOUT | POLLERR | POLLHUP);
    CHECK_ERR(connect(client, (void *)&address, sizeof address), ECONNREFUSED);
    CHECK_OK(listen(server, 4));
    CHECK_ERR(accept(server, NULL, NULL), EAGAIN);
    CHECK_ERR(getpeername(client, (void *)&peer, &length), ENOTCONN);
    CHECK_ERR(send(client, "x", 1, 0), EPIPE);

    close(client);
    client = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    CHECK_ERR(connect(client, (void *)&address, sizeof address), EINPROGRESS);
    CHECK_EQ(wait_for(client, POLLOUT), POLLOUT);
    int error = -1;
    length = sizeof error;
    CHECK_OK(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length));
    CHECK_EQ(error, 0);
    CHECK_OK(connect(client, (void *)&address, sizeof address));
    CHECK_ERR(connect(client, (void *)&address, sizeof address), EISCONN);
    CHECK_EQ(wait_for(server, POLLIN), POLLIN);
    length = 6;
    memset(&peer, 0, sizeof peer);
    int conn = CHECK_OK(accept4(server, (void *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    CHECK_EQ(length, sizeof peer);
    CHECK_EQ(peer.sin_addr.s_addr, 0x007f);
    CHECK_EQ(fcntl(conn, F_GETFL), O_RDWR | O_NONBLOCK);
    length = sizeof name;
    CHECK_OK(getsockname(client, (void *)&name, &length));
    CHECK_EQ(peer.sin_port, name.sin_port);
    CHECK_EQ(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));

    CHECK_OK(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
    CHECK_ERR(recv(conn, text, sizeof text, 0), EAGAIN);
    CHECK_EQ(send(client, "hello world", 11, MSG_MORE), 11);
    CHECK_OK(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
    CHECK_EQ(wait_for(conn, POLLIN), POLLIN);
    CHECK_EQ(recv(conn, text, 5, MSG_PEEK), 5);
    int waiting = 0;
    CHECK_OK(ioctl(conn, FIONREAD, &waiting));
    CHECK_EQ(waiting, 11);
    CHECK_EQ(recv(conn, NULL, 6, MSG_TRUNC), 6);
    CHECK_EQ(recv(conn, text, sizeof text, MSG_DONTWAIT), 5);
    CHECK_EQ(memcmp(text, "world", 5), 0);
    CHECK_EQ(send(client, "!", 1, MSG_OOB), 1);
    CHECK_EQ(wait_for(conn, POLLPRI), POLLPRI);
    CHECK_EQ(recv(conn, text, 1, MSG_OOB), 1);
    CHECK_EQ(text[0], '!');

    // A megabyte through small buffers, both ends non-blocking.
    static char block[65536], back[65536];
    long sent = 0, received = 0, wrong = 0;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 31 >> 3);
    while (received < 1 << 20) {
        if (sent < 1 << 20) {
            long at = sent % sizeof block, n = write(client, block + at, sizeof block - at);
            sent += n > 0 ? n : 0;
        }
        wait_for(conn, POLLIN);
        for (long n; (n = read(conn, back, sizeof back)) > 0; received += n)
            for (long k = 0; k < n; k++)
                wrong += back[k] != block[(received + k) % sizeof block];
    }
    CHECK_EQ(received, 1 << 20);
    CHECK_EQ(wrong, 0);

    CHECK_OK(shutdown(client, SHUT_WR));
    CHECK_EQ(wait_for(conn, POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    CHECK_EQ(read(conn, text, 1), 0);
    CHECK_ERR(write(client, "x", 1), EPIPE);
    CHECK_EQ(write(conn, "bye", 3), 3);
    close(conn);
    wait_for(client, POLLIN);
    CHECK_EQ(recv(client, text, sizeof text, 0), 3);
    CHECK_ERR(bind(server, (void *)&address, sizeof address), EINVAL);
    CHECK_ERR(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address), EADDRINUSE);
    CHECK_ERR(shutdown(client, 9), EINVAL);
    return CHECK_DONE();
}
