// Loads and stores need no alignment, over cache lines, pages and mappings too. Intel SDM volume 1,
// 4.1.1.
#include "cpu/cpu.h"

#include <emmintrin.h>

int main(void) {
    char *p = map_pages(4, PROT_READ | PROT_WRITE);
    int fd = file_of_pages("f", 1);
    int flags = MAP_PRIVATE | MAP_FIXED;
    CHECK_OK(mmap(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0));

    int wrong = 0;
    for (size_t at = PAGE - 70; at < PAGE + 10; at++) {
        *(volatile uint64_t *)(p + at) = 0x0102030405060708 + at;
        wrong += *(volatile uint64_t *)(p + at) != 0x0102030405060708 + at;
        *(volatile uint16_t *)(p + at) = (uint16_t)at;
        wrong += *(volatile uint16_t *)(p + at) != (uint16_t)at;
    }
    CHECK_EQ(wrong, 0);

    // One store over the border of two mappings, both touched by it for the first time.
    *(volatile uint64_t *)(p + 2 * PAGE - 4) = 0x1122334455667788;
    CHECK_EQ(*(volatile uint32_t *)(p + 2 * PAGE), 0x11223344);
    CHECK_EQ(*(volatile uint32_t *)(p + 2 * PAGE - 4), 0x55667788);
    CHECK_EQ(p[2 * PAGE + 4], 'a');
    _mm_storeu_si128((__m128i *)(p + 3 * PAGE - 7), _mm_set1_epi8(9));
    CHECK(filled(p + 3 * PAGE - 7, 16, 9));
    CHECK_EQ(p[3 * PAGE + 9], 0);

    // The stack as well.
    uint64_t value;
    __asm__ volatile("lea -131(%%rsp), %%rsp; push %1; pop %0; lea 131(%%rsp), %%rsp"
                     : "=r"(value) : "r"(0xabcdeful) : "memory");
    CHECK_EQ(value, 0xabcdef);

    // The kernel's store into a hole.
    CHECK_OK(munmap(p + 3 * PAGE, PAGE));
    CHECK(!readable(p + 3 * PAGE));
    CHECK_EQ(write(probe_pipe(1), "12345678", 8), 8);
    CHECK_ERR(read(probe_pipe(0), p + 3 * PAGE - 4, 8), EFAULT);
    return CHECK_DONE();
}
