// wrmsr needs privilege: SIGSEGV. Intel SDM volume 2, WRMSR.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("wrmsr" : : "a"(0), "c"(0xc0000082), "d"(0)));
}
