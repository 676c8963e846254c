// sigaction(2), sigaltstack(2): asking and setting dispositions without a handler; ignored signals do
// nothing.
#include "check.h"

#include <signal.h>
#include <sys/syscall.h>

struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
};

int main(void) {
    struct sigaction old;
    for (int s = 1; s <= 31; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    CHECK_OK(sigaction(SIGTERM, NULL, &old));
    CHECK_EQ(old.sa_handler, SIG_DFL);
    CHECK_EQ(signal(SIGTERM, SIG_IGN), SIG_DFL);
    CHECK_EQ(signal(SIGTERM, SIG_IGN), SIG_IGN);
    CHECK_OK(raise(SIGTERM));
    CHECK_OK(kill(getpid(), SIGTERM));

    // By default these are not noticed.
    CHECK_OK(raise(SIGCHLD));
    CHECK_OK(raise(SIGURG));
    CHECK_OK(raise(SIGWINCH));
    CHECK_OK(raise(SIGCONT));

    struct kernel_sigaction set = {SIG_IGN, SA_RESTART | SA_NODEFER, NULL, ~0ul}, back;
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, &set, NULL, 8L));
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 8L));
    CHECK_EQ(back.handler, SIG_IGN);
    CHECK_EQ(back.flags, SA_RESTART | SA_NODEFER);
    CHECK_EQ(back.mask, ~((1ul << (SIGKILL - 1)) | (1ul << (SIGSTOP - 1))));
    // The old action is that from before, even when both are one buffer.
    set.handler = SIG_DFL;
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, &set, &set, 8L));
    CHECK_EQ(set.handler, SIG_IGN);
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 8L));
    CHECK_EQ(back.handler, SIG_DFL);

    CHECK_ERR(syscall(SYS_rt_sigaction, SIGKILL, &set, NULL, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGSTOP, &set, NULL, 8L), EINVAL);
    CHECK_OK(syscall(SYS_rt_sigaction, SIGKILL, NULL, &back, 8L));
    CHECK_ERR(syscall(SYS_rt_sigaction, 0, NULL, &back, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, 65, NULL, &back, 8L), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &back, 16L), EINVAL);
    CHECK_OK(syscall(SYS_rt_sigaction, 64, NULL, &back, 8L));
    CHECK_OK(syscall(SYS_rt_sigaction, 32, NULL, &back, 8L));

    stack_t stack = {.ss_sp = NULL, .ss_size = 1, .ss_flags = 77}, previous;
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = 0;
    CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
    static char room[65536];
    stack = (stack_t){.ss_sp = room, .ss_size = sizeof room};
    CHECK_OK(sigaltstack(&stack, &previous));
    CHECK_EQ(previous.ss_flags, SS_DISABLE);
    CHECK_OK(sigaltstack(NULL, &previous));
    CHECK(previous.ss_sp == room && previous.ss_size == sizeof room && previous.ss_flags == 0);
    return CHECK_DONE();
}
