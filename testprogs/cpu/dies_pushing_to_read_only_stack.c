// A call whose return address cannot be pushed is SIGSEGV: there is no stack for anything else.
// signal(7).
#include "cpu/cpu.h"

int main(void) {
    check_no_privilege();
    char *p = map_pages(1, PROT_READ);
    CHECK_DEATH(SIGSEGV, __asm__ volatile("mov %0, %%rsp; call *%1" : : "r"(p + PAGE), "r"(main)));
}
