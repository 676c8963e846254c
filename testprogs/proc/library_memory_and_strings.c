// malloc(3), realloc(3), string(3): patterns survive growth, and the CPU-dispatched functions agree with
// plain loops.
#include "check.h"

#include <malloc.h>

static unsigned random_state = 12345;

static unsigned next_random(void) { return random_state = random_state * 1103515245 + 12345; }

int main(void) {
    enum { SLOTS = 256 };
    static unsigned char *slot[SLOTS];
    static size_t size[SLOTS];
    int damage = 0, moves = 0;
    for (int round = 0; round < 20000; round++) {
        unsigned i = (next_random() >> 8) % SLOTS;
        for (size_t k = 0; k < size[i]; k += 97)
            damage += slot[i][k] != (unsigned char)(i ^ k);
        size_t wanted = (next_random() >> 8) % (round % 100 == 0 ? 300000 : 2000);
        slot[i] = realloc(slot[i], wanted + 1);
        size[i] = wanted;
        for (size_t k = 0; k < wanted; k++)
            slot[i][k] = (unsigned char)(i ^ k);
        moves++;
    }
    CHECK_EQ(damage, 0);
    CHECK_EQ(moves, 20000);
    for (int i = 0; i < SLOTS; i++)
        free(slot[i]);
    CHECK_EQ((uintptr_t)aligned_alloc(65536, 65536) % 65536, 0);
    CHECK_EQ((uintptr_t)malloc(1) % 16, 0);
    CHECK(malloc(0) != NULL);
    volatile size_t huge = SIZE_MAX / 2;
    errno = 0;
    CHECK(malloc(huge) == NULL);
    CHECK_EQ(errno, ENOMEM);
    unsigned char *zeros = calloc(1 << 20, 1);
    unsigned any = 0;
    for (int i = 0; i < 1 << 20; i++)
        any |= zeros[i];
    CHECK_EQ(any, 0);

    // Every length and alignment through memcpy, memchr, strlen and memcmp.
    static char from[512], to[512], same[512];
    int wrong = 0;
    for (int length = 0; length < 200; length++) {
        for (int at = 0; at < 33; at += 3) {
            for (int k = 0; k < 512; k++)
                from[k] = (char)(1 + (k * 7 + length) % 255), to[k] = same[k] = 0;
            memcpy(to + at, from + 32 - at % 32, length);
            for (int k = 0; k < length; k++)
                same[at + k] = from[32 - at % 32 + k];
            wrong += memcmp(to, same, 512) != 0;
            wrong += strlen(to + at) != (size_t)length;
            wrong += memchr(to + at, 0, 512 - at) != to + at + length;
            to[at + length] = 'x';
            wrong += memcmp(to, same, 512) <= 0;
        }
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(strcmp("abc", "abd") < 0, 1);
    CHECK_STR(strstr("a needle in hay", "needle"), "needle in hay");
    CHECK(strrchr("a/b/c", '/')[1] == 'c');
    CHECK(malloc_usable_size(malloc(100)) >= 100);
    return CHECK_DONE();
}
