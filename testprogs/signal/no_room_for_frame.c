// A frame that does not fit: SIGSEGV with SI_KERNEL instead, for which there is an alternate stack; and a handler without
// a restorer cannot be started either.
#include "check.h"
#include "signals.h"

static char room[65536];
static sigjmp_buf back;
static volatile int count, segv_count, code, trap;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    count++;
}

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    segv_count++;
    code = info->si_code;
    siglongjmp(back, 1);
}

int main(void) {
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGSEGV, on_segv, SA_ONSTACK));
    CHECK_OK(install(SIGUSR1, handler, 0));
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("mov %0, %%rsp; mov %1, %%eax; mov %2, %%edi; mov %3, %%esi; syscall; ud2" ::"r"(4096l),
                         "i"(SYS_kill), "r"(getpid()), "i"(SIGUSR1)
                         : "rax", "rdi", "rsi", "rcx", "r11", "memory");
    CHECK_EQ(count, 0);
    CHECK_EQ(segv_count, 1);
    CHECK_EQ(code, SI_KERNEL);
    CHECK_EQ(mask_now(), 0);

    struct kernel_sigaction action = {handler, SA_SIGINFO, NULL, 0};
    CHECK_OK(syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, 8L));
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR2);
    CHECK_EQ(count, 0);
    CHECK_EQ(segv_count, 2);
    CHECK_EQ(code, SI_KERNEL);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(count, 1);

    // An alternate stack that is too small is no stack.
    stack.ss_size = 2048;
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGUSR1, handler, SA_ONSTACK));
    CHECK_OK(install(SIGSEGV, on_segv, 0));
    if (sigsetjmp(back, 1) == 0) {
        // A frame with AVX-512 is larger; without it this fits.
        raise(SIGUSR1);
    }
    CHECK(count + segv_count == 4);
    return CHECK_DONE();
}
