// sigaction(2): codes of SIGFPE for integer division and x87, with the address of the instruction.
#include "check.h"
#include "signals.h"

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

static void x87(unsigned short unmasked, double a, char op, double b) {
    volatile long double x = a, y = b, r;
    if (sigsetjmp(back, 1) != 0)
        return;
    unsigned short word = 0x37f & ~unmasked;
    __asm__ volatile("fnclex; fldcw %0" ::"m"(word));
    if (op == '/')
        r = x / y;
    else
        r = x * y;
    __asm__ volatile("fwait");
    (void)r;
}

int main(void) {
    CHECK_OK(install(SIGFPE, handler, 0));
    volatile int zero = 0, least = -2147483647 - 1, minus_one = -1;
    if (sigsetjmp(back, 1) == 0)
        zero = 7 / zero;
    CHECK(code == FPE_INTDIV && is_here && vector == 0);
    code = 0;
    if (sigsetjmp(back, 1) == 0)
        zero = least / minus_one;
    CHECK(code == FPE_INTDIV && is_here);
    x87(0x01, 0.0, '/', 0.0);
    CHECK(code == FPE_FLTINV && vector == 16);
    x87(0x04, 1.0, '/', 0.0);
    CHECK_EQ(code, FPE_FLTDIV);
    x87(0x20, 1.0, '/', 3.0);
    CHECK_EQ(code, FPE_FLTRES);
    CHECK_EQ(count, 5);
    __asm__ volatile("fninit");
    CHECK_EQ(mask_now(), 0);
    return CHECK_DONE();
}
