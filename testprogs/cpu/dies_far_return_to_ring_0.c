// A far return cannot raise privilege: SIGSEGV. Intel SDM volume 3, 5.8.6.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("push $0x10; push %0; lretq" : : "r"(main)));
}
