// A software interrupt without a gate for programs is SIGSEGV. Intel SDM volume 3, 6.12.1.2.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("int $0x81"));
}
