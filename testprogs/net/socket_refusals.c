// socket(2) and the calls that need a socket: errno for unknown families, types, states and plain files.
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

int main(void) {
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof a;
    char byte;
    CHECK_ERR(socket(200, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(AF_INET, 11, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM | 0x100000, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_SEQPACKET, IPPROTO_TCP), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);

    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(bind(file, (void *)&a, sizeof a), ENOTSOCK);
    CHECK_ERR(connect(file, (void *)&a, sizeof a), ENOTSOCK);
    CHECK_ERR(listen(file, 1), ENOTSOCK);
    CHECK_ERR(accept(file, NULL, NULL), ENOTSOCK);
    CHECK_ERR(send(file, "x", 1, 0), ENOTSOCK);
    CHECK_ERR(recv(file, &byte, 1, 0), ENOTSOCK);
    CHECK_ERR(shutdown(file, SHUT_RD), ENOTSOCK);
    CHECK_ERR(getsockname(file, (void *)&a, &length), ENOTSOCK);
    CHECK_ERR(listen(0x7fff, 1), EBADF);

    int tcp = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0));
    CHECK_ERR(recv(tcp, &byte, 1, 0), ENOTCONN);
    CHECK_ERR(shutdown(tcp, SHUT_RDWR), ENOTCONN);
    CHECK_ERR(getpeername(tcp, (void *)&a, &length), ENOTCONN);
    CHECK_ERR(accept(tcp, NULL, NULL), EINVAL);
    CHECK_ERR(accept4(tcp, NULL, NULL, 0x100000), EINVAL);
    CHECK_ERR(lseek(tcp, 0, SEEK_SET), ESPIPE);
    a.sin_addr.s_addr = htonl(0x01020304);
    CHECK_ERR(bind(tcp, (void *)&a, sizeof a), EADDRNOTAVAIL);
    a.sin_family = AF_UNIX;
    CHECK_ERR(bind(tcp, (void *)&a, sizeof a), EAFNOSUPPORT);
    CHECK_ERR(bind(tcp, (void *)&a, 3), EINVAL);
    CHECK_ERR(bind(tcp, (void *)&a, -1), EINVAL);
    CHECK_ERR(bind(tcp, (void *)&a, 129), EINVAL);
    CHECK_ERR(syscall(SYS_bind, tcp, 8L, 16), EFAULT);
    length = -1;
    CHECK_ERR(getsockname(tcp, (void *)&a, &length), EINVAL);
    CHECK_ERR(syscall(SYS_getsockname, tcp, &a, NULL), EFAULT);
    CHECK_ERR(connect(tcp, (void *)&a, 1), EINVAL);
    return CHECK_DONE();
}
