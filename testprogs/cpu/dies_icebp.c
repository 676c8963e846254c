// int1 is a debug exception: SIGTRAP. Intel SDM volume 2, INT1.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGTRAP, __asm__ volatile(".byte 0xf1"));
}
