// A syscall instruction in the last two bytes of a page, or over the border of two, returns to the
// next page. So does one that was placed there a moment ago.
#include "cpu/cpu.h"

typedef long function(void);

// mov $number, %eax; syscall; ret, such that the syscall instruction begins at `at`.
static function *emit(unsigned char *at, uint32_t number) {
    at[-5] = 0xb8;
    memcpy(at - 4, &number, sizeof number);
    at[0] = 0x0f;
    at[1] = 0x05;
    at[2] = 0xc3;
    return (function *)(at - 5);
}

int main(void) {
    unsigned char *code = (unsigned char *)map_pages(4, PROT_READ | PROT_WRITE | PROT_EXEC);
    CHECK_EQ(emit(code + PAGE - 2, SYS_getpid)(), getpid());
    CHECK_EQ(emit(code + 2 * PAGE - 1, SYS_getpid)(), getpid());
    CHECK_EQ(emit(code + 3 * PAGE - 3, 1000)(), -ENOSYS);

    // Behind the last byte of the function there is nothing.
    function *last = emit(code + 3 * PAGE - 3, SYS_getppid);
    CHECK_OK(munmap(code + 3 * PAGE, PAGE));
    CHECK_EQ(last(), getppid());

    int wrong = 0;
    for (uint32_t i = 0; i < 200; i++) {
        wrong += emit(code + PAGE - 2, SYS_getpid)() != getpid();
        wrong += emit(code + PAGE - 2, SYS_getppid)() != getppid();
    }
    CHECK_EQ(wrong, 0);
    CHECK_OK(mprotect(code, 3 * PAGE, PROT_READ | PROT_EXEC));
    CHECK_EQ(last(), getppid());
    CHECK_ERR(syscall(SYS_uname, code), EFAULT);
    return CHECK_DONE();
}
