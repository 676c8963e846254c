// SIGTRAP and SIGILL: int3, single steps, undefined instructions; a handler that steps over them.
#include "check.h"
#include "signals.h"

static volatile int code, count, vector, skip, steps;
static volatile long offset, addr_offset;

extern char at_int3[], at_ud2[];

static char *base;

static void handler(int signal, siginfo_t *info, void *context) {
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal;
    count++;
    code = info->si_code;
    vector = (int)regs[REG_TRAPNO];
    offset = regs[REG_RIP] - (long)base;
    addr_offset = (char *)info->si_addr - base;
    regs[REG_RIP] += skip;
}

static volatile unsigned long inside_flags;
static void step(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    unsigned long flags;
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    inside_flags |= flags;
    code = info->si_code;
    steps++;
}

int main(void) {
    CHECK_OK(install(SIGTRAP, handler, 0));
    CHECK_OK(install(SIGILL, handler, 0));
    base = at_int3;
    __asm__ volatile("at_int3: int3");
    CHECK(count == 1 && code == SI_KERNEL && vector == 3 && offset == 1);
    base = at_ud2;
    skip = 2;
    __asm__ volatile("at_ud2: ud2");
    CHECK(count == 2 && code == ILL_ILLOPN && vector == 6 && offset == 0 && addr_offset == 0);

    // TF traps after each instruction that follows the one that sets it; the handler itself is not stepped.
    CHECK_OK(install(SIGTRAP, step, 0));
    __asm__ volatile("sub $128, %%rsp\n"
                     "pushf\n"
                     "orl $0x100, (%%rsp)\n"
                     "popf\n"
                     "nop\n"
                     "nop\n"
                     "nop\n"
                     "pushf\n"
                     "andl $~0x100, (%%rsp)\n"
                     "popf\n"
                     "add $128, %%rsp" ::
                         : "memory", "cc");
    CHECK_EQ(steps, 6);
    CHECK_EQ(code, TRAP_TRACE);
    CHECK_EQ(inside_flags & 0x100, 0);
    unsigned long flags;
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    CHECK_EQ(flags & 0x100, 0);
    // Through a system call, too.
    steps = 0;
    long result = SYS_getpid;
    __asm__ volatile("sub $128, %%rsp\n"
                     "pushf\n"
                     "orl $0x100, (%%rsp)\n"
                     "popf\n"
                     "syscall\n"
                     "nop\n"
                     "pushf\n"
                     "andl $~0x100, (%%rsp)\n"
                     "popf\n"
                     "add $128, %%rsp"
                     : "+a"(result)::"memory", "cc", "rcx", "r11");
    CHECK_EQ(result, getpid());
    CHECK_EQ(steps, 4);
    return CHECK_DONE();
}
