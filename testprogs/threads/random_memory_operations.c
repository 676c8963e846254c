// cflags: -pthread
// 3,000 random calls (or as many as the argument says) of mmap, munmap, mprotect, mremap and madvise, and touches, by
// four threads over the same 64 pages: what one thread has changed all others find changed. Against a model with one
// entry a page; what the model forbids is touched, too. One lock for 16 pages, so that neighbours change at once.
#include "mem/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

enum { THREADS = 4, AREAS = 4, PAGES = 16 };

enum kind { HOLE, PRIVATE, SHARED };

// What one page should be. `own` is its content, unless it shows the file's page `file_page`.
struct page {
    enum kind kind;
    int protection;
    int file_page;
    uint32_t own;
};

struct area {
    pthread_mutex_t lock;
    char *start;
    struct page pages[PAGES];
    int fd;
    uint32_t file[PAGES];
};

static struct area areas[AREAS];
static long operations = 3000;
static __thread sigjmp_buf after_fault;
static __thread uint64_t seed;

static int below(int limit) { return (int)(next_random(&seed) % (uint64_t)limit); }

static char *address(struct area *area, int page) { return area->start + (size_t)page * PAGE; }

static uint32_t *content(struct area *area, struct page *page) {
    return page->kind == SHARED ? &area->file[page->file_page] : &page->own;
}

static bool map(struct area *area, int first, int count, int protection) {
    enum kind kind = below(3) == 0 ? SHARED : PRIVATE;
    int file_page = below(PAGES - count + 1);
    int flags = MAP_FIXED | (kind == SHARED ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
    int fd = kind == SHARED ? area->fd : -1;
    long offset = kind == SHARED ? file_page * (long)PAGE : 0;
    for (int i = 0; i < count; i++)
        area->pages[first + i] = (struct page){kind, protection, file_page + i, 0};
    char *start = address(area, first);
    return mmap(start, count * PAGE, protection, flags, fd, offset) == start;
}

static bool unmap(struct area *area, int first, int count) {
    for (int i = first; i < first + count; i++)
        area->pages[i] = (struct page){0};
    return munmap(address(area, first), count * PAGE) == 0;
}

// How many pages there are before the first hole, and at most `count`.
static int mapped(struct area *area, int first, int count) {
    int pages = 0;
    while (pages < count && area->pages[first + pages].kind != HOLE)
        pages++;
    return pages;
}

static bool protect(struct area *area, int first, int count, int protection) {
    count = mapped(area, first, count);
    for (int i = first; i < first + count; i++)
        area->pages[i].protection = protection;
    return mprotect(address(area, first), count * PAGE, protection) == 0;
}

static bool drop(struct area *area, int first, int count) {
    count = mapped(area, first, count);
    for (int i = first; i < first + count; i++)
        area->pages[i].own = 0;
    return madvise(address(area, first), count * PAGE, MADV_DONTNEED) == 0;
}

static bool move(struct area *area, int from, int to) {
    if (from == to || area->pages[from].kind == HOLE)
        return true;
    area->pages[to] = area->pages[from];
    area->pages[from] = (struct page){0};
    char *target = address(area, to);
    return mremap(address(area, from), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target;
}

static void on_segv(int signal) {
    (void)signal;
    siglongjmp(after_fault, 1);
}

// Whether the processor lets the word be read, or written where `is_write`.
static bool transfer(volatile uint32_t *word, bool is_write, uint32_t *value) {
    if (sigsetjmp(after_fault, 0) != 0)
        return false;
    if (is_write)
        *word = *value;
    else
        *value = *word;
    return true;
}

static bool touch(struct area *area, int index, bool is_write) {
    struct page *page = &area->pages[index];
    bool may = page->kind != HOLE && page->protection & (is_write ? PROT_WRITE : PROT_READ);
    uint32_t value = (uint32_t)next_random(&seed);
    if (transfer((uint32_t *)address(area, index), is_write, &value) != may)
        return false;
    if (may && is_write)
        *content(area, page) = value;
    return !may || value == *content(area, page);
}

static bool step(struct area *area) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    int count = 1 + below(PAGES / 2), first = below(PAGES - count + 1);
    int protection = protections[below(4)];
    switch (below(16)) {
    case 0:
    case 1: return map(area, first, count, protection);
    case 2: return unmap(area, first, count);
    case 3:
    case 4: return protect(area, first, count, protection);
    case 5: return drop(area, first, count);
    case 6: return move(area, below(PAGES), first);
    default: return touch(area, first, below(2) == 0);
    }
}

// The number of operations that went wrong.
static void *run(void *start) {
    seed = 1000003 * (1 + (uint64_t)(uintptr_t)start);
    long wrong = 0;
    for (long i = 0; i < operations / THREADS; i++) {
        struct area *area = &areas[below(AREAS)];
        pthread_mutex_lock(&area->lock);
        wrong += !step(area);
        pthread_mutex_unlock(&area->lock);
    }
    return (void *)wrong;
}

// The number of pages whose rights or contents are wrong, and of pages of the file.
static int count_wrong(struct area *area) {
    int wrong = 0;
    for (int i = 0; i < PAGES; i++) {
        uint32_t word = 0;
        wrong += !touch(area, i, false);
        wrong += pread(area->fd, &word, sizeof word, i * (long)PAGE) != sizeof word;
        wrong += word != area->file[i];
    }
    return wrong;
}

int main(int argc, char **argv) {
    if (argc > 1)
        operations = atol(argv[1]);
    struct sigaction action = {.sa_handler = on_segv, .sa_flags = SA_NODEFER};
    CHECK_OK(sigaction(SIGSEGV, &action, NULL));
    // Between two pages that stay, no stack of a thread fits into a hole.
    char *window = map_pages(AREAS * PAGES + 2, PROT_NONE) + PAGE;
    CHECK_OK(munmap(window, AREAS * PAGES * PAGE));
    for (int i = 0; i < AREAS; i++) {
        pthread_mutex_init(&areas[i].lock, NULL);
        areas[i].start = window + i * PAGES * PAGE;
        areas[i].fd = CHECK_OK(memfd_create("model", 0));
        CHECK_OK(ftruncate(areas[i].fd, PAGES * PAGE));
    }
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        CHECK_EQ(pthread_join(threads[i], &wrong), 0);
        CHECK_EQ((long)wrong, 0);
    }
    for (int i = 0; i < AREAS; i++)
        CHECK_EQ(count_wrong(&areas[i]), 0);
    return CHECK_DONE();
}
