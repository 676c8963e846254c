// sigaction(2): on x86-64 the kernel starts no handler without SA_RESTORER; SIGSEGV without a handler is the end.
#include "check.h"
#include "signals.h"

static void handler(int signal) {
    (void)signal;
    _exit(9);
}

int main(void) {
    struct kernel_sigaction action = {handler, 0, NULL, 0}, back;
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8L));
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 8L));
    CHECK_EQ(back.handler, handler);
    CHECK_EQ(back.flags, 0);
    CHECK_EQ(mask_now(), 0);
    CHECK_DEATH(SIGSEGV, raise(SIGUSR1));
}
