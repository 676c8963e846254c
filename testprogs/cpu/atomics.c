// Locked instructions: all forms, 16 bytes wide, as the first touch of a page, over a cache line.
// Intel SDM volume 3, 9.1.
#include "cpu/cpu.h"

typedef unsigned __int128 wide;

static bool exchange_wide(wide *place, wide expected, wide desired) {
    uint64_t low = (uint64_t)expected, high = (uint64_t)(expected >> 64);
    uint8_t done;
    __asm__ volatile("lock cmpxchg16b %0"
                     : "+m"(*place), "+a"(low), "+d"(high), "=@ccz"(done)
                     : "b"((uint64_t)desired), "c"((uint64_t)(desired >> 64))
                     : "memory");
    return done;
}

int main(void) {
    char *fresh = map_pages(16, PROT_READ | PROT_WRITE);
    uint64_t *word = (uint64_t *)fresh;
    CHECK_EQ(__atomic_fetch_add(word, 5, __ATOMIC_SEQ_CST), 0);
    CHECK_EQ(__atomic_exchange_n(word + PAGE / 8, 7, __ATOMIC_SEQ_CST), 0);
    CHECK_EQ(__sync_val_compare_and_swap(word + 2 * PAGE / 8, 0, 9), 0);
    CHECK_EQ(__sync_val_compare_and_swap(word + 2 * PAGE / 8, 0, 1), 9);
    CHECK_EQ(word[2 * PAGE / 8], 9);
    CHECK_EQ(__atomic_fetch_xor(word, 0xff, __ATOMIC_SEQ_CST), 5);
    CHECK_EQ(__atomic_and_fetch(word, 0xf0, __ATOMIC_SEQ_CST), 0xf0);
    CHECK_EQ(__atomic_or_fetch((uint8_t *)word + 7, 0x80, __ATOMIC_SEQ_CST), 0x80);
    CHECK_EQ(*word, 0x80000000000000f0);

    uint8_t was_set;
    __asm__ volatile("lock btsq $3, %0" : "+m"(word[3 * PAGE / 8]), "=@ccc"(was_set) : : "memory");
    CHECK(!was_set && word[3 * PAGE / 8] == 8);
    __asm__ volatile("lock btsq $3, %0" : "+m"(word[3 * PAGE / 8]), "=@ccc"(was_set) : : "memory");
    CHECK(was_set);

    wide *place = (wide *)(fresh + 4 * PAGE), big = (wide)0x1234 << 64 | 0x5678;
    CHECK(exchange_wide(place, 0, big));
    CHECK(*place == big);
    CHECK(!exchange_wide(place, 0, 1));
    CHECK(*place == big);

    // A lock over two cache lines, and over two pages of which the second is fresh.
    uint32_t *split = (uint32_t *)(fresh + 5 * PAGE + 62);
    CHECK_EQ(__atomic_fetch_add(split, 0x01020304, __ATOMIC_SEQ_CST), 0);
    CHECK_EQ(*split, 0x01020304);
    split = (uint32_t *)(fresh + 7 * PAGE - 2);
    CHECK_EQ(__atomic_fetch_add(split, 0x01020304, __ATOMIC_SEQ_CST), 0);
    CHECK_EQ(*(uint16_t *)(fresh + 7 * PAGE), 0x0102);

    // 100,000 additions lose nothing.
    for (int i = 0; i < 100000; i++)
        __atomic_fetch_add(word + 8 * PAGE / 8, 3, __ATOMIC_SEQ_CST);
    CHECK_EQ(word[8 * PAGE / 8], 300000);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
