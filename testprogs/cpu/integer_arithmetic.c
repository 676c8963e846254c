// Integer instructions and their flags: wide products and quotients, carries, shifts, rotations,
// bit searches, byte orders. Intel SDM volume 2.
#include "cpu/cpu.h"

int main(void) {
    uint64_t low, high, a = 0xfedcba9876543210, b = 0x0f1e2d3c4b5a6978;
    __asm__("mul %3" : "=a"(low), "=d"(high) : "a"(a), "r"(b) : "cc");
    CHECK_EQ(high, (uint64_t)(((unsigned __int128)a * b) >> 64));
    CHECK_EQ(low, a * b);
    CHECK_EQ(high, 0x0f0cf9d5a05a0299);

    uint64_t quotient, remainder;
    __asm__("div %4" : "=a"(quotient), "=d"(remainder) : "a"(low), "d"(high), "r"(a) : "cc");
    CHECK_EQ(quotient, b);
    CHECK_EQ(remainder, 0);
    int64_t signed_quotient, signed_remainder;
    __asm__("idiv %4"
            : "=a"(signed_quotient), "=d"(signed_remainder)
            : "a"(-1000l), "d"(-1l), "r"(7l)
            : "cc");
    CHECK_EQ(signed_quotient, -142);
    CHECK_EQ(signed_remainder, -6);

    // 256-bit addition by carries.
    uint64_t sum[4] = {-1ul, -1ul, -1ul, 0};
    __asm__("addq $1, (%0); adcq $0, 8(%0); adcq $0, 16(%0); adcq $0, 24(%0)"
            : : "r"(sum) : "memory", "cc");
    CHECK(sum[0] == 0 && sum[1] == 0 && sum[2] == 0 && sum[3] == 1);

    uint8_t carry, overflow, zero;
    uint32_t value = 0x7fffffff;
    __asm__("addl $1, %0" : "+r"(value), "=@ccc"(carry), "=@cco"(overflow), "=@ccz"(zero));
    CHECK(!carry && overflow && !zero);
    __asm__("addl %0, %0" : "+r"(value), "=@ccc"(carry), "=@cco"(overflow), "=@ccz"(zero));
    CHECK(carry && overflow && zero);

    uint64_t shifted = 0x8000000000000001;
    __asm__("rol $4, %0" : "+r"(shifted) : : "cc");
    CHECK_EQ(shifted, 0x18);
    __asm__("shld $8, %1, %0" : "+r"(shifted) : "r"(0xab00000000000000) : "cc");
    CHECK_EQ(shifted, 0x18ab);
    int64_t negative = -256;
    __asm__("sar %%cl, %0" : "+r"(negative) : "c"(4 + 64) : "cc"); // counts are taken modulo 64
    CHECK_EQ(negative, -16);

    uint64_t index;
    __asm__("bsf %1, %0" : "=r"(index) : "r"(0x00f0000000000000) : "cc");
    CHECK_EQ(index, 52);
    __asm__("bsr %1, %0" : "=r"(index) : "r"(0x00f0000000000000) : "cc");
    CHECK_EQ(index, 55);
    uint64_t bits[4] = {0};
    __asm__ volatile("btsq %2, %0" : "+m"(bits), "=@ccc"(carry) : "r"(130l)); // beyond the operand
    CHECK(bits[2] == 4 && !carry);
    uint64_t swapped = 0x0123456789abcdef;
    __asm__("bswap %0" : "+r"(swapped));
    CHECK_EQ(swapped, 0xefcdab8967452301);

    // A 32-bit result clears the upper half, a 16-bit one keeps it.
    uint64_t wide = -1ul;
    __asm__("movl $5, %k0" : "+r"(wide));
    CHECK_EQ(wide, 5);
    wide = -1ul;
    __asm__("movw $5, %w0" : "+r"(wide));
    CHECK_EQ(wide, 0xffffffffffff0005);
    CHECK_ERR(close(-1), EBADF);
    return CHECK_DONE();
}
