// Floating-point arithmetic, each round in need of the one before: the logistic map.
#include "bench/bench.h"

int main(int argc, char **argv) {
    const long rounds = rounds_of(argc, argv);
    volatile double sink;
    double x = 0.3;
    struct moment start = now();
    for (long i = 0; i < rounds; i++)
        x = 3.75 * x * (1 - x);
    sink = x;
    require(sink > 0 && sink < 1);
    return report(start, rounds);
}
