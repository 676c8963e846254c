// A push to a non-canonical stack pointer is a stack fault, not a general protection fault: SIGBUS.
// Intel SDM volume 3, 6.15, vector 12.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGBUS, __asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(0x8000000000000000)));
}
