// RFC 3542, ipv6(7), vsock(7): traffic class and hop limit as control messages, options of IPv6 and of VM sockets.
#include "check.h"

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Not in the headers of every C library.
#define AUTOFLOWLABEL 70
#define ADDR_PREFERENCES 72
#define PREFER_SRC_PUBLIC 2
#define FREEBIND 78

static int set(int fd, int name, int value) {
    return setsockopt(fd, IPPROTO_IPV6, name, &value, sizeof value);
}

static int get(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, IPPROTO_IPV6, name, &value, &length) == 0 ? value : -errno;
}

// The number in the control message of this type.
static int number_in(struct msghdr *message, int type) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == type && c->cmsg_len == CMSG_LEN(sizeof(int))) {
            int value;
            memcpy(&value, CMSG_DATA(c), sizeof value);
            return value;
        }
    }
    return -1;
}

static void add(struct msghdr *message, struct cmsghdr *c, int type, int value) {
    *c = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6, .cmsg_type = type, .cmsg_len = CMSG_LEN(sizeof value)};
    memcpy(CMSG_DATA(c), &value, sizeof value);
    message->msg_controllen += CMSG_SPACE(sizeof value);
}

int main(void) {
    int fd = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof address;
    CHECK_OK(bind(fd, (struct sockaddr *)&address, sizeof address));
    CHECK_OK(getsockname(fd, (struct sockaddr *)&address, &length));
    CHECK_OK(set(fd, IPV6_RECVTCLASS, 1));
    CHECK_EQ(get(fd, IPV6_RECVTCLASS), 1);
    CHECK_OK(set(fd, IPV6_RECVHOPLIMIT, 1));
    CHECK_OK(set(fd, IPV6_TCLASS, 0x28));
    CHECK_EQ(get(fd, IPV6_TCLASS), 0x28);
    CHECK_ERR(set(fd, IPV6_TCLASS, 256), EINVAL);
    CHECK_OK(set(fd, AUTOFLOWLABEL, 1));
    CHECK_EQ(get(fd, AUTOFLOWLABEL), 1);
    CHECK_OK(set(fd, ADDR_PREFERENCES, PREFER_SRC_PUBLIC));
    CHECK_OK(set(fd, FREEBIND, 1));
    CHECK_EQ(get(fd, FREEBIND), 1);

    char text[8] = "text", control[256] = {0};
    struct iovec part = {.iov_base = text, .iov_len = 4};
    struct msghdr message = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1};
    CHECK_EQ(sendmsg(fd, &message, 0), 4);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    CHECK_EQ(recvmsg(fd, &message, 0), 4);
    CHECK_EQ(number_in(&message, IPV6_TCLASS), 0x28);
    CHECK(number_in(&message, IPV6_HOPLIMIT) > 0);
    memset(control, 0, sizeof control);
    message.msg_controllen = 0;
    add(&message, (struct cmsghdr *)control, IPV6_TCLASS, 0x48);
    add(&message, (struct cmsghdr *)(control + CMSG_SPACE(sizeof(int))), IPV6_HOPLIMIT, 9);
    CHECK_EQ(sendmsg(fd, &message, 0), 4);
    message.msg_controllen = sizeof control;
    CHECK_EQ(recvmsg(fd, &message, 0), 4);
    CHECK_EQ(number_in(&message, IPV6_TCLASS), 0x48);
    CHECK_EQ(number_in(&message, IPV6_HOPLIMIT), 9);

    int vsock = open("/dev/vsock", O_RDONLY), null = CHECK_OK(open("/dev/null", O_RDONLY));
    unsigned cid = 0;
    CHECK(vsock < 0 || (ioctl(vsock, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0 && cid > 0));
    CHECK(vsock < 0 || (ioctl(vsock, IOCTL_VM_SOCKETS_GET_LOCAL_CID, NULL) == -1 && errno == EFAULT));
    CHECK_ERR(ioctl(null, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid), ENOTTY);
    return CHECK_DONE();
}
