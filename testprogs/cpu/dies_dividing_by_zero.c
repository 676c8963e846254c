// An integer division by zero is SIGFPE, in every width. signal(7).
#include "cpu/cpu.h"

int main(void) {
    volatile int zero = 0, one = 1, minimum = -0x7fffffff - 1;
    CHECK_EQ(one / 1, 1);
    CHECK_EQ(zero / one, 0);
    CHECK_EQ(-7 / (one + 1), -3);
    CHECK_EQ(-7 % (one + 1), -1);
    CHECK_EQ(minimum / one, minimum);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    CHECK_DEATH(SIGFPE, one = one / zero);
}
