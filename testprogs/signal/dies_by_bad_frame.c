// rt_sigreturn(2) with a frame that is not there is SIGSEGV.
#include "check.h"
#include "signals.h"

int main(void) {
    CHECK_EQ(mask_now(), 0);
    set_mask(bit(SIGUSR1));
    CHECK_EQ(mask_now(), bit(SIGUSR1));
    CHECK_EQ(getpid(), gettid());
    struct sigaction action;
    CHECK_OK(sigaction(SIGSEGV, NULL, &action));
    CHECK_EQ(action.sa_handler, SIG_DFL);
    CHECK_DEATH(SIGSEGV, __asm__ volatile("mov %0, %%rsp; mov %1, %%eax; syscall" ::"r"(16l), "i"(SYS_rt_sigreturn)));
}
