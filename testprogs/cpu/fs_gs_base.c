// The fs and gs bases by arch_prctl, and by rdfsbase and wrgsbase where the kernel says so in
// AT_HWCAP2, are the same thing. arch_prctl(2).
#include "cpu/cpu.h"

#include <sys/auxv.h>

static int get_base(int code, uint64_t *base) { return (int)syscall(SYS_arch_prctl, code, base); }
static int set_base(int code, uint64_t base) { return (int)syscall(SYS_arch_prctl, code, base); }

static uint64_t load_gs(uint64_t offset) {
    uint64_t value;
    __asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(offset));
    return value;
}

static uint64_t load_fs(uint64_t offset) {
    uint64_t value;
    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(offset));
    return value;
}

int main(void) {
    uint64_t base = 1, own_fs;
    uint64_t *words = (uint64_t *)map_pages(2, PROT_READ | PROT_WRITE);
    words[0] = 100;
    words[1] = 101;

    CHECK_OK(get_base(ARCH_GET_GS, &base));
    CHECK_EQ(base, 0);
    CHECK_OK(get_base(ARCH_GET_FS, &own_fs));
    CHECK_EQ(load_fs(0), own_fs); // the thread pointer points at itself

    CHECK_OK(set_base(ARCH_SET_GS, (uintptr_t)words));
    CHECK_EQ(load_gs(8), 101);
    words[PAGE / 8] = 102; // a page fault in between
    CHECK_EQ(load_gs(PAGE), 102);
    CHECK_OK(get_base(ARCH_GET_GS, &base));
    CHECK_EQ(base, words);

    // The fs base belongs to the C library: change it, look, and put it back at once.
    uint64_t seen;
    long result = SYS_arch_prctl, result_back;
    __asm__ volatile("syscall\n"
                     "mov %%fs:8, %[seen]\n"
                     "mov %[own], %%rsi\n"
                     "mov %%rax, %[result]\n"
                     "mov $158, %%eax\n"
                     "syscall\n"
                     : "=a"(result_back), [seen] "=&r"(seen), [result] "=&r"(result)
                     : "a"(result), "D"(ARCH_SET_FS), "S"(words), [own] "r"(own_fs)
                     : "rcx", "r11", "memory");
    CHECK_EQ(result, 0);
    CHECK_EQ(result_back, 0);
    CHECK_EQ(seen, 101);
    CHECK_EQ(load_fs(0), own_fs);

    CHECK_ERR(set_base(ARCH_SET_GS, 0xffff800000000000), EPERM);
    CHECK_ERR(set_base(ARCH_SET_FS, 0xffff800000000000), EPERM);
    CHECK_ERR(set_base(ARCH_SET_GS, 0x8000000000000000), EPERM);
    CHECK_ERR(set_base(ARCH_SET_FS, -1ul), EPERM);
    CHECK_ERR(get_base(ARCH_GET_GS, (uint64_t *)8), EFAULT);
    CHECK_ERR(get_base(0x1234, &base), EINVAL);
    CHECK_EQ(load_gs(0), 100);

    if (!(getauxval(AT_HWCAP2) & 2)) {
        NOTE("no FSGSBASE instructions");
        return CHECK_DONE();
    }
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK_EQ(base, words);
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    CHECK_EQ(base, own_fs);
    __asm__ volatile("wrgsbase %0" : : "r"(words + 1));
    CHECK_EQ(load_gs(0), 101);
    CHECK_OK(get_base(ARCH_GET_GS, &base));
    CHECK_EQ(base, words + 1);

    // 64 bits wide, also where no memory can be.
    __asm__ volatile("wrgsbase %0" : : "r"(0xffff800000001000));
    getppid();
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    CHECK_EQ(base, 0xffff800000001000);
    __asm__ volatile("wrgsbase %0" : : "r"(0ul));
    CHECK_OK(get_base(ARCH_GET_GS, &base));
    CHECK_EQ(base, 0);
    return CHECK_DONE();
}
