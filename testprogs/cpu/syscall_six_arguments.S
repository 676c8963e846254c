// cflags: -nostdlib
// All six argument registers reach a system call, and errors come back as -4095 to -1 in rax.
// syscall(2).

#include "cpu/check_asm.h"

    .globl _start
    .text
_start:
    mov $319, %eax                  // memfd_create("six", 0)
    lea name(%rip), %rdi
    xor %esi, %esi
    syscall
    mov %rax, %r12
    shr $12, %rax
    check "memfd_create"

    mov $18, %eax                   // pwrite64(fd, "six", 4, 4096)
    mov %r12, %rdi
    lea name(%rip), %rsi
    mov $4, %edx
    mov $4096, %r10d
    syscall
    cmp $4, %rax
    check "pwrite64 with four arguments"

    mov $9, %eax                    // mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 4096)
    xor %edi, %edi
    mov $4096, %esi
    mov $1, %edx
    mov $1, %r10d
    mov %r12, %r8
    mov $4096, %r9d
    syscall
    mov %rax, %r13
    and $4095, %eax
    check "mmap with six arguments"

    mov (%r13), %eax
    cmp name(%rip), %eax
    check "the mapping shows the page at the offset"

    mov $9, %eax                    // mmap, the offset no multiple of a page
    xor %edi, %edi
    mov $4096, %esi
    mov $1, %edx
    mov $1, %r10d
    mov %r12, %r8
    mov $1, %r9d
    syscall
    cmp $-22, %rax
    check "mmap with a bad sixth argument -> EINVAL"

    mov $9, %eax                    // mmap, no such descriptor
    xor %edi, %edi
    mov $4096, %esi
    mov $1, %edx
    mov $1, %r10d
    mov $-1, %r8
    xor %r9d, %r9d
    syscall
    cmp $-9, %rax
    check "mmap with a bad fifth argument -> EBADF"

    mov $9, %eax                    // mmap, no type of mapping
    xor %edi, %edi
    mov $4096, %esi
    mov $1, %edx
    xor %r10d, %r10d
    mov %r12, %r8
    xor %r9d, %r9d
    syscall
    cmp $-22, %rax
    check "mmap with a bad fourth argument -> EINVAL"

    mov $11, %eax                   // munmap
    mov %r13, %rdi
    mov $4096, %esi
    syscall
    test %rax, %rax
    check "munmap"

    check_done

    .section .rodata
name:
    .asciz "six"
