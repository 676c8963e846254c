// SIGSEGV and its kin from a process: handlers, masks and waiting work as for other signals, and faults go on working.
#include "check.h"
#include "signals.h"
#include <sys/syscall.h>

static sigjmp_buf back;
static volatile int count, code, jump;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    count++;
    code = info->si_code;
    if (jump)
        siglongjmp(back, 1);
}

static int ends[2];
static volatile int ending;

static void on_timer(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    // What starts again has to end at some time.
    if (++count == ending && write(ends[1], "x", 1) != 1)
        _exit(4);
}

// What a blocking read answers that timers interrupt, the third of them with something to read if it starts again.
static long interrupted_read(int flags) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGSEGV};
    struct itimerspec often = {{0, 5000000}, {0, 5000000}};
    timer_t timer;
    char byte;
    count = 0;
    ending = flags & SA_RESTART ? 3 : -1;
    if (install(SIGSEGV, on_timer, flags) != 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &often, NULL) != 0)
        return -1000;
    long result = read(ends[0], &byte, 1);
    result = result < 0 ? -errno : result;
    timer_delete(timer);
    return result;
}

int main(void) {
    static const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};
    unsigned long all = 0;
    for (int i = 0; i < 5; i++) {
        CHECK_OK(install(signals[i], handler, 0));
        all |= bit(signals[i]);
        count = 0;
        CHECK_OK(kill(getpid(), signals[i]));
        CHECK(count == 1 && code == SI_USER);
        CHECK_OK(raise(signals[i]));
        CHECK(count == 2 && code == SI_TKILL);
        CHECK_OK(sigqueue(getpid(), signals[i], (union sigval){0}));
        CHECK(count == 3 && code == SI_QUEUE);
    }
    // Whatever code is made up.
    siginfo_t made = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};
    CHECK_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &made));
    CHECK(count == 4 && code == SEGV_MAPERR);
    count = 0;
    set_mask(all);
    for (int i = 0; i < 5; i++) {
        kill(getpid(), signals[i]);
        kill(getpid(), signals[i]);
    }
    CHECK_EQ(count, 0);
    set_mask(0);
    CHECK_EQ(count, 5);
    jump = 1;
    if (sigsetjmp(back, 1) == 0)
        *(volatile int *)8 = 1;
    CHECK(count == 6 && code == SEGV_MAPERR);
    jump = 0;
    // A bad pointer is an error of the call, not a fault.
    CHECK_ERR(syscall(SYS_write, 1, 8, 1), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8L, NULL, 8L), EFAULT);
    CHECK_EQ(count, 6);
    CHECK_OK(pipe(ends));
    CHECK_EQ(interrupted_read(0), -EINTR);
    CHECK_EQ(interrupted_read(SA_RESTART), 1);
    return CHECK_DONE();
}
