// Every signal but SIGKILL and SIGSTOP can have a handler, and none is set aside: real-time ones come from oneself, a
// child, a timer, a group, and by signalfd and sigtimedwait.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static volatile int count[65], value[65], code[65];

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)context;
    count[signal]++;
    value[signal] = info->si_value.sival_int;
    code[signal] = info->si_code;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    int refused = 0;
    for (int signal = 1; signal < 65; signal++)
        if (signal != SIGKILL && signal != SIGSTOP && signal != 32 && signal != 33)
            refused += sigaction(signal, &action, NULL) != 0;
    CHECK_EQ(refused, 0);
    int wrong = 0;
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++) {
        wrong += sigqueue(getpid(), signal, (union sigval){.sival_int = signal * 3}) != 0;
        wrong += count[signal] != 1 || value[signal] != signal * 3 || code[signal] != SI_QUEUE;
        wrong += raise(signal) != 0 || count[signal] != 2 || code[signal] != SI_TKILL;
        wrong += kill(getpid(), signal) != 0 || count[signal] != 3 || code[signal] != SI_USER;
        sigset_t one, before;
        sigemptyset(&one);
        sigaddset(&one, signal);
        sigprocmask(SIG_BLOCK, &one, &before);
        for (int i = 0; i < 5; i++)
            wrong += sigqueue(getpid(), signal, (union sigval){.sival_int = i}) != 0;
        wrong += count[signal] != 3;
        sigprocmask(SIG_SETMASK, &before, NULL);
        wrong += count[signal] != 8 || value[signal] != 4;
        if (wrong)
            NOTE("first wrong with signal %d", signal);
        if (wrong)
            break;
    }
    CHECK_EQ(wrong, 0);

    // From a child, which waits for the answer.
    int signal = 50;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    count[signal] = 0;
    CHECK_OK(sigprocmask(SIG_BLOCK, &one, NULL));
    pid_t child = fork();
    if (child == 0) {
        siginfo_t info;
        bool got = sigwaitinfo(&one, &info) == signal && info.si_value.sival_int == 11 && info.si_pid == getppid();
        for (int i = 0; got && i < 40; i++)
            sigqueue(getppid(), signal, (union sigval){.sival_int = i});
        _exit(got ? 0 : 1);
    }
    CHECK_OK(sigqueue(child, signal, (union sigval){.sival_int = 11}));
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(count[signal], 0);
    int fd = CHECK_OK(signalfd(-1, &one, SFD_NONBLOCK));
    struct signalfd_siginfo info;
    int in_order = 0;
    for (int i = 0; i < 20; i++)
        in_order += read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == 50 && info.ssi_int == i;
    CHECK_EQ(in_order, 20);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &one, NULL));
    CHECK(count[signal] == 20 && value[signal] == 39);

    // By a timer, to the group, by default and ignored.
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal, .sigev_value.sival_int = 77};
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    // Again and again: the first may come before the sleep.
    CHECK_OK(timer_settime(timer, 0, &(struct itimerspec){{0, 1000000}, {0, 1000000}}, NULL));
    CHECK_ERR(nanosleep(&(struct timespec){1000, 0}, NULL), EINTR);
    CHECK(count[signal] >= 21 && value[signal] == 77 && code[signal] == SI_TIMER);
    CHECK_OK(timer_delete(timer));
    count[signal] = 0;
    CHECK_OK(setpgid(0, 0));
    CHECK_OK(kill(0, signal));
    CHECK_EQ(count[signal], 1);
    CHECK_OK(fcntl(fd, F_GETFD));
    action.sa_handler = SIG_IGN;
    CHECK_OK(sigaction(signal, &action, NULL));
    CHECK_OK(raise(signal));
    child = fork();
    if (child == 0) {
        signal = 50;
        action.sa_handler = SIG_DFL;
        sigaction(signal, &action, NULL);
        for (;;)
            pause();
    }
    // It dies once it no longer ignores it.
    while (waitpid(child, &status, WNOHANG) == 0) {
        kill(child, signal);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == 50);
    return CHECK_DONE();
}
