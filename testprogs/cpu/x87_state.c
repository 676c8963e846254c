// The x87 registers, control word and status word are the program's own over system calls and page
// faults. System V ABI for x86-64, A.2.1.
#include "cpu/cpu.h"

#include <float.h>

// Fills the x87 stack with 1 to 8, makes a system call, touches a page, and takes them off again.
static void stack_of_eight(long double out[8], char *fresh) {
    static const int numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    long result = SYS_getppid;
    __asm__ volatile("fildl (%[in]); fildl 4(%[in]); fildl 8(%[in]); fildl 12(%[in])\n"
                     "fildl 16(%[in]); fildl 20(%[in]); fildl 24(%[in]); fildl 28(%[in])\n"
                     "syscall\n"
                     "movb $1, (%[fresh])\n"
                     "fstpt (%[out]); fstpt 16(%[out]); fstpt 32(%[out]); fstpt 48(%[out])\n"
                     "fstpt 64(%[out]); fstpt 80(%[out]); fstpt 96(%[out]); fstpt 112(%[out])\n"
                     : "+a"(result)
                     : [in] "r"(numbers), [out] "r"(out), [fresh] "r"(fresh)
                     : "rcx", "r11", "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
                       "st(6)", "st(7)");
}

static uint16_t control_word(void) {
    uint16_t word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

static void set_control_word(uint16_t word) {
    __asm__ volatile("fldcw %0" : : "m"(word));
}

static uint16_t status_word(void) {
    uint16_t word;
    __asm__ volatile("fnstsw %0" : "=a"(word));
    return word;
}

int main(void) {
    char *fresh = map_pages(8, PROT_READ | PROT_WRITE);
    CHECK_EQ(control_word(), 0x37f);
    long double values[8];
    stack_of_eight(values, fresh);
    for (int i = 0; i < 8; i++)
        CHECK(values[i] == 8 - i);

    // Extended precision: 2^-63 survives beside 1.
    volatile long double one = 1, sum = one + LDBL_EPSILON;
    getppid();
    fresh[PAGE] = 1;
    CHECK(sum - one == LDBL_EPSILON);

    // Precision and rounding by control word: double precision loses it.
    set_control_word(0x27f);
    getppid();
    CHECK_EQ(control_word(), 0x27f);
    volatile long double rounded = one + LDBL_EPSILON;
    CHECK(rounded == one);
    set_control_word(0xf7f);
    fresh[2 * PAGE] = 1;
    CHECK_EQ(control_word(), 0xf7f);
    set_control_word(0x37f);

    // A masked exception leaves its flag.
    __asm__ volatile("fnclex; fld1; fldz; fdivrp; fstp %%st" : : : "st", "st(1)");
    getppid();
    fresh[3 * PAGE] = 1;
    CHECK(status_word() & 4);
    __asm__ volatile("fnclex");
    CHECK_EQ(status_word() & 0x3f, 0);

    // MMX registers lie in the same place.
    uint64_t in = 0x0123456789abcdef, out;
    long result = SYS_getppid;
    __asm__ volatile("movq %[in], %%mm3\n"
                     "syscall\n"
                     "movq %%mm3, %[out]\n"
                     "emms"
                     : "+a"(result), [out] "=r"(out)
                     : [in] "r"(in)
                     : "rcx", "r11", "mm3");
    CHECK_EQ(out, in);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
