// cflags: -nostartfiles
// System V ABI 3.4.1, execve(2): registers and stack at the first instruction, seen by a _start of our own.
#include "check.h"

#include <elf.h>
#include <sys/syscall.h>

static struct {
    unsigned long rsp, rflags, mxcsr, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r11, r12, r15, fpu;
    unsigned short cs, ss, ds, es, fs, gs;
} entry __asm__("entry") __attribute__((used));

__asm__(".globl _start\n"
        "_start:\n"
        "  mov %rsp, entry(%rip)\n"
        "  mov %rax, entry+24(%rip)\n"
        "  mov %rbx, entry+32(%rip)\n"
        "  mov %rcx, entry+40(%rip)\n"
        "  mov %rdx, entry+48(%rip)\n"
        "  mov %rsi, entry+56(%rip)\n"
        "  mov %rdi, entry+64(%rip)\n"
        "  mov %rbp, entry+72(%rip)\n"
        "  mov %r8, entry+80(%rip)\n"
        "  mov %r11, entry+88(%rip)\n"
        "  mov %r12, entry+96(%rip)\n"
        "  mov %r15, entry+104(%rip)\n"
        "  pushf\n"
        "  pop entry+8(%rip)\n"
        "  stmxcsr entry+16(%rip)\n"
        "  fnstcw entry+112(%rip)\n"
        "  mov %cs, entry+120(%rip)\n"
        "  mov %ss, entry+122(%rip)\n"
        "  mov %ds, entry+124(%rip)\n"
        "  mov %es, entry+126(%rip)\n"
        "  mov %fs, entry+128(%rip)\n"
        "  mov %gs, entry+130(%rip)\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call show\n");

// Nothing of libc is initialised here: system calls only.
static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static int failures;

static void check(bool holds, const char *what) {
    long length = 0;
    while (what[length])
        length++;
    call(SYS_write, 1, (long)(holds ? "ok " : "FAIL "), holds ? 3 : 5);
    call(SYS_write, 1, (long)what, length);
    call(SYS_write, 1, (long)"\n", 1);
    failures += !holds;
}

__attribute__((used, noreturn)) void show(long *stack) {
    check(entry.rsp % 16 == 0, "rsp is a multiple of 16");
    check((entry.rflags & ~0x2ul) == 0x200, "rflags has only the interrupt flag");
    check(entry.mxcsr == 0x1f80, "mxcsr masks all exceptions");
    check((entry.fpu & 0xffff) == 0x37f, "x87 control word is the default");
    check(entry.cs == 0x33 && entry.ss == 0x2b, "user code and stack segments");
    check((entry.ds | entry.es | entry.fs | entry.gs) == 0, "data segments are null");
    check((entry.rax | entry.rbx | entry.rcx | entry.rdx | entry.rsi | entry.rdi) == 0,
          "general registers are zero");
    check((entry.rbp | entry.r8 | entry.r11 | entry.r12 | entry.r15) == 0, "and the others too");
    long argc = *stack, *at = stack + 1 + argc;
    check(argc >= 1 && *at == 0, "argv ends with NULL");
    while (*++at != 0)
        continue;
    Elf64_auxv_t *auxv = (void *)(at + 1);
    bool pagesz = false, random = false;
    for (; auxv->a_type != AT_NULL; auxv++) {
        pagesz |= auxv->a_type == AT_PAGESZ && auxv->a_un.a_val == 4096;
        random |= auxv->a_type == AT_RANDOM;
    }
    check(pagesz && random, "the auxiliary vector follows the environment");
    check(call(SYS_arch_prctl, 0x1003, (long)&entry.rax, 0) == 0 && entry.rax == 0, "fs base is 0");
    check(call(SYS_arch_prctl, 0x1004, (long)&entry.rax, 0) == 0 && entry.rax == 0, "gs base is 0");
    check(call(SYS_arch_prctl, 0x1003, 8, 0) == -EFAULT, "arch_prctl(ARCH_GET_FS, 8) is EFAULT");
    call(SYS_exit_group, failures != 0, 0, 0);
    __builtin_unreachable();
}
