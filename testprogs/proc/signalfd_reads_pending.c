// signalfd(2): blocked signals are read as records, and readiness follows the pending set.
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

static int ready(int fd) {
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0);
}

int main(void) {
    sigset_t set;
    struct signalfd_siginfo info[3];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    int fd = CHECK_OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
    CHECK_EQ(ready(fd), 0);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42}));
    CHECK_EQ(ready(fd), 1);
    CHECK_ERR(read(fd, info, sizeof *info - 1), EINVAL);
    CHECK_EQ(read(fd, info, sizeof info), 2 * sizeof *info);
    CHECK(info[0].ssi_signo == SIGUSR1 && info[0].ssi_code == SI_USER);
    CHECK(info[0].ssi_pid == (uint32_t)getpid() && info[0].ssi_uid == getuid());
    CHECK(info[1].ssi_signo == (uint32_t)SIGRTMIN && info[1].ssi_int == 42);
    CHECK_EQ(ready(fd), 0);

    sigdelset(&set, SIGUSR1);
    CHECK_EQ(signalfd(fd, &set, 0), fd);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(ready(fd), 0);
    sigaddset(&set, SIGUSR1);
    CHECK_EQ(syscall(SYS_signalfd, fd, &set, 8L), fd);
    CHECK_EQ(read(fd, info, sizeof info), sizeof *info);
    CHECK_EQ(info[0].ssi_code, SI_TKILL);

    CHECK_ERR(signalfd(-1, &set, 1), EINVAL);
    CHECK_ERR(signalfd(99, &set, 0), EBADF);
    CHECK_ERR(syscall(SYS_signalfd4, -1, &set, 4L, 0), EINVAL);
    CHECK_ERR(syscall(SYS_signalfd4, -1, 8L, 8L, 0), EFAULT);
    return CHECK_DONE();
}
