// MXCSR, with its rounding mode, its masks and its sticky flags, is the program's own over system
// calls and page faults.
#include "cpu/cpu.h"

#include <xmmintrin.h>

#define CONTROL 0xffc0u
#define FLAGS 0x3fu

// 1/3 in single precision: the last bits tell the rounding mode.
static uint32_t third(void) {
    volatile float one = 1, three = 3, quotient = one / three;
    uint32_t bits;
    memcpy(&bits, (const void *)&quotient, sizeof bits);
    return bits;
}

static uint32_t negative_third(void) {
    volatile float one = -1, three = 3, quotient = one / three;
    uint32_t bits;
    memcpy(&bits, (const void *)&quotient, sizeof bits);
    return bits;
}

int main(void) {
    char *fresh = map_pages(8, PROT_READ | PROT_WRITE);
    unsigned initial = _mm_getcsr();
    CHECK_EQ(initial & CONTROL, 0x1f80);
    CHECK_EQ(third(), 0x3eaaaaab);

    static const struct {
        unsigned mode;
        uint32_t positive, negative;
    } modes[] = {
        {_MM_ROUND_NEAREST, 0x3eaaaaab, 0xbeaaaaab},
        {_MM_ROUND_DOWN, 0x3eaaaaaa, 0xbeaaaaab},
        {_MM_ROUND_UP, 0x3eaaaaab, 0xbeaaaaaa},
        {_MM_ROUND_TOWARD_ZERO, 0x3eaaaaaa, 0xbeaaaaaa},
    };
    for (int i = 0; i < 4; i++) {
        _MM_SET_ROUNDING_MODE(modes[i].mode);
        getppid();
        CHECK_EQ(third(), modes[i].positive);
        fresh[i * PAGE] = 1;
        CHECK_EQ(negative_third(), modes[i].negative);
        CHECK_EQ(_MM_GET_ROUNDING_MODE(), modes[i].mode);
    }

    // Flush to zero, and the flags that stick.
    _mm_setcsr(0x1f80 | _MM_FLUSH_ZERO_ON);
    volatile float tiny = 1e-38f, tenth = 0.1f;
    getppid();
    CHECK(tiny * tenth == 0);
    CHECK(_mm_getcsr() & _MM_EXCEPT_UNDERFLOW);
    _mm_setcsr(0x1f80);
    getppid();
    CHECK(tiny * tenth != 0);

    _mm_setcsr(0x1f80);
    volatile float zero = 0, one = 1, infinite = one / zero;
    fresh[5 * PAGE] = 1;
    CHECK(infinite > 1e38f);
    CHECK_EQ(_mm_getcsr() & FLAGS, _MM_EXCEPT_DIV_ZERO);
    _mm_setcsr(initial);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
