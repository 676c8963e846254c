// Signals that are blocked and let in again many times, and that come while the program computes and makes no call.
#include "../check.h"
#include "../clean_call.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

// Shared with a child: what it shall do, and whether it has.
static volatile struct {
    int wanted, done;
} *shared;

static volatile int handled, code, sender;
static volatile bool is_blocked_in_handler;
static sigset_t none, usr1, usr2;

static void on_signal(int signal, siginfo_t *info, void *context) {
    ucontext_t *interrupted = context;
    (void)signal;
    handled++;
    code = info->si_code;
    sender = info->si_pid;
    is_blocked_in_handler = sigismember(&interrupted->uc_sigmask, SIGUSR2);
}

static void handle(int signal, void (*function)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO};
    REQUIRE(sigaction(signal, &action, NULL) == 0);
}

static sigset_t set_of(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static bool is_pending(int signal) {
    sigset_t pending;
    REQUIRE(sigpending(&pending) == 0);
    return sigismember(&pending, signal);
}

static void answer_some(void) {
    for (int i = 0; i < 8; i++) {
        sigset_t old;
        REQUIRE(sigprocmask(SIG_BLOCK, &usr1, &old) == 0 && !sigismember(&old, SIGUSR1));
        REQUIRE(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR1));
        REQUIRE(sigprocmask(SIG_SETMASK, &none, &old) == 0 && sigismember(&old, SIGUSR1));
    }
}

static void helper(pid_t parent) {
    REQUIRE(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent);
    for (int last = 0;;) {
        while (shared->wanted == last) {
        }
        last = shared->wanted;
        switch (last % 10) {
        case 1: // twice, which merges
            kill(parent, SIGUSR1);
            usleep(2000);
            kill(parent, SIGUSR1);
            break;
        case 2:
            syscall(SYS_tgkill, parent, parent, SIGUSR1);
            break;
        case 3:
            kill(parent, SIGTERM);
            break;
        case 4:
            kill(parent, SIGCHLD);
            break;
        case 5:
            kill(parent, SIGUSR1);
            break;
        case 9:
            _exit(0);
        }
        usleep(2000);
        shared->done = last;
    }
}

// Computes until the helper has done it.
static void have(int what) {
    static int count;
    count += 10;
    shared->wanted = count + what;
    while (shared->done != count + what) {
    }
}

static void comes_while_blocked(pid_t child) {
    answer_some();
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    have(1);
    CHECK_EQ(handled, 0);
    CHECK(is_pending(SIGUSR1));
    CHECK_EQ(handled, 0);
    sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    CHECK_EQ(handled, 1);
    CHECK(code == SI_USER && sender == child);

    handled = 0;
    answer_some();
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    have(2);
    CHECK_EQ(handled, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    CHECK(handled == 1 && code == SI_TKILL && sender == child);

    handled = 0;
    answer_some();
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    have(5);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&usr1, &info), SIGUSR1);
    CHECK(info.si_code == SI_USER && info.si_pid == child && handled == 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    CHECK_EQ(handled, 0);
}

// What ends the program, or is ignored, unless it is blocked.
static void has_no_handler(void) {
    sigset_t term = set_of(SIGTERM), chld = set_of(SIGCHLD);
    answer_some();
    sigprocmask(SIG_BLOCK, &term, NULL);
    have(3);
    CHECK(is_pending(SIGTERM));
    CHECK_EQ(sigtimedwait(&term, NULL, &(struct timespec){0}), SIGTERM);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    have(4);
    CHECK(is_pending(SIGCHLD));
    CHECK_EQ(sigtimedwait(&chld, NULL, &(struct timespec){0}), SIGCHLD);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void in_handlers(void) {
    answer_some();
    handled = 0;
    sigprocmask(SIG_BLOCK, &usr2, NULL);
    have(5);
    CHECK(handled == 1 && is_blocked_in_handler);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &usr2, NULL);
    have(5);
    CHECK(handled == 2 && !is_blocked_in_handler);
}

static long raw(long how, const void *set, void *old, size_t len) {
    return syscall(SYS_rt_sigprocmask, how, set, old, len);
}

