// A breakpoint instruction is SIGTRAP. signal(7).
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGTRAP, __asm__ volatile("int3"));
}
