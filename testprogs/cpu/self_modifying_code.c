// Code in a page that is writable and executable may be changed at any time, by itself too; the
// next branch to it runs the new bytes. Intel SDM volume 3, 9.1.3.
#include "cpu/cpu.h"

typedef uint64_t function(uint64_t);

int main(void) {
    // mov $imm32, %eax; ret
    unsigned char *code = (unsigned char *)map_pages(2, PROT_READ | PROT_WRITE | PROT_EXEC);
    int wrong = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        code[0] = 0xb8;
        memcpy(code + 1, &i, sizeof i);
        code[5] = 0xc3;
        wrong += ((function *)code)(0) != i;
    }
    CHECK_EQ(wrong, 0);

    // A function that counts in its own immediate: incl 1f(%rip); mov $0, %eax; ret
    static const unsigned char counter[] = {0xff, 0x05, 0x01, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(code, counter, sizeof counter);
    for (uint32_t i = 1; i <= 500; i++)
        wrong += ((function *)code)(0) != i;
    CHECK_EQ(wrong, 0);

    // An instruction that lies in two pages, changed in either.
    unsigned char *border = code + PAGE - 3;
    static const unsigned char constant[] = {0xb8, 0x11, 0x22, 0x33, 0x44, 0xc3};
    memcpy(border, constant, sizeof constant);
    CHECK_EQ(((function *)border)(0), 0x44332211);
    border[1] = 0x55;
    CHECK_EQ(((function *)border)(0), 0x44332255);
    border[4] = 0x66;
    CHECK_EQ(((function *)border)(0), 0x66332255);

    // A repeated instruction that writes behind itself, beyond its page: mov $200, %ecx; mov $0x90, %al; rep stosb; ret.
    static const unsigned char repeated[] = {0xb9, 200, 0, 0, 0, 0xb0, 0x90, 0xf3, 0xaa, 0xc3};
    memcpy(code, repeated, sizeof repeated);
    code[PAGE + 100] = code[PAGE + 99] = code[PAGE - 101] = 0;
    ((function *)code)((uint64_t)(code + PAGE - 100));
    CHECK_EQ(code[PAGE - 101], 0);
    CHECK_EQ(code[PAGE - 100], 0x90);
    CHECK_EQ(code[PAGE + 99], 0x90);
    CHECK_EQ(code[PAGE + 100], 0);

    // Changed by a system call: lea 1(%rdi), %rax; ret becomes lea 2(%rdi), %rax; ret.
    static const unsigned char increment[] = {0x48, 0x8d, 0x47, 0x01, 0xc3};
    memcpy(code, increment, sizeof increment);
    CHECK_EQ(((function *)code)(41), 42);
    CHECK_EQ(write(probe_pipe(1), "\x02", 1), 1);
    CHECK_EQ(read(probe_pipe(0), code + 3, 1), 1);
    CHECK_EQ(((function *)code)(41), 43);

    CHECK_OK(madvise(code, PAGE, MADV_DONTNEED));
    CHECK_EQ(code[0], 0);
    memcpy(code, increment, sizeof increment);
    CHECK_EQ(((function *)code)(41), 42);
    CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
    CHECK_EQ(write(probe_pipe(1), "\x02", 1), 1);
    CHECK_ERR(read(probe_pipe(0), code + 3, 1), EFAULT);
    CHECK_EQ(((function *)code)(41), 42);
    return CHECK_DONE();
}
