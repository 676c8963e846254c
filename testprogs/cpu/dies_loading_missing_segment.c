// A selector beyond the descriptor table is SIGSEGV. Intel SDM volume 3, 5.6.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("mov %0, %%ds" : : "r"(0x1ff3)));
}
