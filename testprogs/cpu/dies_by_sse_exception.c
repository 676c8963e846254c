// A floating-point exception that MXCSR does not mask is SIGFPE. Intel SDM volume 1, 11.5.
#include "cpu/cpu.h"

#include <xmmintrin.h>

int main(void) {
    volatile double zero = 0, one = 1, infinite = one / zero;
    CHECK(infinite > 1e308);
    CHECK_EQ(_mm_getcsr() & _MM_EXCEPT_MASK, _MM_EXCEPT_DIV_ZERO);
    CHECK(zero / one == 0);
    CHECK_EQ(_mm_getcsr() & _MM_MASK_MASK, _MM_MASK_MASK);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    CHECK_DEATH(SIGFPE, _mm_setcsr(0x1f80 & ~_MM_MASK_DIV_ZERO); infinite = one / zero);
}
