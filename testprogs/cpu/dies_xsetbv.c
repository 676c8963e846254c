// xsetbv needs privilege: SIGSEGV. Intel SDM volume 2, XSETBV.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("xsetbv" : : "a"(7), "c"(0), "d"(0)));
}
