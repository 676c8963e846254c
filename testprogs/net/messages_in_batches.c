// sendmmsg(2), recvmmsg(2), sendmsg(2): many messages a call, scattered buffers, refusals of bad headers.
#include "check.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

int main(void) {
    int s[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    struct iovec out[3][2] = {{{"a", 1}, {"bc", 2}}, {{"def", 3}, {NULL, 0}}, {{"", 0}, {"gh", 2}}};
    struct mmsghdr batch[4] = {0};
    for (int i = 0; i < 3; i++)
        batch[i].msg_hdr = (struct msghdr){.msg_iov = out[i], .msg_iovlen = 2};
    CHECK_EQ(sendmmsg(s[0], batch, 3, 0), 3);
    CHECK(batch[0].msg_len == 3 && batch[1].msg_len == 3 && batch[2].msg_len == 2);

    char text[4][8];
    struct iovec in[4];
    memset(batch, 0, sizeof batch);
    for (int i = 0; i < 4; i++) {
        in[i] = (struct iovec){text[i], 2};
        batch[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    CHECK_EQ(recvmmsg(s[1], batch, 2, MSG_WAITFORONE, NULL), 2);
    CHECK(batch[0].msg_len == 2 && batch[0].msg_hdr.msg_flags == MSG_TRUNC);
    CHECK_EQ(memcmp(text[0], "ab", 2), 0);
    CHECK_EQ(recvmmsg(s[1], batch, 4, MSG_DONTWAIT, NULL), 1);
    CHECK(batch[0].msg_len == 2 && batch[0].msg_hdr.msg_flags == 0);
    CHECK_EQ(memcmp(text[0], "gh", 2), 0);
    CHECK_ERR(recvmmsg(s[1], batch, 4, MSG_DONTWAIT, NULL), EAGAIN);
    // A timeout is only looked at after a message has come.
    CHECK_EQ(send(s[0], "x", 1, 0), 1);
    struct timespec limit = {0, 1};
    CHECK_EQ(recvmmsg(s[1], batch, 2, 0, &limit), 1);
    CHECK_EQ(recvmmsg(s[1], batch, 0, 0, NULL), 0);

    struct msghdr m = {.msg_iov = in, .msg_iovlen = IOV_MAX + 1};
    CHECK_ERR(sendmsg(s[0], &m, 0), EMSGSIZE);
    CHECK_ERR(recvmsg(s[1], &m, MSG_DONTWAIT), EMSGSIZE);
    m = (struct msghdr){.msg_iov = (void *)8, .msg_iovlen = 1};
    CHECK_ERR(sendmsg(s[0], &m, 0), EFAULT);
    CHECK_ERR(recvmsg(s[1], &m, MSG_DONTWAIT), EFAULT);
    struct iovec bad = {(void *)8, 1};
    m = (struct msghdr){.msg_iov = &bad, .msg_iovlen = 1};
    CHECK_ERR(sendmsg(s[0], &m, 0), EFAULT);
    m = (struct msghdr){.msg_iov = in, .msg_iovlen = 1, .msg_name = (void *)8, .msg_namelen = 16};
    CHECK_ERR(sendmsg(s[0], &m, 0), EFAULT);
    m.msg_namelen = -1;
    CHECK_ERR(sendmsg(s[0], &m, 0), EINVAL);
    CHECK_ERR(recvmmsg(s[1], batch, 1, 0, &(struct timespec){0, -1}), EINVAL);
    CHECK_ERR(syscall(SYS_sendmsg, s[0], NULL, 0), EFAULT);

    // A batch that fails in the middle tells how far it came.
    struct iovec good = {"ok", 2};
    memset(batch, 0, sizeof batch);
    batch[0].msg_hdr = (struct msghdr){.msg_iov = &good, .msg_iovlen = 1};
    batch[1].msg_hdr = (struct msghdr){.msg_iov = &bad, .msg_iovlen = 1};
    CHECK_EQ(sendmmsg(s[0], batch, 2, 0), 1);
    CHECK_EQ(recv(s[1], text[0], 8, MSG_DONTWAIT), 2);
    struct iovec empty = {text[0], 0};
    m = (struct msghdr){.msg_iov = &empty, .msg_iovlen = 0};
    CHECK_EQ(sendmsg(s[0], &m, 0), 0);
    CHECK_EQ(recvmsg(s[1], &m, MSG_DONTWAIT), 0);
    CHECK_ERR(sendmsg(0x7fff, &m, 0), EBADF);
    return CHECK_DONE();
}
