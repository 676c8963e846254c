// Signals while the stack pointer points nowhere: handlers run on the alternate stack, and what they interrupt goes on in
// user mode with its own stack pointer, in the middle of system calls too.
#include "check.h"
#include "signals.h"

static volatile int ticks;

static void on_alarm(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    ticks++;
}

// Asks for the pid ten times with `stack` in rsp. False if an answer, the stack pointer or the privilege level is wrong.
static bool asks_with(unsigned long stack, long pid) {
    unsigned long own, changed, wrong = 0, count = 10;
    unsigned short level;
    __asm__ volatile("mov %%rsp, %[own]\n"
                     "mov %[stack], %%rsp\n"
                     "1: mov $39, %%eax\n"
                     "syscall\n"
                     "sub %[pid], %%rax\n"
                     "or %%rax, %[wrong]\n"
                     "dec %[count]\n"
                     "jnz 1b\n"
                     "mov %%cs, %[level]\n"
                     "mov %%rsp, %[changed]\n"
                     "mov %[own], %%rsp\n"
                     : [own] "=&r"(own), [changed] "=&r"(changed), [level] "=&r"(level), [wrong] "+r"(wrong),
                       [count] "+r"(count)
                     : [stack] "r"(stack), [pid] "r"(pid)
                     : "rax", "rcx", "r11", "cc", "memory");
    return wrong == 0 && changed == stack && (level & 3) == 3;
}

int main(void) {
    static char stack[1 << 16];
    CHECK_OK(sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL));
    CHECK_OK(install(SIGALRM, on_alarm, SA_ONSTACK | SA_RESTART));
    static const unsigned long wild[] = {1ul << 63, -1ul, 0x800000000000, 0, 0xffffffff80000000};
    long pid = getpid();
    int wrong = 0;
    // One at a time: where a handler takes longer than a period, nothing else would get its turn.
    for (int round = 0; round < 300; round++) {
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 50 + round}, NULL) == 0);
        for (int i = 0; ticks == round; i++)
            wrong += !asks_with(wild[i % 5], pid);
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(ticks, 300);
    return CHECK_DONE();
}
