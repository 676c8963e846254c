// rep outsb needs IOPL or a permission bitmap: SIGSEGV. ioperm(2).
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, __asm__ volatile("rep outsb" : : "c"(4), "d"(0x3f8), "S"("port")));
}
