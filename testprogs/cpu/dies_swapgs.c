// swapgs needs privilege: SIGSEGV. Intel SDM volume 2, SWAPGS.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("swapgs"));
}
