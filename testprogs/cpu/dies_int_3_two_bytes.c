// int $3 in two bytes is a breakpoint as well: SIGTRAP. Intel SDM volume 2, INT n.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGTRAP, __asm__ volatile(".byte 0xcd, 0x03"));
}
