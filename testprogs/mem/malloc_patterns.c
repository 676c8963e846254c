// The C library's allocator over brk and mmap: 4,000 random steps of malloc, calloc, realloc,
// aligned_alloc and free, each block checked for its own bytes. malloc(3).
#include "mem/mem.h"

#define SLOTS 256
#define STEPS 4000

static struct {
    unsigned char *start;
    size_t size;
} slot[SLOTS];

static size_t random_size(uint64_t *seed) {
    uint64_t r = next_random(seed);
    switch (r % 8) {
    case 0: return r / 8 % 300000 + 1; // beyond the mmap threshold of glibc and musl
    case 1:
    case 2: return r / 8 % 20000 + 1;
    default: return r / 8 % 600 + 1;
    }
}

static unsigned char fill_of(int i) { return (unsigned char)(i * 37 + 11); }

static bool intact(int i, size_t length) {
    return filled((char *)slot[i].start, length, (char)fill_of(i));
}

int main(void) {
    uint64_t seed = 4000;
    int wrong = 0, failed = 0, unaligned = 0, dirty = 0;
    for (int step = 0; step < STEPS; step++) {
        int i = (int)(next_random(&seed) % SLOTS);
        size_t size = random_size(&seed);
        wrong += !intact(i, slot[i].size);
        switch (next_random(&seed) % 4) {
        case 0:
            free(slot[i].start);
            slot[i].start = malloc(size);
            break;
        case 1:
            free(slot[i].start);
            slot[i].start = calloc(1, size);
            dirty += slot[i].start && !filled((char *)slot[i].start, size, 0);
            break;
        case 2:
            slot[i].start = realloc(slot[i].start, size);
            wrong += !intact(i, size < slot[i].size ? size : slot[i].size);
            break;
        case 3: {
            size_t alignment = (size_t)64 << next_random(&seed) % 8;
            free(slot[i].start);
            slot[i].start = aligned_alloc(alignment, size + alignment - size % alignment);
            unaligned += (uintptr_t)slot[i].start % alignment != 0;
            break;
        }
        }
        failed += slot[i].start == NULL;
        slot[i].size = slot[i].start ? size : 0;
        if (slot[i].start)
            memset(slot[i].start, fill_of(i), size);
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(failed, 0);
    CHECK_EQ(unaligned, 0);
    CHECK_EQ(dirty, 0);
    for (int i = 0; i < SLOTS; i++) {
        wrong += !intact(i, slot[i].size);
        free(slot[i].start);
    }
    CHECK_EQ(wrong, 0);

    size_t volatile impossible = SIZE_MAX / 2;
    errno = 0;
    CHECK(malloc(impossible) == NULL);
    CHECK_EQ(errno, ENOMEM);
    char *large = malloc(48 << 20);
    CHECK(large != NULL);
    large[0] = large[(48 << 20) - 1] = 'l';
    large = realloc(large, 64 << 20);
    CHECK(large != NULL && large[0] == 'l' && large[(48 << 20) - 1] == 'l');
    free(large);
    return CHECK_DONE();
}
