// signal(7): blocked signals wait; sigtimedwait(2) and sigpending(2) see them, with their siginfo.
#include "check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

static bool pending(int signal) {
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}

int main(void) {
    sigset_t set, old;
    siginfo_t info;
    struct timespec none = {0, 0}, soon = {0, 2000000}, bad = {0, 1000000000};
    sigemptyset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGKILL);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
    CHECK(sigismember(&old, SIGUSR1) && !sigismember(&old, SIGKILL));
    sigdelset(&set, SIGKILL);

    // Standard signals do not queue.
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK(pending(SIGUSR1) && !pending(SIGUSR2));
    CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR1);
    CHECK(info.si_signo == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid());
    CHECK_EQ(info.si_uid, getuid());
    CHECK(!pending(SIGUSR1));
    CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
    CHECK_ERR(sigtimedwait(&set, &info, &soon), EAGAIN);

    // Real-time signals queue, in order, with their value; a lower number comes first.
    for (int i = 1; i <= 3; i++)
        CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i * 11}));
    CHECK_OK(raise(SIGUSR2));
    // glibc says SI_USER for SI_TKILL, so ask the kernel.
    CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8L), SIGUSR2);
    CHECK_EQ(info.si_code, SI_TKILL);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, i * 11);
    }
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);

    // To ignore a pending signal is to forget it.
    CHECK_OK(raise(SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    CHECK(!pending(SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    CHECK(!pending(SIGUSR1));
    CHECK_OK(kill(getpid(), SIGUSR2));
    int number = 0;
    CHECK_EQ(sigwait(&set, &number), 0);
    CHECK_EQ(number, SIGUSR2);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));

    CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 4L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, 9, &set, NULL, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 16L), EINVAL);
    CHECK_EQ(syscall(SYS_rt_sigprocmask, 9, NULL, &old, 8L), 0);
    CHECK_ERR(syscall(SYS_rt_sigpending, &set, 16L), EINVAL);
    return CHECK_DONE();
}
