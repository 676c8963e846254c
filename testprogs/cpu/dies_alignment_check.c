// With the alignment check flag an unaligned access is SIGBUS. Intel SDM volume 3, 6.15, vector 17.
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    uint64_t flags = 0x202 | ALIGNMENT_CHECK;
    CHECK_DEATH(SIGBUS, __asm__ volatile("push %0; popfq; movl $1, 1(%%rsp)" : : "r"(flags)));
}
