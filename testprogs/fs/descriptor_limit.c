// getrlimit(2) RLIMIT_NOFILE: every call that makes a descriptor says EMFILE at the soft limit.
#include "check.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

int main(void) {
    struct rlimit limit;
    int ends[2];
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 40;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int first = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    int last = first, fd;
    while ((fd = dup(first)) >= 0)
        last = fd;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 39);
    CHECK_ERR(open("file", O_RDONLY), EMFILE);
    CHECK_ERR(open("none", O_RDONLY), EMFILE);
    CHECK_ERR(pipe(ends), EMFILE);
    CHECK_ERR(eventfd(0, 0), EMFILE);
    CHECK_ERR(epoll_create1(0), EMFILE);
    CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0), EMFILE);
    CHECK_ERR(inotify_init1(0), EMFILE);
    CHECK_ERR(memfd_create("x", 0), EMFILE);
    CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
    CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), EMFILE);
    CHECK_ERR(fcntl(first, F_DUPFD, 0), EMFILE);
    CHECK_ERR(fcntl(first, F_DUPFD, 40), EINVAL);
    CHECK_EQ(dup2(first, 39), 39);
    CHECK_ERR(dup2(first, 40), EBADF);

    // A pipe needs two: with one free it takes none.
    close(39);
    CHECK_ERR(pipe(ends), EMFILE);
    CHECK_EQ(dup(first), 39);

    // Descriptors above a lowered limit stay usable.
    limit.rlim_cur = 20;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_EQ(write(39, "still", 5), 5);
    CHECK_OK(fcntl(39, F_GETFD));
    CHECK_ERR(dup(39), EMFILE);

    // And with the limit back up, hundreds are no trouble.
    limit.rlim_cur = limit.rlim_max < 1000 ? limit.rlim_max : 1000;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    while ((fd = dup(first)) >= 0)
        last = fd;
    CHECK_EQ(last, limit.rlim_cur - 1);
    CHECK_EQ(write(last, "!", 1), 1);
    CHECK_EQ(lseek(first, 0, SEEK_CUR), 6);
    return CHECK_DONE();
}
