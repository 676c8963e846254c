// Addresses that SSE, AVX, x87 and other instructions may not have: SIGSEGV, or SIGBUS by way of
// the stack segment, and never SIGILL.
#include "check.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;
static volatile int seen, seen_code;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen = signal;
    seen_code = info->si_code;
    siglongjmp(back, 1);
}

#define TRY(what, instruction, address)                                                            \
    do {                                                                                           \
        seen = 0;                                                                                  \
        if (sigsetjmp(back, 1) == 0)                                                               \
            __asm__ volatile(instruction ::"a"(address) : "xmm0", "rcx", "memory");                \
        printf("%s: signal %d code %d\n", what, seen, seen ? seen_code : 0);                       \
    } while (0)

static char bytes[256] __attribute__((aligned(64)));

int main(void) {
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int signals[] = {SIGSEGV, SIGBUS, SIGILL};
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &action, NULL);
    char *odd = bytes + 1;
    void *bad = (void *)(1UL << 60);
    TRY("addps misaligned", "addps (%%rax), %%xmm0", odd);
    TRY("pxor misaligned", "pxor (%%rax), %%xmm0", odd);
    TRY("movups misaligned", "movups (%%rax), %%xmm0", odd);
    TRY("addps non-canonical", "addps (%%rax), %%xmm0", bad);
    TRY("movups non-canonical", "movups (%%rax), %%xmm0", bad);
    TRY("fld non-canonical", "flds (%%rax); fstp %%st(0)", bad);
    TRY("mov non-canonical", "mov (%%rax), %%rcx", bad);
    TRY("movaps through rsp", "mov %%rsp, %%rcx; movabs $0x1000000000000000, %%rsp; movups (%%rsp), "
                              "%%xmm0; mov %%rcx, %%rsp", odd);
    TRY("addps through rsp", "mov %%rsp, %%rcx; movabs $0x1000000000000000, %%rsp; addps (%%rsp), "
                             "%%xmm0; mov %%rcx, %%rsp", odd);
    TRY("pxor through rbp", "mov %%rbp, %%rcx; movabs $0x1000000000000000, %%rbp; pxor 16(%%rbp,%%rax), "
                            "%%xmm0; mov %%rcx, %%rbp", 0L);
    TRY("pxor misaligned through rbp", "mov %%rbp, %%rcx; movabs $0x1000000000000000, %%rbp; "
                                       "pxor 8(%%rbp,%%rax), %%xmm0; mov %%rcx, %%rbp", 0L);
    if (__builtin_cpu_supports("avx2")) {
        TRY("vaddps misaligned", "vaddps (%%rax), %%xmm0, %%xmm0", odd);
        TRY("vmovaps misaligned", "vmovaps (%%rax), %%ymm0", odd);
        TRY("vaddps non-canonical", "vaddps (%%rax), %%xmm0, %%xmm0", bad);
    }
    TRY("ud2", "ud2", bad);
    return 0;
}
