// All 16 ymm registers survive system calls and page faults, and AVX2 arithmetic is right between
// them. System V ABI for x86-64, A.2.1.
#include "cpu/cpu.h"

#include <immintrin.h>

static uint8_t before[16][32], after[16][32];

#define ALL(OP) OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7) \
                OP(8) OP(9) OP(10) OP(11) OP(12) OP(13) OP(14) OP(15)
#define LOAD(n) "vmovdqu " #n "*32(%[from]), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%[to])\n"

// Everything in one piece, so that the compiler uses none of the registers meanwhile.
__attribute__((target("avx2"))) static long keep_registers(long number, char *fresh) {
    __asm__ volatile(ALL(LOAD)
                     "syscall\n"
                     "movb $1, (%[fresh])\n"
                     ALL(STORE)
                     : "+a"(number)
                     : [from] "r"(before), [to] "r"(after), [fresh] "r"(fresh), "D"(-1l)
                     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                       "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15");
    return number;
}

// A sum of products with a system call in every round.
__attribute__((target("avx2"))) static uint32_t dot_product(const uint32_t *a, const uint32_t *b) {
    __m256i sum = _mm256_setzero_si256();
    for (int i = 0; i < 512; i += 8) {
        __m256i product = _mm256_mullo_epi32(_mm256_loadu_si256((const __m256i *)(a + i)),
                                             _mm256_loadu_si256((const __m256i *)(b + i)));
        sum = _mm256_add_epi32(sum, product);
        long result = SYS_getppid;
        __asm__ volatile("syscall" : "+a"(result), "+x"(sum) : : "rcx", "r11", "memory");
    }
    uint32_t lanes[8], total = 0;
    _mm256_storeu_si256((__m256i *)lanes, sum);
    for (int i = 0; i < 8; i++)
        total += lanes[i];
    return total;
}

int main(void) {
    if (!__builtin_cpu_supports("avx2"))
        SKIP("a processor without AVX2");
    char *fresh = map_pages(64, PROT_READ | PROT_WRITE);
    uint64_t seed = 2;
    int lost = 0;
    for (int round = 0; round < 64; round++) {
        random_bytes(before, sizeof before, &seed);
        lost += keep_registers(SYS_getpid, fresh + round * PAGE) != getpid();
        lost += memcmp(before, after, sizeof before) != 0;
    }
    CHECK_EQ(lost, 0);
    CHECK_EQ(keep_registers(SYS_close, fresh), -EBADF);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK_EQ(keep_registers(1000, fresh), -ENOSYS);
    CHECK(memcmp(before, after, sizeof before) == 0);

    uint32_t a[512], b[512], expected = 0;
    for (uint32_t i = 0; i < 512; i++) {
        a[i] = i * 2654435761u;
        b[i] = i ^ 0x5bd1e995;
        expected += a[i] * b[i];
    }
    CHECK_EQ(dot_product(a, b), expected);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
