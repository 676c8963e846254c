// Instructions that do next to nothing. The loop does not come back to where the function begins.
#include "bench/bench.h"

enum { IN_A_ROUND = 4 };

__attribute__((noinline)) void instructions(long rounds) {
    __asm__ volatile("nop\n1:\tadd $1, %%rax\n\tlea 8(%%rax), %%rdx\n\tdec %0\n\tjnz 1b" : "+r"(rounds) : : "rax", "rdx", "cc");
}

int main(int argc, char **argv) {
    long rounds = rounds_of(argc, argv);
    struct moment start = now();
    instructions(rounds);
    return report(start, (double)rounds * IN_A_ROUND);
}
