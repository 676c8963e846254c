// A handler for SIGSEGV without a stack to run on is no help: the process dies.
#include "check.h"
#include "signals.h"

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    _exit(9);
}

int main(void) {
    CHECK_OK(install(SIGSEGV, handler, 0));
    CHECK_OK(install(SIGUSR1, handler, 0));
    CHECK_OK(install(SIGTERM, handler, SA_ONSTACK));
    CHECK_EQ(mask_now(), 0);
    CHECK_EQ(getpid(), gettid());
    CHECK_DONE();
    __asm__ volatile("mov %0, %%rsp; mov %1, %%eax; mov %2, %%edi; mov %3, %%esi; syscall" ::"r"(4096l), "i"(SYS_kill),
                     "r"(getpid()), "i"(SIGUSR1));
    _exit(8);
}
