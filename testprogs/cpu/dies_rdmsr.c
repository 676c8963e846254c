// rdmsr needs privilege: SIGSEGV. Intel SDM volume 2, RDMSR.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("rdmsr" : : "c"(0xc0000082) : "eax", "edx"));
}
