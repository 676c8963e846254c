// in needs IOPL or a permission bitmap: SIGSEGV. ioperm(2).
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("inb $0x80, %%al" : : : "eax"));
}
