/* Executes an instruction of each kind, and says which the processor has. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

static sigjmp_buf before;
static uint64_t memory[512] __attribute__((aligned(64)));

static void on_sigill(int signal)
{
    (void)signal;
    siglongjmp(before, 1);
}

#define TRY(name, ...)                                             \
    do {                                                           \
        if (sigsetjmp(before, 1) == 0) {                           \
            __asm__ volatile(__VA_ARGS__);                         \
            printf("%s: executed\n", name);                        \
        } else {                                                   \
            printf("%s: SIGILL\n", name);                          \
        }                                                          \
    } while (0)

int main(void)
{
    signal(SIGILL, on_sigill);
    TRY("addpd", "addpd %%xmm0, %%xmm0" ::: "xmm0");
    TRY("rdsspq", ".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" ::: "rax");
    TRY("addsubps", "addsubps %%xmm0, %%xmm0" ::: "xmm0");
    TRY("pshufb", "pshufb %%xmm0, %%xmm0" ::: "xmm0");
    TRY("cmpxchg16b", "cmpxchg16b %0" : "+m"(*(unsigned __int128 *)memory)::"rax", "rdx", "cc");
    TRY("lahf", "lahf" ::: "rax");
    TRY("popcnt", "popcnt %%rax, %%rax" ::: "rax", "cc");
    TRY("pblendw", "pblendw $1, %%xmm0, %%xmm0" ::: "xmm0");
    TRY("crc32", "crc32 %%rax, %%rax" ::: "rax");
    TRY("pcmpgtq", "pcmpgtq %%xmm0, %%xmm0" ::: "xmm0");
    TRY("vxorps", "vxorps %%ymm0, %%ymm0, %%ymm0" ::: "xmm0");
    TRY("vpaddd", "vpaddd %%ymm0, %%ymm0, %%ymm0" ::: "xmm0");
    TRY("andn", "andn %%rax, %%rax, %%rax" ::: "rax", "cc");
    TRY("rorx", "rorx $1, %%rax, %%rax" ::: "rax");
    TRY("vcvtph2ps", "vcvtph2ps %%xmm0, %%xmm0" ::: "xmm0");
    TRY("vfmadd213ps", "vfmadd213ps %%xmm0, %%xmm0, %%xmm0" ::: "xmm0");
    TRY("movbe", "movbe %0, %%rax" ::"m"(memory[0]) : "rax");
    TRY("xgetbv", "xor %%ecx, %%ecx; xgetbv" ::: "rax", "rcx", "rdx");
    TRY("xsave", "mov $1, %%eax; xor %%edx, %%edx; xsave %0" : "+m"(memory)::"rax", "rdx");
    TRY("vpaddd of zmm", "vpaddd %%zmm0, %%zmm0, %%zmm0" ::: "xmm0");
    TRY("vpaddd of ymm16", "vpaddd %%ymm16, %%ymm0, %%ymm0" ::: "xmm0");
    TRY("kandd", "kandd %%k0, %%k0, %%k0" ::: );
    TRY("kmovb", "kmovb %%k0, %%eax" ::: "rax");
    TRY("vplzcntd", "vplzcntd %%zmm0, %%zmm0" ::: "xmm0");
    TRY("rdtscp", "rdtscp" ::: "rax", "rcx", "rdx");
    TRY("clwb", "clwb %0" : "+m"(memory[0]));
    TRY("aesenc", "aesenc %%xmm0, %%xmm0" ::: "xmm0");
    TRY("pclmulqdq", "pclmulqdq $0, %%xmm0, %%xmm0" ::: "xmm0");
    TRY("rdfsbase", "rdfsbase %%rax" ::: "rax");
    uint64_t zeros;
    __asm__("lzcnt %1, %0" : "=r"(zeros) : "r"(1ul) : "cc");
    printf("lzcnt: %s\n", zeros == 63 ? "executed" : zeros == 0 ? "as bsr" : "wrong");
    __asm__("mov $7, %0; tzcnt %1, %0" : "=&r"(zeros) : "r"(0ul) : "cc");
    printf("tzcnt: %s\n", zeros == 64 ? "executed" : zeros == 7 ? "as bsf" : "wrong");
    return 0;
}
