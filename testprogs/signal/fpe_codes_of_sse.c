// sigaction(2): codes of SIGFPE for SSE, with the address of the instruction.
#include "check.h"
#include "signals.h"

#include <xmmintrin.h>

static sigjmp_buf back;
static volatile int code, count, vector;
static volatile bool is_here;

static void handler(int signal, siginfo_t *info, void *context) {
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    count += signal == SIGFPE;
    code = info->si_code;
    vector = (int)regs[REG_TRAPNO];
    is_here = (long)info->si_addr == regs[REG_RIP];
    siglongjmp(back, 1);
}

static void sse(unsigned unmasked, double a, char op, double b) {
    volatile double x = a, y = b, r;
    if (sigsetjmp(back, 1) != 0)
        return;
    _mm_setcsr(0x1f80 & ~unmasked);
    if (op == '/')
        r = x / y;
    else if (op == '*')
        r = x * y;
    else
        r = x + y;
    (void)r;
    _mm_setcsr(0x1f80);
}

int main(void) {
    CHECK_OK(install(SIGFPE, handler, 0));
    sse(0x80, 0.0, '/', 0.0);
    if (count == 0)
        SKIP("a processor without SSE exceptions");
    CHECK(code == FPE_FLTINV && vector == 19 && is_here);
    CHECK_EQ(_mm_getcsr() & 0x1f80, 0x1f80);
    sse(0x200, 1.0, '/', 0.0);
    CHECK_EQ(code, FPE_FLTDIV);
    sse(0x400, 1e300, '*', 1e300);
    CHECK_EQ(code, FPE_FLTOVF);
    sse(0x800, 1e-300, '*', 1e-300);
    CHECK_EQ(code, FPE_FLTUND);
    sse(0x1000, 1.0, '/', 3.0);
    CHECK_EQ(code, FPE_FLTRES);
    CHECK_EQ(count, 5);
    CHECK_EQ(mask_now(), 0);
    return CHECK_DONE();
}
