// rt_sigreturn(2) checks what it loads: bad segments, addresses, extended state and flags are SIGSEGV with SI_KERNEL, or
// are put right.
#include "check.h"
#include "signals.h"

static sigjmp_buf back;
static char room[65536];
static volatile int what, segv_count, code;
static volatile unsigned long flags_after, rip_at_fault;

static void damage(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    unsigned char *fp = (unsigned char *)uc->uc_mcontext.fpregs;
    switch (what) {
    case 1:
        regs[REG_RIP] = (greg_t)0x8000000000000000ul;
        break;
    case 2:
        regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~0xffffl) | 0x10;
        break;
    case 4:
        uc->uc_mcontext.fpregs = (void *)64;
        break;
    case 5:
        *(unsigned long *)(fp + 520) = 5;
        break;
    case 6:
        regs[REG_EFL] |= 0x3000 | 1 << 17 | 1 << 19 | 0x8000 | 1;
        break;
    case 7:
        uc->uc_mcontext.fpregs = (void *)((uintptr_t)uc->uc_mcontext.fpregs ^ 1ul << 63);
        break;
    case 8:
        // Without the magic words only the legacy region counts.
        *(unsigned *)(fp + 464) = 0;
        break;
    case 9:
        regs[REG_CSGSFS] = (regs[REG_CSGSFS] & 0xfffffffffffful) | 0x18l << 48;
        break;
    }
}

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal;
    segv_count++;
    code = info->si_code;
    rip_at_fault = (unsigned long)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(back, 1);
}

int main(void) {
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGSEGV, on_segv, SA_ONSTACK));
    CHECK_OK(install(SIGUSR1, damage, 0));
    static const int bad[] = {1, 2, 4, 5, 7, 9};
    for (int i = 0; i < 6; i++) {
        what = bad[i];
        code = -1;
        if (sigsetjmp(back, 1) == 0)
            raise(SIGUSR1);
        NOTE("damage %d", what);
        CHECK_EQ(segv_count, i + 1);
        CHECK_EQ(code, SI_KERNEL);
        CHECK_EQ(mask_now(), 0);
    }
    what = 6;
    unsigned long flags = 0;
    __asm__ volatile("mov %1, %%rdi; mov %2, %%esi; mov %3, %%eax; clc; syscall; pushf; pop %0"
                     : "=r"(flags)
                     : "r"((long)getpid()), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "memory", "cc");
    CHECK_EQ(flags & (0x3000 | 1 << 17 | 1 << 19 | 0x8000 | 0x200 | 1), 0x201);
    what = 8;
    unsigned char out[16] = {0};
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; mov %1, %%rdi; mov %2, %%esi; mov %3, %%eax; syscall; movups %%xmm0, %0"
                     : "=m"(out)
                     : "r"((long)getpid()), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm0", "memory");
    CHECK_EQ(out[3], 255);
    CHECK_EQ(segv_count, 6);
    what = 0;
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(segv_count, 6);
    return CHECK_DONE();
}
