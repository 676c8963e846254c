// What cpuid and xgetbv announce executes with the right result. Intel SDM volume 2, CPUID.
#include "cpu/cpu.h"

#include <cpuid.h>
#include <immintrin.h>

// A feature that is announced must work; one that is not counts as well.
#define CHECK_FEATURE(name, expr) CHECK(!__builtin_cpu_supports(name) || (expr))

__attribute__((target("popcnt"))) static bool population_count(uint64_t value) {
    return _mm_popcnt_u64(value) == 8;
}
__attribute__((target("sse4.2"))) static bool crc(uint64_t value) {
    return _mm_crc32_u64(0, value) == 0x493c7d27;
}
__attribute__((target("bmi"))) static bool lowest_bit(uint64_t value) {
    return _blsi_u64(value) == 8;
}
__attribute__((target("bmi2"))) static bool deposit(uint64_t value) {
    return _pdep_u64(value, 0xf00f0) == 0x50;
}
__attribute__((target("ssse3"))) static bool shuffle(void) {
    __m128i bytes = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm_cvtsi128_si32(_mm_shuffle_epi8(bytes, _mm_set1_epi8(11))) == 0x0b0b0b0b;
}
__attribute__((target("avx"))) static bool avx_sum(void) {
    double lanes[4];
    _mm256_storeu_pd(lanes, _mm256_add_pd(_mm256_set1_pd(1.5), _mm256_setr_pd(1, 2, 3, 4)));
    return lanes[0] == 2.5 && lanes[3] == 5.5;
}
__attribute__((target("fma"))) static bool fused(void) {
    __m128d r = _mm_fmadd_sd(_mm_set_sd(1 + 0x1p-52), _mm_set_sd(1 - 0x1p-52), _mm_set_sd(-1));
    return _mm_cvtsd_f64(r) == -0x1p-104; // 0 when rounded twice
}
__attribute__((target("avx2"))) static bool avx2_shift(void) {
    int lanes[8];
    __m256i counts = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 32);
    _mm256_storeu_si256((__m256i *)lanes, _mm256_sllv_epi32(_mm256_set1_epi32(1), counts));
    return lanes[6] == 64 && lanes[7] == 0;
}
__attribute__((target("avx512f"))) static bool avx512_masked(void) {
    __m512i kept = _mm512_set1_epi64(7), one = _mm512_set1_epi64(1);
    __m512i sum = _mm512_mask_add_epi64(kept, 0x81, one, one);
    long lanes[8];
    _mm512_storeu_si512(lanes, sum);
    return lanes[0] == 2 && lanes[1] == 7 && lanes[7] == 2;
}
__attribute__((target("aes,sse2"))) static bool aes_round(void) {
    __m128i r = _mm_aesenc_si128(_mm_setzero_si128(), _mm_setzero_si128());
    return _mm_cvtsi128_si32(r) == 0x63636363;
}
__attribute__((target("pclmul,sse2"))) static bool carryless(void) {
    __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, 7), _mm_set_epi64x(0, 5), 0);
    return _mm_cvtsi128_si64(product) == 0x1b;
}

int main(void) {
    unsigned a = 0, b = 0, c = 0, d = 0, highest = __get_cpuid_max(0, NULL);
    CHECK(highest >= 1);
    CHECK_EQ(__get_cpuid(1, &a, &b, &c, &d), 1);
    CHECK(d & bit_SSE2 && d & bit_FXSAVE && d & bit_CMOV && d & bit_CMPXCHG8B);
    CHECK_EQ(__get_cpuid(0x80000001, &a, &b, &c, &d), 1);
    CHECK(d & bit_LM);

    // xgetbv says which state is on; the AVX bits of cpuid mean nothing without it.
    __get_cpuid(1, &a, &b, &c, &d);
    uint32_t enabled = 0, upper;
    if (c & bit_OSXSAVE)
        __asm__ volatile("xgetbv" : "=a"(enabled), "=d"(upper) : "c"(0));
    CHECK(!(c & bit_OSXSAVE) || (enabled & 3) == 3);
    CHECK(!__builtin_cpu_supports("avx") || (enabled & 6) == 6);
    CHECK(!__builtin_cpu_supports("avx512f") || (enabled & 0xe6) == 0xe6);

    CHECK_FEATURE("popcnt", population_count(0xf0f0));
    CHECK_FEATURE("sse4.2", crc(1));
    CHECK_FEATURE("ssse3", shuffle());
    CHECK_FEATURE("bmi", lowest_bit(0x58));
    CHECK_FEATURE("bmi2", deposit(5));
    CHECK_FEATURE("avx", avx_sum());
    CHECK_FEATURE("fma", fused());
    CHECK_FEATURE("avx2", avx2_shift());
    CHECK_FEATURE("avx512f", avx512_masked());
    CHECK_FEATURE("aes", aes_round());
    CHECK_FEATURE("pclmul", carryless());
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
