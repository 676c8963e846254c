// cflags: -pthread
// signal(7): SIGSEGV and its kin are signals like others when a process sends them: ignored, blocked, pending, taken.
#include "check.h"

#include "threads/threads.h"

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
    // One that comes while it is waited for, or about to be.
    enum { ROUNDS = 2000 };
    atomic_int *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    child = fork();
    if (child == 0) {
        for (int i = 1; i <= ROUNDS; i++) {
            while (*turn < i)
                sched_yield();
            for (volatile int rest = i % 1000 * 30; rest > 0; rest--)
                ;
            REQUIRE(kill(parent, SIGSEGV) == 0);
        }
        _exit(0);
    }
    for (int i = 1; i <= ROUNDS; i++) {
        *turn = i;
        REQUIRE(sigwaitinfo(&set, &info) == SIGSEGV && info.si_pid == child);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    child = fork();
    if (child == 0) {
        until_asleep(parent, parent);
        _exit(kill(parent, SIGSEGV));
    }
    CHECK_EQ(sigwaitinfo(&set, &info), SIGSEGV);
    CHECK(info.si_code == SI_USER && info.si_pid == child);
    CHECK_EQ(waitpid(child, &status, 0), child);

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
