// The stack does not execute: SIGSEGV. elf(5), PT_GNU_STACK.
#include "mem/mem.h"

int main(void) {
    volatile unsigned char code[64];
    for (size_t i = 0; i < sizeof code; i++)
        code[i] = 0xc3; // ret
    CHECK_EQ(code[63], 0xc3);
    CHECK(readable((char *)code));
    CHECK(writable((char *)code));
    CHECK_ERR(write(probe_pipe(1), (char *)-8, 8), EFAULT);
    CHECK_ERR(syscall(SYS_mprotect, (uintptr_t)code | 1, PAGE, PROT_EXEC), EINVAL);
    void (*volatile function)(void) = (void (*)(void))code;
    CHECK_DEATH(SIGSEGV, function());
}
