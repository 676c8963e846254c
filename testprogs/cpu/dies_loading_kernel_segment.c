// The kernel stack segment is not for programs: SIGSEGV. Intel SDM volume 3, 5.7.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("mov %0, %%ss" : : "r"(0x18)));
}
