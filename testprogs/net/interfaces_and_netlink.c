// netdevice(7), rtnetlink(7): the loopback interface by ioctl and by an RTM_GETLINK request.
#include "check.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(void) {
    struct ifreq r = {.ifr_name = "lo"};
    int udp = CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0));
    CHECK_OK(ioctl(udp, SIOCGIFFLAGS, &r));
    CHECK(r.ifr_flags & IFF_LOOPBACK && r.ifr_flags & IFF_UP);
    CHECK_OK(ioctl(udp, SIOCGIFINDEX, &r));
    int index = r.ifr_ifindex;
    CHECK_EQ(if_nametoindex("lo"), index);
    char name[IF_NAMESIZE];
    CHECK(if_indextoname(index, name) != NULL);
    CHECK_STR(name, "lo");
    strcpy(r.ifr_name, "none");
    CHECK_ERR(ioctl(udp, SIOCGIFFLAGS, &r), ENODEV);
    CHECK_ERR(ioctl(udp, SIOCGIFFLAGS, NULL), EFAULT);

    int netlink = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    CHECK_OK(bind(netlink, (void *)&address, sizeof address));
    socklen_t length = sizeof address;
    CHECK_OK(getsockname(netlink, (void *)&address, &length));
    CHECK(length == sizeof address && address.nl_pid != 0);
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {{sizeof request, RTM_GETLINK, NLM_F_REQUEST, 7, 0}, {.ifi_index = index}};
    static char answer[16384] __attribute__((aligned(8)));
    CHECK_EQ(send(netlink, &request, sizeof request, 0), sizeof request);
    CHECK(recv(netlink, answer, sizeof answer, 0) > (long)sizeof request);
    struct nlmsghdr *h = (void *)answer;
    CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
    CHECK_EQ(h->nlmsg_seq, 7);
    CHECK_EQ(h->nlmsg_pid, address.nl_pid);
    CHECK_EQ(((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index, index);

    // A request for what is not there is answered with an error message.
    request.link.ifi_index = 0x7ffffff;
    CHECK_EQ(send(netlink, &request, sizeof request, 0), sizeof request);
    CHECK(recv(netlink, answer, sizeof answer, 0) > 0);
    CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
    CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(h))->error, -ENODEV);
    CHECK_ERR(recv(netlink, answer, sizeof answer, MSG_DONTWAIT), EAGAIN);
    return CHECK_DONE();
}
