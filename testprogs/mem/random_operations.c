// cflags: -pthread
// 3,000 random calls (or as many as the first argument says) of mmap, munmap, mprotect, mremap and
// madvise over 256 pages, against a model with one entry a page: contents by direct touch where the
// model allows it, rights by EFAULT. The second argument says how many threads share the calls; each
// has a model and 64 pages of its own, and all are neighbours in 2 MiB.
#include "mem/mem.h"

#include <pthread.h>

#define MAX_THREADS 8
#define ALL_PAGES 256
#define BLOCK (512 * PAGE)
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

static int pages, rounds;
static char *block;
static pthread_barrier_t all_started, all_ended;
static __thread struct page model[ALL_PAGES];
static __thread uint32_t file_model[FILE_PAGES];
static __thread char *window;
static __thread int fd, ends[2];
static __thread uint64_t seed;

static int below(int limit) { return (int)(next_random(&seed) % (uint64_t)limit); }

static char *address(int page) { return window + (size_t)page * PAGE; }

// Whether the kernel can read or write the byte, by way of this thread's pipe.
static bool can_read(char *byte) {
    char drain;
    return write(ends[1], byte, 1) == 1 && read(ends[0], &drain, 1) == 1;
}

static bool can_write(char *byte) {
    char drain;
    if (write(ends[1], byte, 1) != 1)
        return false;
    if (read(ends[0], byte, 1) == 1)
        return true;
    REQUIRE(read(ends[0], &drain, 1) == 1);
    return false;
}

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
        return !can_read(address(page));
    volatile uint32_t *word = (uint32_t *)address(page);
    if (*word != *content(expected))
        return false;
    if (!(expected->protection & PROT_WRITE))
        return !can_write(address(page));
    *word = (uint32_t)next_random(&seed) | 1;
    if (expected->kind == PRIVATE_FILE)
        expected->copied = true;
    *content(expected) = *word;
    return true;
}

// The number of pages whose rights or contents are wrong. It changes no page: can_write() would make
// private copies.
static int count_wrong(void) {
    int wrong = 0;
    for (int i = 0; i < pages; i++) {
        struct page *expected = &model[i];
        bool open = expected->kind != HOLE && expected->protection != PROT_NONE;
        if (can_read(address(i)) != open)
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
    int count = 1 + below(MAX_RUN), first = below(pages - count + 1);
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
    case 8: return move(below(pages), first, 1 + below(count));
    default: return touch(first);
    }
}

// The file saw every shared write and no private one.
static bool file_is_right(void) {
    for (int i = 0; i < FILE_PAGES; i++) {
        uint32_t word = 0;
        if (pread(fd, &word, sizeof word, i * (long)PAGE) != sizeof word || word != file_model[i])
            return false;
    }
    return true;
}

static void *work(void *number) {
    long thread = (long)number;
    window = block + (size_t)thread * pages * PAGE;
    seed = 3000 + (uint64_t)thread;
    fd = memfd_create("model", 0);
    REQUIRE(fd >= 0 && ftruncate(fd, FILE_PAGES * PAGE) == 0 && pipe(ends) == 0);
    // Once all threads have their stacks, all mappings are MAP_FIXED: nothing comes to lie in a hole.
    pthread_barrier_wait(&all_started);
    REQUIRE(munmap(window, pages * PAGE) == 0);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < ROUND; i++)
            REQUIRE(step());
        REQUIRE(count_wrong() == 0);
    }
    REQUIRE(file_is_right());
    REQUIRE(munmap(window, pages * PAGE) == 0);
    REQUIRE(write(ends[1], window, 1) == -1 && errno == EFAULT);
    pthread_barrier_wait(&all_ended);
    return NULL;
}

int main(int argc, char **argv) {
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    REQUIRE(threads > 0 && threads <= MAX_THREADS);
    pages = threads == 1 ? ALL_PAGES : ALL_PAGES / 4;
    rounds = (argc > 1 ? atoi(argv[1]) : 3000) / threads / ROUND;

    char *reserved = map_pages(2 * BLOCK / PAGE, PROT_NONE);
    block = (char *)(((uintptr_t)reserved + BLOCK - 1) / BLOCK * BLOCK);
    REQUIRE(pthread_barrier_init(&all_started, NULL, (unsigned)threads) == 0);
    REQUIRE(pthread_barrier_init(&all_ended, NULL, (unsigned)threads) == 0);
    pthread_t others[MAX_THREADS];
    for (long i = 1; i < threads; i++)
        REQUIRE(pthread_create(&others[i], NULL, work, (void *)i) == 0);
    work((void *)0);
    for (int i = 1; i < threads; i++)
        REQUIRE(pthread_join(others[i], NULL) == 0);
    printf("%d calls in each of %d threads\n", rounds * ROUND, threads);
    return 0;
}
