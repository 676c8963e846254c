// epoll(7): level, edge and one-shot reports, the order of events, nesting, and a descriptor that closes.
#include "check.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static void add(int epoll, int fd, uint32_t events, uint64_t data) {
    struct epoll_event e = {.events = events, .data.u64 = data};
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
}

static int poll_now(int epoll, struct epoll_event *e, int most) {
    return epoll_wait(epoll, e, most, 0);
}

int main(void) {
    struct epoll_event e[4];
    int epoll = CHECK_OK(epoll_create1(EPOLL_CLOEXEC));
    int level = CHECK_OK(eventfd(0, EFD_NONBLOCK));
    int edge = CHECK_OK(eventfd(0, EFD_NONBLOCK));
    int once = CHECK_OK(eventfd(0, EFD_NONBLOCK));
    add(epoll, level, EPOLLIN, 0x1111222233334444);
    add(epoll, edge, EPOLLIN | EPOLLET, 2);
    add(epoll, once, EPOLLIN | EPOLLONESHOT, 3);
    CHECK_EQ(poll_now(epoll, e, 4), 0);

    eventfd_write(level, 1);
    CHECK_EQ(poll_now(epoll, e, 4), 1);
    CHECK_EQ(e[0].data.u64, 0x1111222233334444);
    CHECK_EQ(e[0].events, EPOLLIN);
    CHECK_EQ(poll_now(epoll, e, 4), 1);
    CHECK_EQ(epoll_wait(epoll, e, 4, -1), 1);
    eventfd_read(level, &(eventfd_t){0});
    CHECK_EQ(poll_now(epoll, e, 4), 0);

    eventfd_write(edge, 1);
    CHECK_EQ(poll_now(epoll, e, 4), 1);
    CHECK_EQ(e[0].data.u64, 2);
    CHECK_EQ(poll_now(epoll, e, 4), 0);
    eventfd_write(edge, 1);
    CHECK_EQ(poll_now(epoll, e, 4), 1);

    eventfd_write(once, 1);
    CHECK_EQ(poll_now(epoll, e, 4), 1);
    eventfd_write(once, 1);
    CHECK_EQ(poll_now(epoll, e, 4), 0);
    struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 33};
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_MOD, once, &again));
    CHECK_EQ(poll_now(epoll, e, 4), 1);
    CHECK_EQ(e[0].data.u64, 33);

    // Events come in the order in which descriptors became ready, as many as there is room for.
    int order = CHECK_OK((int)syscall(SYS_epoll_create, 1));
    int a = CHECK_OK(eventfd(0, 0)), b = CHECK_OK(eventfd(0, 0));
    add(order, a, EPOLLIN, 'a');
    add(order, b, EPOLLIN, 'b');
    eventfd_write(b, 1);
    eventfd_write(a, 1);
    CHECK_EQ(poll_now(order, e, 4), 2);
    CHECK(e[0].data.u64 == 'b' && e[1].data.u64 == 'a');
    CHECK_EQ(poll_now(order, e, 1), 1);

    // An epoll descriptor is ready when one of its own is.
    int outer = CHECK_OK(epoll_create1(0));
    add(outer, order, EPOLLIN, 'o');
    CHECK_EQ(poll_now(outer, e, 4), 1);
    CHECK_EQ(e[0].data.u64, 'o');

    // Closing the last descriptor of a file takes it out of the set; a copy keeps it in.
    int copy = CHECK_OK(dup(a));
    close(b);
    CHECK_EQ(poll_now(order, e, 4), 1);
    close(a);
    CHECK_EQ(poll_now(order, e, 4), 1);
    close(copy);
    CHECK_EQ(poll_now(order, e, 4), 0);

    int ends[2];
    CHECK_OK(pipe(ends));
    add(order, ends[0], EPOLLIN | EPOLLRDHUP, 'p');
    close(ends[1]);
    CHECK_EQ(poll_now(order, e, 4), 1);
    CHECK_EQ(e[0].events, EPOLLHUP);
    CHECK_ERR(read(epoll, e, sizeof e), EINVAL);
    return CHECK_DONE();
}
