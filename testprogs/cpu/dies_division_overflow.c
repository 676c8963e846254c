// A quotient that does not fit is SIGFPE, like a division by zero. Intel SDM volume 2, DIV.
#include "cpu/cpu.h"

static uint64_t divide(uint64_t high, uint64_t low, uint64_t divisor) {
    uint64_t quotient = low, remainder = high;
    __asm__ volatile("div %2" : "+a"(quotient), "+d"(remainder) : "r"(divisor) : "cc");
    return quotient;
}

int main(void) {
    CHECK_EQ(divide(0, 100, 7), 14);
    CHECK_EQ(divide(1, 0, 2), 0x8000000000000000);
    CHECK_EQ(divide(6, -1ul, 7), -1);
    CHECK_EQ(divide(0, 0, 1), 0);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    CHECK_DEATH(SIGFPE, divide(7, 0, 7));
}
