/* A jump into the middle of an instruction, where there is another one: rdtsc. */
#include <stdint.h>
#include <stdio.h>

uint64_t hidden(void);
__asm__(".text\n"
        "hidden:\n"
        "    xor %eax, %eax\n"
        "    mov %rdi, %rcx\n"
        "    jmp 1f + 1\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdx\n"
        "    add $8, %rcx\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdx\n"
        "    add $8, %rcx\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdx\n"
        "    add $8, %rcx\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdx\n"
        "    add $8, %rcx\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdx\n"
        "    add $8, %rcx\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdx\n"
        "    add $8, %rcx\n"
        "    mov %rdi, %rax\n"
        "1:  mov $0x90c3310f, %eax\n"
        "    ret\n");

int main(void)
{
    printf("%lx\n", hidden());
    return 0;
}
