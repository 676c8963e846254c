// sigtimedwait(2) and signalfd(2) beside handlers: what is waited for starts no handler.
#include "check.h"
#include "signals.h"

#include <sys/signalfd.h>

static volatile int count;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    count++;
}

int main(void) {
    sigset_t set;
    siginfo_t info;
    struct timespec soon = {1000, 0}, none = {0, 0};
    const int signals[] = {SIGALRM, SIGUSR1, SIGRTMIN, SIGSEGV};
    sigemptyset(&set);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(install(signals[i], handler, 0));
        sigaddset(&set, signals[i]);
    }
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    alarm_every(100, 0);
    CHECK_EQ(sigtimedwait(&set, &info, &soon), SIGALRM);
    CHECK_EQ(info.si_code, SI_KERNEL);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGSEGV);
    CHECK_EQ(sigtimedwait(&set, &info, &none), SIGSEGV);
    CHECK(info.si_code == SI_USER && info.si_pid == getpid());
    CHECK_EQ(sigtimedwait(&set, &info, &none), SIGUSR1);
    CHECK_ERR(sigtimedwait(&set, &info, &none), EAGAIN);
    CHECK_EQ(count, 0);

    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    int fd = CHECK_OK(signalfd(-1, &some, 0));
    struct signalfd_siginfo record;
    raise(SIGUSR1);
    CHECK_EQ(read(fd, &record, sizeof record), sizeof record);
    CHECK_EQ(record.ssi_signo, SIGUSR1);
    // Another one interrupts the wait.
    CHECK_OK(sigdelset(&set, SIGALRM));
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    alarm_every(100, 100);
    CHECK_ERR(read(fd, &record, sizeof record), EINTR);
    CHECK(count >= 1);
    CHECK_ERR(sigtimedwait(&some, NULL, &soon), EINTR);
    CHECK(count >= 2);
    alarm_every(0, 0);
    count = 0;
    raise(SIGUSR1);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
    CHECK_EQ(count, 1);
    return CHECK_DONE();
}
