// Debug registers need privilege: SIGSEGV. Intel SDM volume 2, MOV.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("mov %%db7, %%rax" : : : "rax"));
}
