// A lock prefix before an instruction without it is SIGILL. Intel SDM volume 2, LOCK.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGILL, __asm__ volatile(".byte 0xf0; nop"));
}
