// All 32 zmm and 8 mask registers survive system calls and page faults.
#include "cpu/cpu.h"

static uint8_t before[32][64], after[32][64];
static uint64_t masks_before[8], masks_after[8];

#define LOW(OP) OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7)
#define ALL(OP) LOW(OP) OP(8) OP(9) OP(10) OP(11) OP(12) OP(13) OP(14) OP(15) \
                OP(16) OP(17) OP(18) OP(19) OP(20) OP(21) OP(22) OP(23) \
                OP(24) OP(25) OP(26) OP(27) OP(28) OP(29) OP(30) OP(31)
#define LOAD(n) "vmovdqu64 " #n "*64(%[from]), %%zmm" #n "\n"
#define STORE(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[to])\n"
#define LOAD_MASK(n) "kmovq " #n "*8(%[masks]), %%k" #n "\n"
#define STORE_MASK(n) "kmovq %%k" #n ", " #n "*8(%[masks_to])\n"

__attribute__((target("avx512f,avx512bw"))) static long keep_registers(long number, char *fresh) {
    __asm__ volatile(ALL(LOAD) LOW(LOAD_MASK)
                     "syscall\n"
                     "movb $1, (%[fresh])\n"
                     ALL(STORE) LOW(STORE_MASK)
                     : "+a"(number)
                     : [from] "r"(before), [to] "r"(after), [fresh] "r"(fresh),
                       [masks] "r"(masks_before), [masks_to] "r"(masks_after), "D"(-1l)
                     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                       "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
                       "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",
                       "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
    return number;
}

static bool registers_kept(void) {
    return memcmp(before, after, sizeof before) == 0 &&
           memcmp(masks_before, masks_after, sizeof masks_before) == 0;
}

int main(void) {
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw"))
        SKIP("a processor without AVX-512");
    char *fresh = map_pages(64, PROT_READ | PROT_WRITE);
    uint64_t seed = 512;
    int lost = 0;
    for (int round = 0; round < 64; round++) {
        random_bytes(before, sizeof before, &seed);
        random_bytes(masks_before, sizeof masks_before, &seed);
        lost += keep_registers(SYS_getpid, fresh + round * PAGE) != getpid();
        lost += !registers_kept();
    }
    CHECK_EQ(lost, 0);
    CHECK_EQ(keep_registers(SYS_close, fresh), -EBADF);
    CHECK(registers_kept());
    CHECK_EQ(keep_registers(1000, fresh), -ENOSYS);
    CHECK(registers_kept());
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
