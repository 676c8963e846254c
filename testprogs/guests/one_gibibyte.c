// 1 GiB of anonymous memory, written page by page. Exit status 0 if each page was zero before.
#include <stddef.h>
#include <sys/mman.h>

#define LENGTH ((size_t)1 << 30)
#define PAGE 4096

int main(void) {
    char *start = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return 1;
    for (size_t offset = 0; offset < LENGTH; offset += PAGE)
        if (__atomic_exchange_n(&start[offset], 1, __ATOMIC_RELAXED) != 0)
            return 2;
    return 0;
}
