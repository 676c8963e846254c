// A handler that makes the page accessible and returns: the instruction is executed again, as if nothing had been.
#include "check.h"
#include "signals.h"

#include <sys/mman.h>

enum { PAGES = 300 };
static char *pages;
static volatile int count, bad, mode;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    char *page = (char *)((uintptr_t)info->si_addr & ~4095ul);
    count++;
    if (page < pages || page >= pages + PAGES * 4096)
        _exit(3);
    if (mode == 0)
        bad += mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0;
    else
        bad += mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page;
}

int main(void) {
    CHECK_OK(install(SIGSEGV, handler, 0));
    pages = CHECK_OK(mmap(NULL, PAGES * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (int i = 0; i < PAGES; i++)
        pages[i * 4096 + i] = (char)i;
    CHECK_EQ(count, PAGES);
    for (int i = 0; i < PAGES; i++)
        bad += pages[i * 4096 + i] != (char)i;
    CHECK_EQ(count, PAGES);

    // A write barrier: read-only, and the first write to each page is noticed.
    CHECK_OK(mprotect(pages, PAGES * 4096, PROT_READ));
    for (int i = 0; i < PAGES; i += 2)
        pages[i * 4096]++;
    CHECK_EQ(count, PAGES + PAGES / 2);
    CHECK_EQ(pages[0], 1);

    // Memory on demand; a string instruction goes on where it stopped.
    CHECK_OK(munmap(pages, PAGES * 4096));
    mode = 1;
    count = 0;
    char *to = pages + 100;
    size_t len = 20 * 4096;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(0x5a) : "memory");
    CHECK_EQ(count, 21);
    CHECK(pages[100] == 0x5a && pages[99] == 0 && pages[100 + 20 * 4096 - 1] == 0x5a && len == 0);
    CHECK_EQ(bad, 0);
    CHECK_EQ(mask_now(), 0);
    return CHECK_DONE();
}
