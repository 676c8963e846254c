// rt_sigreturn(2) with reserved bits of MXCSR set is SIGSEGV with SI_KERNEL.
#include "check.h"
#include "signals.h"

#include <immintrin.h>

static sigjmp_buf back;
static volatile unsigned mxcsr;
static volatile int segv_count, code;

static void change(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr = mxcsr;
}

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    segv_count++;
    code = info->si_code;
    siglongjmp(back, 1);
}

static void load_bad_mxcsr(void) {
    static _Alignas(16) struct _libc_fpstate state;
    __asm__ volatile("fxsave64 %0" : "=m"(state));
    state.mxcsr = 0xffff0000;
    __asm__ volatile("fxrstor64 %0" : : "m"(state));
}

int main(void) {
    CHECK_OK(install(SIGSEGV, on_segv, 0));
    if (sigsetjmp(back, 1) == 0)
        load_bad_mxcsr();
    if (segv_count == 0)
        SKIP("a processor that takes reserved bits of MXCSR");
    segv_count = 0;
    CHECK_OK(install(SIGUSR1, change, 0));
    mxcsr = 0xffff0000;
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR1);
    CHECK(segv_count == 1 && code == SI_KERNEL);
    CHECK_EQ(mask_now(), 0);
    mxcsr = 0x7f80;
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR1);
    CHECK_EQ(segv_count, 1);
    CHECK_EQ(_mm_getcsr(), 0x7f80);
    return CHECK_DONE();
}
