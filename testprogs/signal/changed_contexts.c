// What a handler writes to its context is what the interrupted code finds: registers, flags, SSE and AVX state.
#include "check.h"
#include "signals.h"

#include <immintrin.h>

static volatile int what;
static volatile unsigned magic1, size, extended_size, magic2;
static volatile unsigned long features, present, uc_flags, segments;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    unsigned char *fp = (unsigned char *)uc->uc_mcontext.fpregs;
    uc_flags = uc->uc_flags;
    segments = (unsigned long)regs[REG_CSGSFS];
    if (uc_flags & 1) {
        magic1 = *(unsigned *)(fp + 464);
        extended_size = *(unsigned *)(fp + 468);
        features = *(unsigned long *)(fp + 472);
        size = *(unsigned *)(fp + 480);
        present = *(unsigned long *)(fp + 512);
        magic2 = *(unsigned *)(fp + size);
    }
    if (what == 1) {
        regs[REG_RBX] = 0x1111;
        regs[REG_R15] = 0x2222;
        regs[REG_RIP] += 2;
        regs[REG_EFL] |= 1;
    } else if (what == 2) {
        memset(&uc->uc_mcontext.fpregs->_xmm[0], 0x77, sizeof uc->uc_mcontext.fpregs->_xmm[0]);
        uc->uc_mcontext.fpregs->mxcsr = 0x1fa0;
    } else if (what == 3) {
        memset(fp + 576, 0x66, 16);
        *(unsigned long *)(fp + 512) |= 4;
    } else if (what == 4) {
        // No state at all: as in a new program.
        uc->uc_mcontext.fpregs = NULL;
    }
}

__attribute__((target("avx"))) static bool high_half_changed(void) {
    unsigned char out[32];
    what = 3;
    __asm__ volatile("vzeroall; mov %1, %%rdi; mov %2, %%esi; mov %3, %%eax; syscall; vmovups %%ymm0, %0"
                     : "=m"(out)
                     : "r"((long)getpid()), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm0", "memory");
    return out[16] == 0x66 && out[31] == 0x66 && out[0] == 0;
}

int main(void) {
    CHECK_OK(install(SIGUSR1, handler, 0));
    CHECK_OK(install(SIGILL, handler, 0));
    unsigned long rbx = 5, r15 = 0, carry = 0;
    what = 1;
    __asm__ volatile("clc; ud2; setc %b1; mov %%r15, %2" : "+b"(rbx), "+a"(carry), "=&r"(r15)::"r15", "cc", "memory");
    CHECK(rbx == 0x1111 && r15 == 0x2222 && carry == 1);
    CHECK_EQ(segments, 0x2b000000000033);
    CHECK_EQ(uc_flags & 6, 6);
    if (uc_flags & 1) {
        CHECK_EQ(magic1, 0x46505853);
        CHECK_EQ(magic2, 0x46505845);
        CHECK(extended_size == size + 4 && size >= 576);
        CHECK((features & 3) == 3 && (present & 3) == 3 && (present & ~features) == 0);
    }

    what = 2;
    unsigned char out[16] = {0};
    __asm__ volatile("pxor %%xmm0, %%xmm0; mov %1, %%rdi; mov %2, %%esi; mov %3, %%eax; syscall; movups %%xmm0, %0"
                     : "=m"(out)
                     : "r"((long)getpid()), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm0", "memory");
    CHECK(out[0] == 0x77 && out[15] == 0x77);
    CHECK_EQ(_mm_getcsr(), 0x1fa0);
    what = 4;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; mov %1, %%rdi; mov %2, %%esi; mov %3, %%eax; syscall; movups %%xmm0, %0"
                     : "=m"(out)
                     : "r"((long)getpid()), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm0", "memory");
    CHECK(out[0] == 0 && out[15] == 0);
    CHECK_EQ(_mm_getcsr(), 0x1f80);
    CHECK(!__builtin_cpu_supports("avx") || high_half_changed());
    return CHECK_DONE();
}
