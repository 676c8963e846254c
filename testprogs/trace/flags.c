// cflags: -mno-red-zone
// What a program sees of the trap flag, which it sets itself: how often it is trapped and where, what it pushes, what system
// calls leave in r11, and what a move to SS puts off. It is the same whether somebody else steps it or not.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define TF 0x100

static volatile int traps;
static uint64_t places[64];
static uint64_t flags[64];

static void on_trap(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    ucontext_t *machine = context;
    if (traps < 64) {
        places[traps] = machine->uc_mcontext.gregs[REG_RIP];
        flags[traps] = (machine->uc_mcontext.gregs[REG_EFL] & ~0x10000) | (uint64_t)info->si_code << 32;
    }
    traps++;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    ucontext_t *machine = context;
    printf("fault with TF %d\n", !!(machine->uc_mcontext.gregs[REG_EFL] & TF));
    machine->uc_mcontext.gregs[REG_RIP] += 3;
}

static void show(const char *name, const char *from)
{
    printf("%s: %d traps", name, traps);
    for (int i = 0; i < traps && i < 64; i++)
        printf(" %ld/%lx", (long)(places[i] - (uint64_t)from), flags[i]);
    printf("\n");
    traps = 0;
}

#define STEPPED(name, code)                                                                                              \
    do {                                                                                                                 \
        const char *from;                                                                                                \
        uint64_t a = 1, b = 2, c = 3;                                                                                    \
        asm volatile("lea 1f(%%rip), %0\n xor %%r8d, %%r8d\n pushf\n orl $0x100, (%%rsp)\n popf\n 1: nop\n" code         \
                     "\n pushf\n andl $~0x100, (%%rsp)\n popf\n nop\n"                                                   \
                     : "=&r"(from), "+a"(a), "+c"(c), "+d"(b)                                                            \
                     :                                                                                                   \
                     : "memory", "cc", "r8", "r9", "r10", "r11", "rsi", "rdi");                                         \
        show(name, from);                                                                                                \
        printf("  rax %lx\n", (unsigned long)a);                                                                         \
    } while (0)

int main(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    uint64_t pushed, r11, after;
    asm volatile("pushf\n pop %0" : "=r"(pushed));
    asm volatile("pushfw\n movzwl (%%rsp), %k0\n add $2, %%rsp" : "=r"(after)::"memory");
    printf("pushed TF %d %d\n", !!(pushed & TF), !!(after & TF));
    asm volatile("mov $39, %%eax\n syscall\n mov %%r11, %0" : "=r"(r11)::"rax", "rcx", "r11", "memory");
    printf("r11 TF %d\n", !!(r11 & TF));
    asm volatile("mov %%ss, %%eax\n mov %%eax, %%ss\n pushf\n pop %0" : "=r"(pushed)::"rax", "memory");
    printf("behind ss TF %d\n", !!(pushed & TF));
    asm volatile("xor %%eax, %%eax\n movb (%%rax), %%al\n nop" ::: "rax", "memory");
    STEPPED("plain", "nop\n mov $7, %%eax\n");
    STEPPED("pushes", "pushf\n pop %%rax\n");
    STEPPED("calls", "mov $102, %%eax\n syscall\n mov %%r11, %%rax\n");
    STEPPED("repeats", "lea -128(%%rsp), %%rsi\n mov %%rsi, %%rdi\n mov $3, %%ecx\n rep movsb\n");
    STEPPED("tells", "push %%rbx\n xor %%eax, %%eax\n cpuid\n rdtsc\n pop %%rbx\n mov $9, %%eax\n");
    STEPPED("int3", "int3\n");
    printf("traps of int3 alone: ");
    asm volatile("int3");
    printf("%d\n", traps);
    return 0;
}
