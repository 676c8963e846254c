// A byte that is no instruction in 64-bit mode is SIGILL. Intel SDM volume 2, appendix A.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGILL, __asm__ volatile(".byte 0x06"));
}
