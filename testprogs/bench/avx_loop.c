// Fused multiply and add on vectors of eight floats, four of them at a time.
#include "bench/bench.h"

#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float iterate(long rounds) {
    const __m256 factor = _mm256_set1_ps(0.5F), term = _mm256_set1_ps(1);
    __m256 a = _mm256_set1_ps(3), b = _mm256_set1_ps(4), c = _mm256_set1_ps(5), d = _mm256_set1_ps(6);
    for (long i = 0; i < rounds; i++) {
        a = _mm256_fmadd_ps(a, factor, term);
        b = _mm256_fmadd_ps(b, factor, term);
        c = _mm256_fmadd_ps(c, factor, term);
        d = _mm256_fmadd_ps(d, factor, term);
        // Keeps the compiler from doing several rounds as one.
        __asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d));
    }
    return _mm256_cvtss_f32(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
}

int main(int argc, char **argv) {
    const long rounds = rounds_of(argc, argv);
    require(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    struct moment start = now();
    float sum = iterate(rounds);
    // Each of the four goes to 2.
    require(sum > 7.9F && sum < 8.1F);
    return report(start, rounds);
}
