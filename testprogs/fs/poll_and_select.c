// poll(2), ppoll(2), select(2), pselect6: readiness, timeouts written back, refusals.
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

static long elapsed_us(struct timespec since) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since.tv_sec) * 1000000 + (now.tv_nsec - since.tv_nsec) / 1000;
}

int main(void) {
    int ends[2];
    struct timespec start;
    CHECK_OK(pipe(ends));
    struct pollfd p[4] = {
        {ends[0], POLLIN, -1}, {ends[1], POLLOUT, -1}, {-1, POLLIN, -1}, {99, POLLIN, -1}};
    CHECK_EQ(poll(p, 4, 0), 2);
    CHECK(p[0].revents == 0 && p[1].revents == POLLOUT);
    CHECK(p[2].revents == 0 && p[3].revents == POLLNVAL);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(poll(p, 1, -1), 1);
    CHECK_EQ(p[0].revents, POLLIN);
    p[0].events = POLLIN | POLLRDNORM | POLLPRI;
    CHECK_EQ(poll(p, 1, 1000), 1);
    CHECK_EQ(p[0].revents, POLLIN | POLLRDNORM);
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK_EQ(poll(NULL, 0, 3), 0);
    CHECK(elapsed_us(start) >= 3000);
    CHECK_ERR(syscall(SYS_poll, 8L, 1, 0), EFAULT);
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ERR(syscall(SYS_poll, p, (unsigned)limit.rlim_cur + 1, 0), EINVAL);

    struct timespec left = {0, 2000000}, bad = {0, -1};
    sigset_t mask;
    sigemptyset(&mask);
    CHECK_EQ(syscall(SYS_ppoll, NULL, 0, &left, &mask, 8L), 0);
    CHECK(left.tv_sec == 0 && left.tv_nsec == 0);
    left.tv_sec = 100;
    CHECK_EQ(syscall(SYS_ppoll, p, 1, &left, NULL, 0L), 1);
    CHECK(left.tv_sec == 99 && left.tv_nsec > 0);
    CHECK_ERR(syscall(SYS_ppoll, p, 1, &bad, NULL, 0L), EINVAL);
    CHECK_ERR(syscall(SYS_ppoll, p, 1, NULL, &mask, 4L), EINVAL);
    CHECK_ERR(syscall(SYS_ppoll, p, 1, 8L, NULL, 0L), EFAULT);

    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    struct timeval tv = {100, 0};
    CHECK_EQ(syscall(SYS_select, ends[1] + 1, &in, &out, NULL, &tv), 2);
    CHECK(FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out));
    CHECK_EQ(tv.tv_sec, 99);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    tv = (struct timeval){0, 2000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK_EQ(syscall(SYS_select, ends[0] + 1, &in, NULL, NULL, &tv), 0);
    CHECK(elapsed_us(start) >= 2000);
    CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
    CHECK(!FD_ISSET(ends[0], &in));
    // A time in microseconds above a second is carried over.
    FD_SET(ends[1], &out);
    tv = (struct timeval){0, 5000000};
    CHECK_EQ(syscall(SYS_select, ends[1] + 1, NULL, &out, NULL, &tv), 1);
    CHECK_EQ(tv.tv_sec, 4);
    FD_SET(99, &in);
    // Linux looks at no bit above the descriptor table, which grows and never shrinks.
    CHECK_OK(dup2(0, 300));
    CHECK_OK(close(300));
    CHECK_ERR(select(100, &in, NULL, NULL, &(struct timeval){0, 0}), EBADF);
    CHECK_ERR(select(-1, NULL, NULL, NULL, &(struct timeval){0, 0}), EINVAL);
    CHECK_ERR(select(0, NULL, NULL, NULL, &(struct timeval){-1, 0}), EINVAL);
    CHECK_ERR(syscall(SYS_select, 10, 8L, NULL, NULL, &(struct timeval){0, 0}), EFAULT);

    struct {
        sigset_t *mask;
        size_t size;
    } argument = {&mask, 8};
    left = (struct timespec){50, 0};
    CHECK_EQ(syscall(SYS_pselect6, ends[1] + 1, NULL, &out, NULL, &left, &argument), 1);
    CHECK_EQ(left.tv_sec, 49);
    argument.size = 16;
    CHECK_ERR(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &left, &argument), EINVAL);
    CHECK_ERR(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &bad, NULL), EINVAL);
    left = (struct timespec){0, 0};
    CHECK_EQ(pselect(0, NULL, NULL, NULL, &left, &mask), 0);
    return CHECK_DONE();
}
