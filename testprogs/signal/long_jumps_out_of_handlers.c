// siglongjmp(3) out of handlers, many times: the mask is back, the alternate stack is free, nothing is left over.
#include "check.h"
#include "signals.h"

static sigjmp_buf back;
static char room[32768];
static volatile int count, blocked;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    count++;
    blocked += (mask_now() & bit(signal)) != 0;
    siglongjmp(back, signal);
}

int main(void) {
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room}, now;
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGUSR1, handler, SA_ONSTACK));
    CHECK_OK(install(SIGSEGV, handler, SA_ONSTACK));
    CHECK_OK(install(SIGFPE, handler, 0));
    volatile int bad = 0;
    for (volatile int i = 0; i < 3000; i++) {
        static const int signals[] = {SIGUSR1, SIGSEGV, SIGFPE};
        int expected = signals[i % 3], got = sigsetjmp(back, 1);
        if (got == 0) {
            if (expected == SIGUSR1)
                raise(SIGUSR1);
            else if (expected == SIGSEGV)
                *(volatile int *)8 = 1;
            else
                __asm__ volatile("xor %%eax, %%eax; div %%eax" ::: "eax", "edx");
        }
        bad += got != expected || mask_now() != 0;
    }
    CHECK_EQ(bad, 0);
    CHECK_EQ(count, 3000);
    CHECK_EQ(blocked, 3000);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK_EQ(now.ss_flags, 0);
    // Without saving the mask, the signal stays blocked.
    if (sigsetjmp(back, 0) == 0)
        raise(SIGUSR1);
    CHECK_EQ(mask_now(), bit(SIGUSR1));
    return CHECK_DONE();
}
