// A page without PROT_EXEC does not execute, even after it did: SIGSEGV. mprotect(2).
#include "mem/mem.h"

int main(void) {
    unsigned char *code = (unsigned char *)map_pages(1, PROT_READ | PROT_WRITE);
    void (*function)(void) = (void (*)(void))code;
    code[0] = 0xc3; // ret
    CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
    function();
    CHECK_STR(rights((char *)code, 1), "r");
    CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_WRITE));
    CHECK_STR(rights((char *)code, 1), "w");
    CHECK_EQ(code[0], 0xc3);
    CHECK_ERR(syscall(SYS_mprotect, code + 1, PAGE, PROT_EXEC), EINVAL);
    CHECK_DEATH(SIGSEGV, function());
}
