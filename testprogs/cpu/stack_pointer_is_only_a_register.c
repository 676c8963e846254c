// The kernel never uses the program's stack unasked: system calls and page faults work with any
// value in rsp, and leave the red zone alone. System V ABI for x86-64, 3.2.2.
#include "cpu/cpu.h"

// With `stack` in rsp: stores `value` to `*fresh`, a page not yet touched, and asks for the pid.
static long with_stack_pointer(uint64_t stack, uint64_t *fresh, uint64_t value) {
    long result = SYS_getpid;
    uint64_t own, changed;
    __asm__ volatile("mov %%rsp, %[own]\n"
                     "mov %[stack], %%rsp\n"
                     "mov %[value], (%[fresh])\n"
                     "syscall\n"
                     "mov %%rsp, %[changed]\n"
                     "mov %[own], %%rsp\n"
                     : [own] "=&r"(own), [changed] "=&r"(changed), "+a"(result)
                     : [stack] "r"(stack), [fresh] "r"(fresh), [value] "r"(value)
                     : "rcx", "r11", "memory");
    return changed == stack ? result : -1;
}

// Writes the red zone, makes two system calls and touches a page. The number of words changed.
uint64_t red_zone_changes(uint64_t *fresh);

__asm__(".text\n"
        "red_zone_changes:\n"
        "xor %edx, %edx\n"
        "mov $-128, %r8\n"
        "1: mov %r8, (%rsp,%r8)\n"
        "add $8, %r8\n"
        "jnz 1b\n"
        "mov $39, %eax\n" // getpid
        "syscall\n"
        "mov %rax, (%rdi)\n"
        "mov $1000, %eax\n" // there is none
        "syscall\n"
        "mov $-128, %r8\n"
        "2: cmp %r8, (%rsp,%r8)\n"
        "je 3f\n"
        "inc %rdx\n"
        "3: add $8, %r8\n"
        "jnz 2b\n"
        "mov %rdx, %rax\n"
        "ret\n");

int main(void) {
    uint64_t *fresh = (uint64_t *)map_pages(200, PROT_READ | PROT_WRITE);
    size_t words = PAGE / sizeof *fresh;
    CHECK_EQ(with_stack_pointer(0, fresh, 1), getpid());
    CHECK_EQ(with_stack_pointer(8, fresh + words, 2), getpid());
    CHECK_EQ(with_stack_pointer(0x8000000000000000, fresh + 2 * words, 3), getpid());
    CHECK_EQ(with_stack_pointer(-1ul, fresh + 3 * words, 4), getpid());
    CHECK_EQ(with_stack_pointer((uintptr_t)main, fresh + 4 * words, 5), getpid());
    for (uint64_t i = 0; i < 5; i++)
        CHECK_EQ(fresh[i * words], i + 1);

    uint64_t changes = 0;
    for (size_t page = 10; page < 200; page++)
        changes += red_zone_changes(fresh + page * words);
    CHECK_EQ(changes, 0);
    CHECK_EQ(fresh[199 * words], getpid());
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
