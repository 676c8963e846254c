// An x87 exception that the control word does not mask is SIGFPE at the next x87 instruction. Intel
// SDM volume 1, 8.7.
#include "cpu/cpu.h"

static uint16_t status_word(void) {
    uint16_t word;
    __asm__ volatile("fnstsw %0" : "=a"(word));
    return word;
}

// Computes 1/0, leaves nothing on the stack, and does not wait.
static void divide_by_zero(uint16_t control) {
    __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fnop; fstp %%st"
                     : : "m"(control) : "st", "st(1)");
}

int main(void) {
    CHECK_EQ(status_word(), 0);
    divide_by_zero(0x37f);
    CHECK(status_word() & 4);
    CHECK(!(status_word() & 0x80));
    __asm__ volatile("fnclex");
    CHECK_EQ(status_word() & 0xff, 0);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    CHECK_DEATH(SIGFPE, divide_by_zero(0x37b));
}
