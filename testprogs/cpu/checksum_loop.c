// A long computation without system calls gives the checksum it must, whatever interrupts it.
#include "cpu/cpu.h"

static uint64_t rotate(uint64_t value, int count) {
    return value << count | value >> (64 - count);
}

// Mixes integers in registers, through memory and through a division in every round.
static uint64_t checksum(uint64_t rounds, uint64_t *table, size_t entries) {
    uint64_t a = 0x243f6a8885a308d3, b = 0x13198a2e03707344;
    for (uint64_t i = 0; i < rounds; i++) {
        a = rotate(a ^ i, 13) * 0x9e3779b97f4a7c15;
        uint64_t *entry = &table[a % entries];
        b += *entry ^ a;
        *entry = rotate(b, 29);
    }
    return a ^ b;
}

static double series(int terms) {
    double sum = 0;
    for (int k = 0; k < terms; k++)
        sum += (k % 2 ? -4.0 : 4.0) / (2 * k + 1);
    return sum;
}

int main(void) {
    size_t entries = 10007;
    uint64_t *table = (uint64_t *)map_pages(20, PROT_READ | PROT_WRITE);
    uint64_t first = checksum(50000000, table, entries);
    CHECK_EQ(first, 0x3095bd8c6b02c1f);
    memset(table, 0, entries * sizeof *table);
    CHECK_EQ(checksum(1000000, table, entries), 0xde49071e5ef475cd);
    CHECK(checksum(1000000, table, entries) != first);
    double pi = series(5000000);
    uint64_t bits;
    memcpy(&bits, &pi, sizeof bits);
    CHECK_EQ(bits, 0x400921fb396c3a5f);
    CHECK(pi > 3.1415924 && pi < 3.1415927);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
