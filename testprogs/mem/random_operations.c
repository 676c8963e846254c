// 3,000 random calls (or as many as the argument says) of mmap, munmap, mprotect, mremap and madvise
// over 256 pages, against a model with one entry a page: contents by direct touch where the model
// allows it, rights by EFAULT.
#include "mem/mem.h"

#define PAGES 256
#define FILE_PAGES 1024
#define ROUND 500
#define MAX_RUN 24

enum kind { HOLE, ANONYMOUS, SHARED_FILE, PRIVATE_FILE };

// What one page should be. `own` is its content, unless it shows the file's page `file_page`.
struct page {
    enum kind kind;
    int protection;
    int file_page;
    bool copied;
    uint32_t own;
};

static struct page model[PAGES];
static uint32_t file_model[FILE_PAGES];
static char *window;
static int fd;
static uint64_t seed = 3000;

static int below(int limit) { return (int)(next_random(&seed) % (uint64_t)limit); }

static char *address(int page) { return window + (size_t)page * PAGE; }

// The word at the start of a page, as it should be.
static uint32_t *content(struct page *page) {
    bool from_file = page->kind == SHARED_FILE || (page->kind == PRIVATE_FILE && !page->copied);
    return from_file ? &file_model[page->file_page] : &page->own;
}

// mprotect and madvise go on or stop at a hole, but report it. Whether there is one.
static bool has_hole(int first, int count) {
    for (int i = first; i < first + count; i++)
        if (model[i].kind == HOLE)
            return true;
    return false;
}

static bool map(int first, int count, int protection) {
    enum kind kind = ANONYMOUS + (enum kind)below(3);
    int file_page = below(FILE_PAGES / 2);
    int flags = kind == ANONYMOUS     ? MAP_PRIVATE | MAP_ANONYMOUS
                : kind == SHARED_FILE ? MAP_SHARED
                                      : MAP_PRIVATE;
    void *result = kind == ANONYMOUS
                       ? mmap(address(first), count * PAGE, protection, flags | MAP_FIXED, -1, 0)
                       : mmap(address(first), count * PAGE, protection, flags | MAP_FIXED, fd,
                              file_page * (long)PAGE);
    for (int i = 0; i < count; i++)
        model[first + i] = (struct page){kind, protection, file_page + i, false, 0};
    return result == address(first);
}

static bool unmap(int first, int count) {
    for (int i = first; i < first + count; i++)
        model[i] = (struct page){0};
    return munmap(address(first), count * PAGE) == 0;
}

static bool protect(int first, int count, int protection) {
    int expected = has_hole(first, count) ? ENOMEM : 0;
    for (int i = first; i < first + count && model[i].kind != HOLE; i++)
        model[i].protection = protection;
    int error = mprotect(address(first), count * PAGE, protection) == 0 ? 0 : errno;
    return error == expected;
}

static bool drop(int first, int count) {
    int expected = has_hole(first, count) ? ENOMEM : 0;
    for (int i = first; i < first + count; i++) {
        model[i].own = 0;
        model[i].copied = false;
    }
    int error = madvise(address(first), count * PAGE, MADV_DONTNEED) == 0 ? 0 : errno;
    return error == expected;
}

// One page, which is always within one mapping, moves to `to` and grows to `count` pages there.
static bool move(int from, int to, int count) {
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    if (model[from].file_page + count > FILE_PAGES)
        return true; // It has grown at the end of the file so often that it would leave it.
    void *result = mremap(address(from), PAGE, count * PAGE, flags, address(to));
    bool is_hole = model[from].kind == HOLE;
    if (from >= to && from < to + count) // Before Linux 6.17 a hole is seen first.
        return result == MAP_FAILED && (errno == EINVAL || (is_hole && errno == EFAULT));
    if (is_hole) {
        // Which of the two errors, and whether the target is unmapped first, differs by version.
        unmap(to, count);
        return result == MAP_FAILED;
    }
    struct page source = model[from];
    for (int i = 0; i < count; i++) {
        model[to + i] = (struct page){.kind = source.kind, .protection = source.protection};
        model[to + i].file_page = source.file_page + i;
    }
    model[to] = source;
    model[from] = (struct page){0};
    return result == address(to);
}

// Reads and writes a page directly, when it may.
static bool touch(int page) {
    struct page *expected = &model[page];
    if (expected->kind == HOLE || expected->protection == PROT_NONE)
        return !readable(address(page));
    volatile uint32_t *word = (uint32_t *)address(page);
    if (*word != *content(expected))
        return false;
    if (!(expected->protection & PROT_WRITE))
        return !writable(address(page));
    *word = (uint32_t)next_random(&seed) | 1;
    if (expected->kind == PRIVATE_FILE)
        expected->copied = true;
    *content(expected) = *word;
    return true;
}

// The number of pages whose rights or contents are wrong. It changes no page: writable() would make
// private copies.
static int count_wrong(void) {
    int wrong = 0;
    for (int i = 0; i < PAGES; i++) {
        struct page *expected = &model[i];
        bool open = expected->kind != HOLE && expected->protection != PROT_NONE;
        if (readable(address(i)) != open)
            wrong++;
        else if (open && *(uint32_t *)address(i) != *content(expected))
            wrong++;
        else if ((msync(address(i), PAGE, MS_ASYNC) == 0) != (expected->kind != HOLE))
            wrong++;
    }
    return wrong;
}

static bool step(void) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
                                      PROT_READ | PROT_WRITE};
    int count = 1 + below(MAX_RUN), first = below(PAGES - count + 1);
    int protection = protections[below(4)];
    switch (below(16)) {
    case 0:
    case 1:
    case 2: return map(first, count, protection);
    case 3: return unmap(first, count);
    case 4:
    case 5: return protect(first, count, protection);
    case 6: return drop(first, count);
    case 7:
    case 8: return move(below(PAGES), first, 1 + below(count));
    default: return touch(first);
    }
}

int main(int argc, char **argv) {
    int rounds = (argc > 1 ? atoi(argv[1]) : 3000) / ROUND;
    fd = CHECK_OK(memfd_create("model", 0));
    CHECK_OK(ftruncate(fd, FILE_PAGES * PAGE));
    window = map_pages(PAGES, PROT_NONE);
    CHECK_OK(munmap(window, PAGES * PAGE));

    int refused = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < ROUND; i++)
            refused += !step();
        CHECK_EQ(refused, 0);
        CHECK_EQ(count_wrong(), 0);
    }

    // The file saw every shared write and no private one.
    int wrong = 0;
    for (int i = 0; i < FILE_PAGES; i++) {
        uint32_t word = 0;
        wrong += pread(fd, &word, sizeof word, i * (long)PAGE) != sizeof word;
        wrong += word != file_model[i];
    }
    CHECK_EQ(wrong, 0);
    CHECK_OK(munmap(window, PAGES * PAGE));
    CHECK_ERR(write(probe_pipe(1), window, 1), EFAULT);
    return CHECK_DONE();
}
