// A jump to a non-canonical address is a general protection fault: SIGSEGV. Such addresses are
// EFAULT for system calls.
#include "mem/mem.h"

int main(void) {
    void *non_canonical = (void *)0x8000000000000000;
    CHECK(!readable(non_canonical));
    CHECK(!readable((char *)0x0100000000000000));
    CHECK(!readable((char *)0xffff800000000000));
    CHECK(!readable((char *)-1));
    CHECK_ERR(open(non_canonical, O_RDONLY), EFAULT);
    CHECK_ERR(munmap(non_canonical, PAGE), EINVAL);
    CHECK_DEATH(SIGSEGV, __asm__ volatile("jmp *%0" : : "r"(non_canonical)));
}
