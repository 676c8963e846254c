// sigaction(2) with handlers: what it keeps and gives back, and its errors in order.
#include "check.h"
#include "signals.h"

static volatile int count;

static void handler(int signal) {
    (void)signal;
    count++;
}

int main(void) {
    struct kernel_sigaction set = {handler, 0xffffffff00000000ul | SA_RESTART | SA_NODEFER | 0x4000000, handler, ~0ul}, back;
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, &set, NULL, 8L));
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 8L));
    CHECK(back.handler == (void *)handler && back.restorer == (void *)handler);
    CHECK_EQ(back.flags, SA_RESTART | SA_NODEFER | 0x4000000);
    CHECK_EQ(back.mask, ~(bit(SIGKILL) | bit(SIGSTOP)));
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGKILL, &set, NULL, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGSTOP, &set, NULL, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, 8L, NULL, 8L), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, 65, 8L, NULL, 8L), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, 65, &set, NULL, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, 8L, NULL, 4L), EINVAL);
    // Done, although the old one cannot be written.
    set.handler = (void *)SIG_IGN;
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, &set, 8L, 8L), EFAULT);
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 8L));
    CHECK_EQ(back.handler, SIG_IGN);
    CHECK_OK(raise(SIGUSR1));
    // A handler for each signal that can have one.
    int bad = 0, can = 0;
    for (int s = 1; s <= 64; s++) {
        if (s == SIGKILL || s == SIGSTOP || s == 32 || s == 33 || s == 50)
            continue;
        bad += signal(s, handler) == SIG_ERR;
        bad += raise(s) != 0;
        can++;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(count, can);
    for (int s = 32; s <= 33; s++) {
        struct sigaction known;
        sigaction(SIGUSR2, NULL, &known);
        bad += syscall(SYS_rt_sigaction, SIGUSR2, NULL, &back, 8L) != 0;
        bad += syscall(SYS_rt_sigaction, s, &back, NULL, 8L) != 0;
        bad += syscall(SYS_tgkill, getpid(), gettid(), s) != 0;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(count, can + 2);
    // To ignore a pending signal is to forget it, to handle it again brings nothing back.
    set_mask(bit(SIGTERM) | bit(SIGILL));
    raise(SIGTERM);
    raise(SIGILL);
    signal(SIGTERM, SIG_IGN);
    signal(SIGILL, SIG_IGN);
    signal(SIGTERM, handler);
    signal(SIGILL, handler);
    count = 0;
    set_mask(0);
    CHECK_EQ(count, 0);
    return CHECK_DONE();
}