static void bad_arguments(void) {
    uint64_t set = 1 << (SIGUSR1 - 1), all = ~0UL, old = 7;
    void *nowhere = (void *)8;
    answer_some();
    CHECK_ERR(raw(SIG_BLOCK, &set, &old, 4), EINVAL);
    CHECK_ERR(raw(3, &set, &old, 8), EINVAL);
    CHECK_EQ(raw(3, NULL, &old, 8), 0);
    CHECK_EQ(old, 0);
    CHECK_ERR(raw(SIG_BLOCK, nowhere, &old, 8), EFAULT);
    CHECK_ERR(raw(SIG_BLOCK, &set, nowhere, 8), EFAULT);
    CHECK_EQ(raw(SIG_SETMASK, &set, &old, 8), 0);
    CHECK_EQ(old, set);
    CHECK_EQ(raw(SIG_SETMASK, &set, &set, 8), 0);
    CHECK_EQ(raw(SIG_BLOCK, &all, &old, 8), 0);
    CHECK_EQ(raw(SIG_BLOCK, NULL, &old, 8), 0);
    CHECK_EQ(old, all & ~(1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1)));
    CHECK_EQ(raw(0x100000000L + SIG_UNBLOCK, &all, NULL, 8), 0);
    uint64_t stops = 1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1) | set;
    CHECK_EQ(raw(SIG_BLOCK, &stops, NULL, 8), 0);
    CHECK_EQ(raw(SIG_UNBLOCK, &stops, &old, 8), 0);
    CHECK_EQ(old, set);
}

static void *mask_of_thread(void *mask) {
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, mask) == 0);
    return NULL;
}

static void is_inherited(void) {
    answer_some();
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    pid_t child = CHECK_OK(fork());
    if (child == 0) {
        sigset_t now;
        sigprocmask(SIG_BLOCK, NULL, &now);
        kill(getpid(), SIGUSR1);
        _exit(sigismember(&now, SIGUSR1) && is_pending(SIGUSR1) && handled == 2 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    sigset_t in_thread;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, mask_of_thread, &in_thread), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(sigismember(&in_thread, SIGUSR1));
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static volatile bool is_inside;
static volatile int alarms, wrong;

static void on_alarm(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    alarms++;
    wrong += is_inside;
}

static void storm(void) {
    handle(SIGALRM, on_alarm);
    sigset_t alarm = set_of(SIGALRM), both = alarm;
    sigaddset(&both, SIGUSR1);
    struct itimerval often = {.it_interval.tv_usec = 500, .it_value.tv_usec = 500}, never = {0};
    setitimer(ITIMER_REAL, &often, NULL);
    while (alarms < 300) {
        sigset_t old, again;
        REQUIRE(sigprocmask(SIG_BLOCK, &both, &old) == 0 && !sigismember(&old, SIGALRM));
        is_inside = true;
        for (volatile int i = 0; i < 100; i++) {
        }
        is_inside = false;
        sigset_t *to = alarms % 2 ? &old : &again;
        REQUIRE(raw(SIG_SETMASK, &old, to, 8) == 0 && sigismember(to, SIGALRM) && sigismember(to, SIGUSR1));
    }
    CHECK_EQ(wrong, 0);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t old = 7;
        wrong += !calls_cleanly(i, 0, SYS_rt_sigprocmask, SIG_BLOCK, (long)&both, (long)&old) || old != 0;
        wrong += !calls_cleanly(i, 0, SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&both, (long)&old) || old == 0;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK_EQ(wrong, 0);
}

// Expirations while the signal is blocked are one signal, which counts them.
static void timers(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    answer_some();
    handled = 0;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    answer_some();
    struct itimerspec often = {.it_interval.tv_nsec = 5000000, .it_value.tv_nsec = 5000000}, never = {0};
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    CHECK_OK(timer_settime(timer, 0, &often, NULL));
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < 30000000);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&usr1, &info), SIGUSR1);
    CHECK(info.si_code == SI_TIMER && info.si_overrun >= 3);
    CHECK_OK(timer_settime(timer, 0, &never, NULL));
    CHECK_EQ(handled, 0);
    CHECK_OK(timer_delete(timer));
}

int main(void) {
    sigemptyset(&none);
    usr1 = set_of(SIGUSR1);
    usr2 = set_of(SIGUSR2);
    handle(SIGUSR1, on_signal);
    handle(SIGUSR2, on_signal);
    shared = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pid_t parent = getpid(), child = CHECK_OK(fork());
    if (child == 0) {
        helper(parent);
    }
    comes_while_blocked(child);
    has_no_handler();
    in_handlers();
    bad_arguments();
    is_inherited();
    storm();
    shared->wanted = 9;
    CHECK_EQ(waitpid(child, NULL, 0), child);
    timers();
    return CHECK_DONE();
}
