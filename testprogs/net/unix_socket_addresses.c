// unix(7): path, abstract and unnamed addresses, and the lengths that getsockname(2) gives for each.
#include "check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const socklen_t BASE = offsetof(struct sockaddr_un, sun_path);

int main(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"}, name;
    socklen_t length = sizeof name;
    char text[16];
    int server = CHECK_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    CHECK_OK(getsockname(server, (void *)&name, &length));
    CHECK_EQ(length, BASE);
    CHECK_EQ(name.sun_family, AF_UNIX);
    CHECK_OK(bind(server, (void *)&a, sizeof a));
    struct stat st;
    CHECK_OK(stat("socket", &st));
    CHECK(S_ISSOCK(st.st_mode));
    length = sizeof name;
    CHECK_OK(getsockname(server, (void *)&name, &length));
    CHECK_EQ(length, BASE + 7);
    CHECK_STR(name.sun_path, "socket");
    // The name is cut to the room given, and the length is the true one.
    memset(&name, '#', sizeof name);
    length = BASE + 3;
    CHECK_OK(getsockname(server, (void *)&name, &length));
    CHECK_EQ(length, BASE + 7);
    CHECK_EQ(memcmp(name.sun_path, "soc#", 4), 0);

    int client = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_ERR(connect(client, (void *)&a, sizeof a), ECONNREFUSED);
    CHECK_ERR(accept4(server, NULL, NULL, 0), EINVAL);
    CHECK_OK(listen(server, 5));
    CHECK_ERR(accept4(server, NULL, NULL, 0), EAGAIN);
    CHECK_OK(connect(client, (void *)&a, sizeof a));
    CHECK_ERR(connect(client, (void *)&a, sizeof a), EISCONN);
    length = sizeof name;
    int accepted = CHECK_OK(accept4(server, (void *)&name, &length, SOCK_CLOEXEC));
    CHECK_EQ(length, BASE);
    CHECK_EQ(fcntl(accepted, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(client, "hello", 5), 5);
    CHECK_EQ(read(accepted, text, sizeof text), 5);
    length = sizeof name;
    CHECK_OK(getpeername(client, (void *)&name, &length));
    CHECK_EQ(length, BASE + 7);
    struct ucred who;
    length = sizeof who;
    CHECK_OK(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &who, &length));
    CHECK(who.pid == getpid() && who.uid == geteuid() && who.gid == getegid());

    // Abstract: a name that begins with zero, ends where the length says, and leaves no file.
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    int n = snprintf(abstract.sun_path + 1, 64, "kvm-se-test-%d", getpid());
    int one = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0)), two = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    CHECK_OK(bind(one, (void *)&abstract, BASE + 1 + n));
    CHECK_ERR(bind(two, (void *)&abstract, BASE + 1 + n), EADDRINUSE);
    CHECK_EQ(sendto(two, "dgram", 5, 0, (void *)&abstract, BASE + 1 + n), 5);
    length = sizeof name;
    CHECK_EQ(recvfrom(one, text, sizeof text, 0, (void *)&name, &length), 5);
    CHECK_EQ(length, 0);
    // Autobind: a zero byte and five digits.
    CHECK_OK(bind(two, (void *)&abstract, sizeof(sa_family_t)));
    length = sizeof name;
    CHECK_OK(getsockname(two, (void *)&name, &length));
    CHECK_EQ(length, BASE + 6);

    CHECK_ERR(bind(client, (void *)&a, sizeof a), EADDRINUSE);
    a.sun_path[0] = 'x';
    CHECK_ERR(connect(two, (void *)&a, sizeof a), ENOENT);
    strcpy(a.sun_path, "socket");
    CHECK_ERR(connect(two, (void *)&a, sizeof a), EPROTOTYPE);
    CHECK_ERR(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, 111), EINVAL);
    CHECK_ERR(listen(two, 1), EOPNOTSUPP);
    strcpy(a.sun_path, "fresh");
    CHECK_ERR(bind(one, (void *)&a, sizeof a), EINVAL);
    return CHECK_DONE();
}
