// time(7): poll, select, epoll, sigtimedwait and socket timeouts never come back before their time.
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static struct timespec start;

static void begin(void) { clock_gettime(CLOCK_MONOTONIC, &start); }

static bool took(int64_t least) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t passed = (t.tv_sec - start.tv_sec) * 1000000000L + t.tv_nsec - start.tv_nsec;
    return passed >= least && passed < 500000000;
}

int main(void) {
    int ends[2], pair[2];
    struct epoll_event e;
    sigset_t set;
    CHECK_OK(pipe(ends));
    struct pollfd p = {ends[0], POLLIN, 0};
    for (int ms = 1; ms <= 4; ms++) {
        begin();
        CHECK_EQ(poll(&p, 1, ms), 0);
        CHECK(took(ms * 1000000L));
    }
    begin();
    CHECK_EQ(ppoll(&p, 1, &(struct timespec){0, 1234567}, NULL), 0);
    CHECK(took(1234567));
    fd_set in;
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    begin();
    CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, &(struct timeval){0, 1500}), 0);
    CHECK(took(1500000));
    int epoll = CHECK_OK(epoll_create1(0));
    begin();
    CHECK_EQ(epoll_wait(epoll, &e, 1, 2), 0);
    CHECK(took(2000000));
    begin();
    CHECK_EQ(syscall(SYS_epoll_pwait2, epoll, &e, 1, &(struct timespec){0, 300000}, NULL, 8L), 0);
    CHECK(took(300000));
    sigemptyset(&set);
    begin();
    CHECK_ERR(sigtimedwait(&set, NULL, &(struct timespec){0, 1000000}), EAGAIN);
    CHECK(took(1000000));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    struct timeval limit = {0, 8000};
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    begin();
    CHECK_ERR(read(pair[0], &e, 1), EAGAIN);
    CHECK(took(4000000));
    CHECK_EQ(poll(&p, 1, 0), 0);
    return CHECK_DONE();
}
