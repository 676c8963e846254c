// rt_sigreturn(2) restores every register: general, flags, x87, SSE, AVX and AVX-512, though the handler uses them all.
#include "check.h"
#include "signals.h"

#include <immintrin.h>

struct state {
    unsigned long general[15], flags;
    unsigned char vectors[32][64] __attribute__((aligned(64)));
    unsigned long masks[8];
    unsigned mxcsr;
    unsigned short x87_control;
    long double x87[4];
};

static volatile int count;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    count++;
    // The handler starts with fresh state and wears it out.
    _mm_setcsr(0x3f80);
    __asm__ volatile("fninit; fldpi; fldl2e; fldlg2; fldln2; fld1; fldz");
    __asm__ volatile("xor %%eax, %%eax\n"
                     "cpuid" ::
                         : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                           "r14", "r15", "memory", "cc");
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm1, %%xmm1\n pcmpeqd %%xmm7, %%xmm7\n"
                     "pcmpeqd %%xmm15, %%xmm15" ::
                         : "xmm0", "xmm1", "xmm7", "xmm15");
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroall");
    if (__builtin_cpu_supports("avx512f"))
        __asm__ volatile("vpxorq %zmm16, %zmm16, %zmm16\n vpxorq %zmm31, %zmm31, %zmm31\n kxorw %k1, %k1, %k1");
}

// Loads `in`, executes ud2 or a kill of oneself, and stores `out`.
#define REGISTERS "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"

static long kill_self(void) {
    long result = SYS_kill;
    unsigned long rbx = 0x0b0b0b0b0b0b0b0b, rdx = 0x0d0d0d0d0d0d0d0d, rsi = SIGUSR1;
    unsigned long pid = (unsigned long)getpid(), rdi = pid;
    register unsigned long r8 __asm__("r8") = 0x0808080808080808, r9 __asm__("r9") = 0x0909090909090909;
    register unsigned long r10 __asm__("r10") = 0x1010101010101010, r12 __asm__("r12") = 0x1212121212121212;
    register unsigned long r13 __asm__("r13") = 0x1313131313131313, r14 __asm__("r14") = 0x1414141414141414;
    register unsigned long r15 __asm__("r15") = 0x1515151515151515;
    __asm__ volatile("syscall"
                     : "+a"(result), "+b"(rbx), "+d"(rdx), "+D"(rdi), "+S"(rsi), "+r"(r8), "+r"(r9), "+r"(r10),
                       "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     :
                     : "rcx", "r11", "memory", "cc");
    return result != 0 || rbx != 0x0b0b0b0b0b0b0b0b || rdx != 0x0d0d0d0d0d0d0d0d || rdi != pid ||
           rsi != SIGUSR1 || r8 != 0x0808080808080808 || r9 != 0x0909090909090909 || r10 != 0x1010101010101010 ||
           r12 != 0x1212121212121212 || r13 != 0x1313131313131313 || r14 != 0x1414141414141414 ||
           r15 != 0x1515151515151515;
}

static int sse_differs(void) {
    unsigned char in[16][16] __attribute__((aligned(16))), out[16][16] __attribute__((aligned(16)));
    for (int i = 0; i < 256; i++)
        in[i / 16][i % 16] = (unsigned char)(i * 7 + 3);
    long pid = getpid();
    __asm__ volatile(
        "movaps (%0), %%xmm0; movaps 16(%0), %%xmm1; movaps 32(%0), %%xmm2; movaps 112(%0), %%xmm7; movaps 240(%0), %%xmm15\n"
        "mov %2, %%rdi; mov %3, %%esi; mov %4, %%eax; syscall\n"
        "movaps %%xmm0, (%1); movaps %%xmm1, 16(%1); movaps %%xmm2, 32(%1); movaps %%xmm7, 112(%1); movaps %%xmm15, 240(%1)"
        ::"r"(in), "r"(out), "r"(pid), "i"(SIGUSR1), "i"(SYS_kill)
        : "rax", "rcx", "r11", "rdi", "rsi", "xmm0", "xmm1", "xmm2", "xmm7", "xmm15", "memory");
    static const int used[] = {0, 1, 2, 7, 15};
    int differs = 0;
    for (int i = 0; i < 5; i++)
        differs += memcmp(in[used[i]], out[used[i]], 16) != 0;
    return differs;
}

__attribute__((target("avx"))) static int avx_differs(void) {
    unsigned char in[2][32] __attribute__((aligned(32))), out[2][32] __attribute__((aligned(32)));
    memset(in[0], 0xa5, 32);
    memset(in[1], 0x3c, 32);
    long pid = getpid();
    __asm__ volatile("vmovaps (%0), %%ymm3; vmovaps 32(%0), %%ymm12\n"
                     "mov %2, %%rdi; mov %3, %%esi; mov %4, %%eax; syscall\n"
                     "vmovaps %%ymm3, (%1); vmovaps %%ymm12, 32(%1)" ::"r"(in),
                     "r"(out), "r"(pid), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm3", "xmm12", "memory");
    return memcmp(in, out, sizeof in) != 0;
}

__attribute__((target("avx512f"))) static int avx512_differs(void) {
    unsigned char in[3][64] __attribute__((aligned(64))), out[3][64] __attribute__((aligned(64)));
    for (int i = 0; i < 192; i++)
        in[i / 64][i % 64] = (unsigned char)(i * 5 + 1);
    long pid = getpid(), mask = 0;
    __asm__ volatile("vmovaps (%1), %%zmm5; vmovaps 64(%1), %%zmm16; vmovaps 128(%1), %%zmm31\n"
                     "mov $0x5a5a, %%eax; kmovw %%eax, %%k1\n"
                     "mov %3, %%rdi; mov %4, %%esi; mov %5, %%eax; syscall\n"
                     "vmovaps %%zmm5, (%2); vmovaps %%zmm16, 64(%2); vmovaps %%zmm31, 128(%2)\n"
                     "kmovw %%k1, %%eax; mov %%rax, %0"
                     : "=&r"(mask)
                     : "r"(in), "r"(out), "r"(pid), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm5", "xmm16", "xmm31", "k1", "memory");
    return memcmp(in, out, sizeof in) != 0 || mask != 0x5a5a;
}

static int x87_differs(void) {
    unsigned short word = 0x27f, after = 0;
    double a = 1.25, b = -7.5, x = 0, y = 0;
    long pid = getpid();
    __asm__ volatile("fldcw %0; fldl %4; fldl %5" ::"m"(word), "m"(word), "m"(word), "m"(word), "m"(a), "m"(b));
    __asm__ volatile("syscall" ::"a"(SYS_kill), "D"(pid), "S"(SIGUSR1) : "rcx", "r11", "memory");
    __asm__ volatile("fstpl %0; fstpl %1; fnstcw %2" : "=m"(y), "=m"(x), "=m"(after));
    word = 0x37f;
    __asm__ volatile("fldcw %0" ::"m"(word));
    return x != a || y != b || after != 0x27f;
}

int main(void) {
    CHECK_OK(install(SIGUSR1, handler, 0));
    CHECK_EQ(kill_self(), 0);
    CHECK_EQ(sse_differs(), 0);
    CHECK_EQ(x87_differs(), 0);
    _mm_setcsr(0x9fc0);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(_mm_getcsr(), 0x9fc0);
    _mm_setcsr(0x1f80);
    CHECK_EQ(__builtin_cpu_supports("avx") ? avx_differs() : 0, 0);
    CHECK_EQ(__builtin_cpu_supports("avx512f") ? avx512_differs() : 0, 0);
    CHECK(count >= 4);
    return CHECK_DONE();
}
