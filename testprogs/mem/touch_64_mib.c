// 64 MiB, touched page by page, hold what each page was given, forwards, backwards and at random.
#include "mem/mem.h"

#define PAGES ((size_t)16384)

static uint64_t *word(char *start, size_t page) {
    return (uint64_t *)(start + page * PAGE + page % 512 * 8);
}

int main(void) {
    char *p = map_pages(PAGES, PROT_READ | PROT_WRITE);
    size_t wrong = 0;
    for (size_t page = 0; page < PAGES; page++) {
        wrong += *word(p, page) != 0;
        *word(p, page) = page * 0x9e3779b97f4a7c15;
    }
    CHECK_EQ(wrong, 0);
    for (size_t page = PAGES; page-- > 0;)
        wrong += *word(p, page) != page * 0x9e3779b97f4a7c15;
    CHECK_EQ(wrong, 0);
    uint64_t seed = 64;
    for (int i = 0; i < 50000; i++) {
        size_t page = next_random(&seed) % PAGES;
        wrong += *word(p, page) != page * 0x9e3779b97f4a7c15;
    }
    CHECK_EQ(wrong, 0);

    // Every third page is dropped, every 64th is read-only.
    for (size_t page = 0; page < PAGES; page += 3)
        wrong += madvise(p + page * PAGE, PAGE, MADV_DONTNEED) != 0;
    for (size_t page = 1; page < PAGES; page += 64)
        wrong += mprotect(p + page * PAGE, PAGE, PROT_READ) != 0;
    for (size_t page = 0; page < PAGES; page++)
        wrong += *word(p, page) != (page % 3 == 0 ? 0 : page * 0x9e3779b97f4a7c15);
    CHECK_EQ(wrong, 0);
    CHECK_STR(rights(p, 4), "wrww");
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), p + 65 * PAGE, 1), EFAULT);
    CHECK_OK(munmap(p, PAGES * PAGE));
    CHECK(!readable(p));
    return CHECK_DONE();
}
