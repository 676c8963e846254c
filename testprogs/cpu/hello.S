// cflags: -nostdlib
// The smallest program: write(2) and exit(2), no library and no stack.

    .globl _start
    .text
_start:
    mov $1, %eax            // write
    mov $1, %edi
    lea text(%rip), %rsi
    mov $text_end - text, %edx
    syscall
    cmp $text_end - text, %rax
    setne %dil
    movzbl %dil, %edi
    mov $60, %eax           // exit
    syscall
    ud2

    .section .rodata
text:
    .ascii "hello\n"
text_end:

    .section .note.GNU-stack, "", @progbits
