// iretq cannot raise privilege: SIGSEGV. Intel SDM volume 2, IRET.
#include "cpu/cpu.h"

// To ring 0 at main, with the stack and the flags as they are.
static void return_to_ring_0(void) {
    __asm__ volatile("mov %%rsp, %%rcx\n"
                     "push $0x18\n"
                     "push %%rcx\n"
                     "push $0x202\n"
                     "push $0x10\n"
                     "lea main(%%rip), %%rcx\n"
                     "push %%rcx\n"
                     "iretq"
                     : : : "rcx");
}

int main(void) {
    check_no_privilege();
    CHECK_DEATH(SIGSEGV, return_to_ring_0());
}
