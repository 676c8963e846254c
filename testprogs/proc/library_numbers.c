// cflags: -lm
// Arithmetic, strtod(3), printf(3), qsort(3), libm: the same digits on every x86-64, to the last one.
#include "check.h"

#include <fenv.h>
#include <float.h>
#include <limits.h>
#include <math.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

int main(void) {
    volatile double two = 2, tenth = 0.1, third = 1.0 / 3;
    NOTE("%.17g %.17g %a %a", sqrt(two), tenth + third, tenth, third);
    NOTE("%.20Lg %.20Lg", sqrtl(2.0L), 1.0L / 3);
    NOTE("%e %g %f %.3f %10.4e|%-12g|", DBL_MAX, DBL_MIN, 1e15, 2.5, 12345.678, 1e-7);
    NOTE("%.6f %.6f %.6f %.6f", sin(1.0), cos(two), exp(third), log(two));
    NOTE("%.6f %.6f %.6f %.6f", pow(two, tenth), atan2(1, two), tgamma(5.5), erf(0.5));
    NOTE("%g %g %g %g", INFINITY, -INFINITY, 0.0 / tenth, floor(-0.5));
    CHECK_EQ(strtod("0x1.8p1", NULL) == 3.0, 1);
    CHECK_EQ(strtod("1e-400", NULL) == 0, 1);
    CHECK_EQ(errno, ERANGE);
    CHECK(isinf(strtod("1e400", NULL)));
    CHECK(strtod("9007199254740993", NULL) == 9007199254740992.0);
    CHECK(isnan(sqrt(-two)));
    CHECK_ERR(strtol("99999999999999999999", NULL, 10) == LONG_MAX ? -1 : 0, ERANGE);
    CHECK_EQ(strtoull("ffffffffffffffff", NULL, 16), -1);

    // The rounding mode is the program's own.
    CHECK_EQ(fesetround(FE_UPWARD), 0);
    volatile double up = two / 3;
    CHECK_EQ(fesetround(FE_DOWNWARD), 0);
    volatile double down = two / 3;
    getpid();
    CHECK_EQ(fegetround(), FE_DOWNWARD);
    CHECK_EQ(fesetround(FE_TONEAREST), 0);
    CHECK_EQ(nextafter(down, 1) == up, 1);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double zero = 0, infinite = 1 / zero;
    CHECK(isinf(infinite) && fetestexcept(FE_DIVBYZERO));

    enum { N = 20000 };
    double *numbers = malloc(N * sizeof *numbers), sum = 0;
    for (int i = 0; i < N; i++)
        numbers[i] = (double)(next_random() >> 11) / (1ull << 53);
    qsort(numbers, N, sizeof *numbers, by_value);
    int descents = 0;
    for (int i = 1; i < N; i++)
        descents += numbers[i - 1] > numbers[i];
    for (int i = 0; i < N; i++)
        sum += numbers[i];
    CHECK_EQ(descents, 0);
    CHECK(bsearch(&numbers[777], numbers, N, sizeof *numbers, by_value) == &numbers[777]);
    NOTE("sum %.12f, median %.12f", sum, numbers[N / 2]);
    unsigned __int128 wide = (unsigned __int128)UINT64_MAX * UINT64_MAX;
    NOTE("%016lx%016lx", (uint64_t)(wide >> 64), (uint64_t)wide);
    return CHECK_DONE();
}
