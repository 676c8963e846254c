// out needs IOPL or a permission bitmap: SIGSEGV, whatever the port. ioperm(2).
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("out %%eax, %%dx" : : "a"(0), "d"(0x510)));
}
