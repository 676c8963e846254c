// String instructions run over page borders and into pages not yet touched, forwards and backwards,
// and resume where a page fault stopped them. Intel SDM volume 1, 7.3.9.
#include "cpu/cpu.h"

static void copy_forwards(void *to, const void *from, size_t count) {
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void copy_backwards(char *to, const char *from, size_t count) {
    to += count - 1;
    from += count - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(count) : : "memory", "cc");
}

static void fill_words(void *to, uint64_t word, size_t count) {
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(word) : "memory");
}

// The offset of the first byte with the value, or `count`.
static size_t find_byte(const char *start, char value, size_t count) {
    const char *at = start;
    uint8_t found;
    __asm__ volatile("repne scasb" : "+D"(at), "+c"(count), "=@ccz"(found) : "a"(value) : "memory");
    return (size_t)(at - start) - found;
}

// The offset of the first difference, or `count`.
static size_t find_difference(const char *a, const char *b, size_t count) {
    const char *start = a;
    uint8_t equal;
    __asm__ volatile("repe cmpsb" : "+S"(a), "+D"(b), "+c"(count), "=@ccz"(equal) : : "memory");
    return (size_t)(a - start) - !equal;
}

int main(void) {
    size_t size = 64 * PAGE;
    char *source = map_pages(64, PROT_READ | PROT_WRITE);
    char *target = map_pages(64, PROT_READ | PROT_WRITE);
    uint64_t seed = 7;
    for (size_t i = 0; i < size; i += 8)
        *(uint64_t *)(source + i) = next_random(&seed);

    copy_forwards(target + 5, source + 3, size - 10); // every target page is touched here
    CHECK(memcmp(target + 5, source + 3, size - 10) == 0);
    CHECK(target[4] == 0 && target[size - 5] == 0);
    CHECK_OK(madvise(target, size, MADV_DONTNEED));
    copy_backwards(target + 5, source + 3, size - 10);
    CHECK(memcmp(target + 5, source + 3, size - 10) == 0);
    CHECK(target[4] == 0 && target[size - 5] == 0);

    CHECK_OK(madvise(target, size, MADV_DONTNEED));
    fill_words(target + PAGE - 4, 0x1122334455667788, 4 * PAGE / 8);
    CHECK_EQ(*(uint64_t *)(target + PAGE - 4), 0x1122334455667788);
    CHECK_EQ(*(uint64_t *)(target + 5 * PAGE - 12), 0x1122334455667788);
    CHECK(target[PAGE - 5] == 0 && target[5 * PAGE - 4] == 0);

    // Searching untouched pages reads zeros.
    CHECK_OK(madvise(target, size, MADV_DONTNEED));
    CHECK_EQ(find_byte(target, 'x', size), size);
    target[40 * PAGE - 1] = 'x';
    CHECK_EQ(find_byte(target, 'x', size), 40 * PAGE - 1);
    memcpy(target, source, size);
    CHECK_EQ(find_difference(source, target, size), size);
    target[33 * PAGE] ^= 1;
    CHECK_EQ(find_difference(source, target, size), 33 * PAGE);

    // Overlapping by one byte: what forward copying makes of it.
    memset(target, 0, 3 * PAGE);
    target[0] = 'r';
    copy_forwards(target + 1, target, 2 * PAGE);
    CHECK(filled(target, 2 * PAGE + 1, 'r'));
    CHECK_EQ(target[2 * PAGE + 1], 0);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
