// 100 MiB of zero-initialised data cost nothing until touched, begin as zeros, and stay apart from
// the initialised data before them. elf(5), p_memsz.
#include "mem/mem.h"

#define SIZE ((size_t)100 << 20)

static char initialised[] = "initialised";
static char zeros[SIZE];

int main(void) {
    uint64_t seed = 100;
    int wrong = 0;
    for (int i = 0; i < 500; i++) {
        size_t at = next_random(&seed) % SIZE & ~(size_t)7;
        uint64_t *place = (uint64_t *)(zeros + at);
        wrong += *place != 0 && *place != at;
        *place = at;
    }
    CHECK_EQ(wrong, 0);
    seed = 100;
    for (int i = 0; i < 500; i++) {
        size_t at = next_random(&seed) % SIZE & ~(size_t)7;
        wrong += *(uint64_t *)(zeros + at) != at;
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(zeros[SIZE - 1], 0);
    zeros[SIZE - 1] = 'z';
    CHECK_EQ(zeros[SIZE - 1], 'z');
    CHECK_STR(initialised, "initialised");
    CHECK(writable(zeros));
    CHECK(writable(zeros + SIZE / 2));

    // It is ordinary private memory.
    char *page = (char *)(((uintptr_t)zeros + SIZE / 2) & -PAGE);
    page[PAGE] = 'p';
    CHECK_OK(madvise(page, 2 * PAGE, MADV_DONTNEED));
    CHECK_EQ(page[PAGE], 0);
    CHECK_OK(munmap(page, PAGE));
    CHECK_STR(rights(page - PAGE, 3), "w.w");
    CHECK_ERR(write(probe_pipe(1), page, 1), EFAULT);
    return CHECK_DONE();
}
