// cmsg(3), unix(7): SCM_RIGHTS gives a new descriptor for the same open file, SCM_CREDENTIALS says who; cuts.
#include "check.h"

#include <fcntl.h>
#include <sys/socket.h>

static char room[256] __attribute__((aligned(8)));

static ssize_t pass(int socket, const int *fds, int count) {
    char byte = 'b';
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room};
    m.msg_controllen = CMSG_SPACE(count * sizeof *fds);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){CMSG_LEN(count * sizeof *fds), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    return sendmsg(socket, &m, 0);
}

static struct msghdr take(int socket, size_t control, int flags) {
    static char byte;
    static struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room};
    m.msg_controllen = control;
    memset(room, 0, sizeof room);
    if (recvmsg(socket, &m, flags) != 1)
        m.msg_flags = -1;
    return m;
}

int main(void) {
    int s[2], fds[3];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(file, "shared", 6), 6);
    fds[0] = fds[1] = fds[2] = file;

    CHECK_EQ(pass(s[0], fds, 1), 1);
    struct msghdr m = take(s[1], sizeof room, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS);
    CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(int)));
    CHECK_EQ(m.msg_flags, MSG_CMSG_CLOEXEC);
    int got;
    memcpy(&got, CMSG_DATA(c), sizeof got);
    CHECK(got > file);
    CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(lseek(got, 2, SEEK_SET), 2);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 2);

    // Too little room: as many as fit, the flag, and the rest is closed.
    CHECK_EQ(pass(s[0], fds, 3), 1);
    m = take(s[1], CMSG_LEN(2 * sizeof(int)), 0);
    CHECK_EQ(m.msg_flags, MSG_CTRUNC);
    CHECK_EQ(CMSG_FIRSTHDR(&m)->cmsg_len, CMSG_LEN(2 * sizeof(int)));
    CHECK_EQ(pass(s[0], fds, 3), 1);
    m = take(s[1], 0, 0);
    CHECK_EQ(m.msg_flags, MSG_CTRUNC);
    CHECK_EQ(m.msg_controllen, 0);

    // A pipe passed through keeps its writer alive after this process closes it.
    int ends[2];
    char byte;
    CHECK_OK(pipe2(ends, O_NONBLOCK));
    CHECK_EQ(pass(s[0], &ends[1], 1), 1);
    close(ends[1]);
    CHECK_ERR(read(ends[0], &byte, 1), EAGAIN);
    m = take(s[1], sizeof room, 0);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
    CHECK_EQ(write(got, "x", 1), 1);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    close(got);
    CHECK_EQ(read(ends[0], &byte, 1), 0);

    CHECK_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)));
    CHECK_EQ(write(s[0], "c", 1), 1);
    m = take(s[1], sizeof room, 0);
    c = CMSG_FIRSTHDR(&m);
    CHECK(c != NULL && c->cmsg_type == SCM_CREDENTIALS);
    struct ucred who;
    memcpy(&who, CMSG_DATA(c), sizeof who);
    CHECK(who.pid == getpid() && who.uid == getuid() && who.gid == getgid());

    CHECK_ERR(pass(s[0], &(int){99}, 1), EBADF);
    CHECK_ERR(pass(s[0], &(int){-1}, 1), EBADF);
    struct cmsghdr wrong = {.cmsg_len = 4, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    struct iovec iov = {&byte, 1};
    m = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &wrong};
    m.msg_controllen = sizeof wrong;
    CHECK_ERR(sendmsg(s[0], &m, 0), EINVAL);
    m.msg_control = (void *)8;
    CHECK_ERR(sendmsg(s[0], &m, 0), EFAULT);
    return CHECK_DONE();
}
