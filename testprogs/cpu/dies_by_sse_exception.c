// A floating-point exception that MXCSR does not mask is SIGFPE. Intel SDM volume 1, 11.5.
#include "cpu/cpu.h"

#include <setjmp.h>
#include <signal.h>
#include <xmmintrin.h>

static sigjmp_buf back;

static void on_fpe(int signal) {
    (void)signal;
    siglongjmp(back, 1);
}

static void divide_unmasked(void) {
    volatile double zero = 0, one = 1, infinite;
    _mm_setcsr(0x1f80 & ~_MM_MASK_DIV_ZERO);
    infinite = one / zero;
    (void)infinite;
}

static bool can_raise(void) {
    signal(SIGFPE, on_fpe);
    if (sigsetjmp(back, 1) != 0)
        return true;
    divide_unmasked();
    return false;
}

int main(void) {
    volatile double zero = 0, one = 1, infinite = one / zero;
    CHECK(infinite > 1e308);
    CHECK_EQ(_mm_getcsr() & _MM_EXCEPT_MASK, _MM_EXCEPT_DIV_ZERO);
    CHECK(zero / one == 0);
    CHECK_EQ(_mm_getcsr() & _MM_MASK_MASK, _MM_MASK_MASK);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    if (!can_raise())
        SKIP("a processor without SSE exceptions");
    signal(SIGFPE, SIG_DFL);
    CHECK_DEATH(SIGFPE, divide_unmasked());
}
