// cflags: -nostdlib
// What a program finds at its entry point: zeroed registers, an aligned stack with argc, argv and
// envp, the default floating-point control words. System V ABI for x86-64, 3.4.1.

#include "cpu/check_asm.h"

    .globl _start
    .text
_start:
    mov %rax, registers(%rip)
    mov %rbx, registers + 8(%rip)
    mov %rcx, registers + 16(%rip)
    mov %rdx, registers + 24(%rip)
    mov %rsi, registers + 32(%rip)
    mov %rdi, registers + 40(%rip)
    mov %rbp, registers + 48(%rip)
    mov %r8, registers + 56(%rip)
    mov %r9, registers + 64(%rip)
    mov %r10, registers + 72(%rip)
    mov %r11, registers + 80(%rip)
    mov %r12, registers + 88(%rip)
    mov %r13, registers + 96(%rip)
    mov %r14, registers + 104(%rip)
    mov %r15, registers + 112(%rip)
    mov %rsp, %rbp
    pushfq
    pop %r15

    xor %eax, %eax
    mov $15, %ecx
    lea registers(%rip), %rdi
    repe scasq
    check "all general registers are 0"

    test $15, %rbp
    check "the stack pointer is a multiple of 16"

    cmpq $1, (%rbp)
    check "argc is 1"

    cmpq $0, 16(%rbp)
    check "argv ends with NULL"

    mov 8(%rbp), %rax
    cmpb $0, (%rax)
    setz %al
    cmp $0, %al
    check "argv[0] is not empty"

    cmp $0x202, %r15
    check "flags are 0x202"

    stmxcsr scratch(%rip)
    cmpl $0x1f80, scratch(%rip)
    check "MXCSR is 0x1f80"

    fnstcw scratch(%rip)
    cmpw $0x37f, scratch(%rip)
    check "the x87 control word is 0x37f"

    fnstsw %ax
    cmp $0, %ax
    check "the x87 status word is 0"

    ptest %xmm0, %xmm0
    check "xmm0 is 0"

    ptest %xmm15, %xmm15
    check "xmm15 is 0"

    mov %ds, %eax
    cmp $0, %eax
    check "ds is 0"

    mov %fs, %eax
    cmp $0, %eax
    check "fs is 0"

    mov $158, %eax                  // arch_prctl(ARCH_GET_FS)
    mov $0x1003, %edi
    lea scratch(%rip), %rsi
    syscall
    cmpq $0, scratch(%rip)
    check "the fs base is 0"

    mov $158, %eax                  // arch_prctl, a code that there is not
    mov $0x1234, %edi
    syscall
    cmp $-22, %rax
    check "arch_prctl(0x1234) -> EINVAL"

    check_done

    .bss
    .balign 8
registers:
    .skip 15 * 8
scratch:
    .skip 8
