// signal(7): SIGSEGV and its kin are signals like others when a process sends them: ignored, blocked, pending, taken.
#include "check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static bool pending(int signal) {
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}

int main(void) {
    static const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};
    sigset_t set, old;
    siginfo_t info;
    sigemptyset(&set);
    for (int i = 0; i < 5; i++) {
        signal(signals[i], SIG_IGN);
        CHECK_OK(raise(signals[i]));
        CHECK_OK(kill(getpid(), signals[i]));
        signal(signals[i], SIG_DFL);
        sigaddset(&set, signals[i]);
    }
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
    for (int i = 0; i < 5; i++) {
        CHECK(!pending(signals[i]));
        CHECK_OK(kill(getpid(), signals[i]));
        CHECK_OK(kill(getpid(), signals[i]));
        CHECK(pending(signals[i]));
    }
    // A child begins with none.
    pid_t child = fork();
    if (child == 0)
        _exit(pending(SIGILL) || pending(SIGSEGV) ? 1 : 2);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 2);
    // The lowest number comes first, whatever came first.
    CHECK_EQ(sigwaitinfo(&set, &info), SIGILL);
    CHECK(info.si_signo == SIGILL && info.si_code == SI_USER && info.si_pid == getpid());
    CHECK_EQ(sigwaitinfo(&set, &info), SIGTRAP);
    CHECK_EQ(sigwaitinfo(&set, NULL), SIGBUS);
    struct timespec bad = {0, -1}, none = {0, 0};
    CHECK_ERR(sigtimedwait(&set, NULL, &bad), EINVAL);
    // To ignore a pending signal is to forget it.
    CHECK(pending(SIGFPE));
    signal(SIGFPE, SIG_IGN);
    CHECK(!pending(SIGFPE));
    signal(SIGFPE, SIG_DFL);
    CHECK_EQ(sigtimedwait(&set, &info, &none), SIGSEGV);
    CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);

    CHECK_OK(sigqueue(getpid(), SIGSEGV, (union sigval){.sival_int = 7}));
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
    CHECK(sigismember(&old, SIGSEGV) && sigismember(&old, SIGBUS));
    signal(SIGSEGV, SIG_IGN);
    signal(SIGSEGV, SIG_DFL);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_OK(raise(SIGBUS));
    CHECK_DEATH(SIGBUS, sigprocmask(SIG_UNBLOCK, &set, NULL));
}
