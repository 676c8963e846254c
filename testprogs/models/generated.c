/* An AVX instruction in code that is made at run time: each way says whether it was executed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void code(void);

/* vxorps %ymm0, %ymm0, %ymm0; ret */
static const unsigned char AVX[] = { 0xc5, 0xfc, 0x57, 0xc0, 0xc3 };
static sigjmp_buf before;

static void on_sigill(int signal)
{
    (void)signal;
    siglongjmp(before, 1);
}

static void try(const char *name, unsigned char *at)
{
    if (sigsetjmp(before, 1) == 0) {
        ((code *)at)();
        printf("%s: executed\n", name);
    } else {
        printf("%s: SIGILL\n", name);
    }
}

int main(void)
{
    int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    unsigned char *page = mmap(NULL, 16384, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGILL, on_sigill);
    memset(page, 0x90, 16384);
    memcpy(page + 100, AVX, sizeof AVX);
    try("behind others", page);
    page[104] = 0x90;
    page[105] = 0xc3;
    try("again, after a change behind it", page);
    memcpy(page + 4094, AVX, sizeof AVX);
    try("across pages", page + 4000);
    mprotect(page, 16384, PROT_READ | PROT_WRITE);
    memcpy(page + 8192, AVX, sizeof AVX);
    mprotect(page, 16384, PROT_READ | PROT_EXEC);
    try("first of a page", page + 8192);
    /* jmp over a constant that looks like it. */
    mprotect(page, 16384, PROT_READ | PROT_WRITE);
    static const unsigned char OVER[] = { 0xeb, 0x06, 0xc5, 0xfc, 0x57, 0xc0, 0xec, 0xec };
    memcpy(page + 12288, OVER, sizeof OVER);
    memcpy(page + 12288 + sizeof OVER, AVX, sizeof AVX);
    mprotect(page, 16384, PROT_READ | PROT_EXEC);
    try("behind data", page + 12288);
    printf("data: %s\n", memcmp(page + 12288, OVER, sizeof OVER) == 0 ? "kept" : "changed");
    unsigned char *moved = mremap(page + 12288, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page + 4096);
    try("moved", moved);
    return 0;
}
